"""What pieces of a new version are coded against. The places are given; where they come from is test_base_places' business."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import numpy
import pytest

from git_lepton.format.chunking import Piece
from git_lepton.format.coding.encoded import RELEASED, Base, EncodedChunk
from git_lepton.format.identifiers import ChunkId, ObjectId
from git_lepton.format.pointer import parse_pointer
from git_lepton.store.chunk_store import BaseRefused
from git_lepton.store.local_store import LocalStore
from git_lepton.workflow.bases.candidates import BasePlaces
from git_lepton.workflow.bases.finder import BaseFinder, Bases
from git_lepton.workflow.clean import StoredPieceDamaged, clean
from tests.store.making import pack_files
from tests.support.tiny_models import safetensors
from tests.workflow.objects import MemorySource
from tests.workflow.versions import all_tuned, bf16, bf16_bytes, chunks_of, content, fp32, model, tuned, weights


class Places:
    """The same groups of objects for every path. `asked`: how often."""

    def __init__(self, groups: Sequence[Sequence[ObjectId]]) -> None:
        self.groups, self.asked = groups, 0

    def of(self, path: str) -> Iterator[Sequence[ObjectId]]:
        self.asked += 1
        yield from self.groups


class Noting:
    """Bases that note what they gave: (tensor, offset) -> base."""

    def __init__(self, bases: Bases) -> None:
        self.given: dict[tuple[str, int], Base | None] = {}
        self._bases = bases

    def base_for(self, piece: Piece, name: ChunkId) -> Base | None:
        found = self._bases.base_for(piece, name)
        self.given[piece.region.name, piece.offset] = found
        return found


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalStore]:
    with LocalStore(tmp_path / "lepton") as store:
        yield store


def added(store: LocalStore, data: bytes, *groups: Sequence[ObjectId]) -> tuple[ObjectId, dict[tuple[str, int], Base | None]]:
    """The object of these bytes, added with these groups of possible bases, and what its pieces were coded against."""
    noting = Noting(BaseFinder(store, cast(BasePlaces, Places(groups))).of("model.safetensors"))
    oid = parse_pointer(clean(MemorySource(data, 1 << 20), store, RELEASED, cast(Bases, noting))).oid
    assert content(store, oid) == data
    return oid, noting.given


def bases_given(store: LocalStore, data: bytes, *groups: Sequence[ObjectId]) -> dict[str, bytes]:
    """The raw bytes of the base of each tensor (of one piece) that got one."""
    return {name: bytes(base.data) for (name, _), base in added(store, data, *groups)[1].items() if base}


def as_bf16(tensors: dict[str, numpy.ndarray]) -> dict[str, bytes]:
    return {name: bf16_bytes(values) for name, values in tensors.items()}


def test_each_tensor_is_coded_against_its_earlier_version(store: LocalStore) -> None:
    old = model()
    first, _ = added(store, bf16(old))
    assert bases_given(store, bf16(all_tuned(old)), [first]) == as_bf16(old)


def test_every_piece_has_its_own_base(store: LocalStore) -> None:
    values = weights(1, 3, 1_000_000)
    first, _ = added(store, bf16({"a": values}))
    _, given = added(store, bf16({"a": tuned(values)}), [first])
    raw = bf16_bytes(values)
    assert {offset: base.data for (name, offset), base in given.items() if base} == {0: raw[: 2**22], 2**22: raw[2**22 :]}


def test_what_is_known_is_not_asked_for(store: LocalStore) -> None:
    data = bf16(model())
    oid, _ = added(store, data)
    places = Places([[oid]])
    bases = BaseFinder(store, cast(BasePlaces, places)).of("a")
    clean(MemorySource(data), store, RELEASED, bases)
    assert places.asked == 0


def test_another_float_dtype_matches_either_way(store: LocalStore) -> None:
    old = model()
    wide, _ = added(store, fp32(old))
    assert bases_given(store, bf16(old), [wide]) == {name: values.tobytes() for name, values in old.items()}
    half = {name: ("F16", list(v.shape), v.astype("<f2").tobytes()) for name, v in old.items()}
    assert bases_given(store, safetensors(half), [wide]) == {name: values.tobytes() for name, values in old.items()}


def test_offsets_in_another_dtype_are_counted_in_elements(store: LocalStore) -> None:
    values = weights(1, 3_000_000)
    wide, _ = added(store, fp32({"a": values}))
    _, given = added(store, bf16({"a": values}), [wide])
    assert {offset: len(base.data) for (name, offset), base in given.items() if base} == {0: 2**23, 2**22: 3_000_000 * 4 - 2**23}


def test_appended_rows_match_as_far_as_there_were_rows(store: LocalStore) -> None:
    embedding = weights(1, 3000, 1024)
    first, _ = added(store, bf16({"embedding": embedding}))
    grown = numpy.concatenate([embedding, weights(2, 1, 1024)])
    _, given = added(store, bf16({"embedding": grown}), [first])
    raw = bf16_bytes(embedding)
    assert {key: base and base.data for key, base in given.items() if key[0]} == {("embedding", 2**22): raw[2**22 :]}


def test_a_renamed_tensor_is_found_by_its_content(store: LocalStore) -> None:
    old = model(layers=6)
    first, _ = added(store, bf16(old))
    renamed = {name.replace("layer", "encoder.block"): tuned(values) for name, values in old.items()}
    assert bases_given(store, bf16(renamed), [first]) == {
        name.replace("layer", "encoder.block"): bf16_bytes(values) for name, values in old.items()
    }


def test_layers_that_moved_by_one_are_found_although_their_old_names_are_others(store: LocalStore) -> None:
    old = model(layers=4)
    first, _ = added(store, bf16(old))
    moved = {f"layer.{n + 1}.weight": tuned(values) for n, values in enumerate(old.values())}
    moved["layer.0.weight"] = weights(77, 256, 128)
    given = bases_given(store, bf16(moved), [first])
    assert given == {f"layer.{n + 1}.weight": bf16_bytes(values) for n, values in enumerate(old.values())}


def test_what_was_trained_anew_has_no_base(store: LocalStore) -> None:
    first, _ = added(store, bf16(model(seed=1)))
    assert bases_given(store, bf16(model(seed=2)), [first]) == {}


def test_another_shape_or_kind_of_the_same_name_is_no_base(store: LocalStore) -> None:
    old = weights(1, 64, 128)
    first, _ = added(store, bf16({"a": old, "b": old}))
    other = {
        "a": ("BF16", [128, 64], bf16_bytes(tuned(old))),
        "b": ("I16", [64, 128], bf16_bytes(tuned(old))),
    }
    assert bases_given(store, safetensors(other), [first]) == {}


def test_of_two_parents_each_tensor_takes_the_nearer(store: LocalStore) -> None:
    old = model(layers=2)
    names = list(old)
    ours, theirs = all_tuned(old, 1, 1e-3), all_tuned(old, 50, 1e-3)
    groups = [[added(store, bf16(ours))[0], added(store, bf16(theirs))[0]]]
    merged = {names[0]: tuned(ours[names[0]], 7, 1e-5), names[1]: tuned(theirs[names[1]], 8, 1e-5)}
    given = bases_given(store, bf16(merged), *groups)
    assert given == {names[0]: bf16_bytes(ours[names[0]]), names[1]: bf16_bytes(theirs[names[1]])}


def test_a_later_group_serves_what_the_first_has_not(store: LocalStore) -> None:
    old = model(layers=2)
    names = list(old)
    groups = [[added(store, bf16({name: old[name]}))[0]] for name in names]
    assert bases_given(store, bf16(all_tuned(old)), *groups) == as_bf16(old)


def test_an_unrelated_file_in_an_early_group_does_not_hide_a_later_one(store: LocalStore) -> None:
    old = model(seed=1)
    groups = [[added(store, bf16(model(seed=2)))[0]], [added(store, bf16(old))[0]]]
    assert bases_given(store, bf16(all_tuned(old)), *groups) == as_bf16(old)


def flip(store: LocalStore, at: int) -> None:
    """Damage a byte of the only pack of a store that is closed."""
    (pack,) = pack_files(store.root)
    data = bytearray(pack.read_bytes())
    data[at] ^= 255
    pack.chmod(0o644)
    pack.write_bytes(data)


def test_a_base_that_cannot_be_read_is_no_base(store: LocalStore) -> None:
    old = model(layers=1)
    first, _ = added(store, bf16(old))
    store.close()
    flip(store, 5000)
    with LocalStore(store.root) as again:
        assert bases_given(again, bf16(all_tuned(old)), [ObjectId(bytes(32)), first]) == {}


def test_a_piece_that_is_found_damaged_while_it_was_taken_for_stored_is_stored_anew(store: LocalStore) -> None:
    old = model(layers=1)
    first, _ = added(store, bf16(old))
    store.close()
    flip(store, 100)  # the header, which both versions have
    with LocalStore(store.root) as again:
        with pytest.raises(StoredPieceDamaged):
            added(again, bf16(all_tuned(old)), [first])
        assert bases_given(again, bf16(all_tuned(old, 5)), [first]) == as_bf16(old)


def test_a_base_that_goes_bad_after_it_was_read_costs_only_the_difference(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = model(layers=2)
    first, _ = added(store, bf16(old))
    add = store.add

    def refusing(chunk: EncodedChunk) -> None:
        if chunk.base:
            raise BaseRefused("gone")
        add(chunk)

    monkeypatch.setattr(store, "add", refusing)
    second, _ = added(store, bf16(all_tuned(old)), [first])
    assert {depth for _, _, depth in chunks_of(store, second)} == {0}


def test_a_bug_is_not_taken_for_a_missing_base(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = added(store, bf16(model()))

    def broken(name: ChunkId) -> bytes:
        raise ZeroDivisionError

    monkeypatch.setattr(store, "read", broken)
    with pytest.raises(ZeroDivisionError):
        clean(
            MemorySource(bf16(all_tuned(model()))),
            store,
            RELEASED,
            BaseFinder(store, cast(BasePlaces, Places([[first]]))).of("a"),
        )


def test_what_is_remembered_of_pieces_is_small(store: LocalStore) -> None:
    """Hundreds of tensors are open at once: of none of them may a piece stay in memory."""
    import tracemalloc

    old = {f"t{n}": weights(n, 128, 1024) for n in range(60)}
    first, _ = added(store, bf16(old))
    data = bf16(all_tuned(old))
    bases = BaseFinder(store, cast(BasePlaces, Places([[first]]))).of("a")
    clean(MemorySource(data), store, RELEASED, bases)
    tracemalloc.start()
    clean(MemorySource(bf16(all_tuned(old, 500))), store, RELEASED, bases)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < len(data) / 4


def test_the_search_for_renamed_tensors_reads_no_more_than_a_share_of_what_is_new(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("git_lepton.workflow.bases.finder._FIRST_ALLOWANCE", 0)
    groups = [[added(store, bf16(model(seed=seed, layers=8)))[0] for seed in range(1, 9)]]
    new = bf16({f"renamed.{name}": values for name, values in model(seed=99, layers=3).items()})
    read: list[int] = []
    one = store.read

    def counted(name: ChunkId) -> bytes | bytearray:
        data = one(name)
        read.append(len(data))
        return data

    monkeypatch.setattr(store, "read", counted)
    clean(MemorySource(new), store, RELEASED, BaseFinder(store, cast(BasePlaces, Places(groups))).of("a"))
    assert sum(read) < 2.5 * len(new)


def test_tensors_without_names_are_found_by_their_content(store: LocalStore) -> None:
    old = weights(1, 256, 128)
    first, _ = added(store, bf16({"": old}))
    assert bases_given(store, bf16({"": tuned(old)}), [first]) == {"": bf16_bytes(old)}
