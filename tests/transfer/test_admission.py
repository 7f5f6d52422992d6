"""In which form chunks go: bases first, no deeper than 3 there, against what is there. What they are coded to is in test_deltas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_lepton.format.coding.codec import encode
from git_lepton.format.coding.encoded import EncodedChunk
from git_lepton.format.identifiers import ChunkId
from git_lepton.format.pack import MAX_DEPTH
from git_lepton.store.chunk_store import ChunkMissing
from git_lepton.store.local_store import LocalStore
from git_lepton.transfer.admission import Admitted, admit
from tests.transfer.weights import RAW, fake_delta, noise

ALLOWED = frozenset({0, 9})


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStore]:
    with LocalStore(tmp_path_factory.mktemp("admission")) as opened:
        yield opened


@pytest.fixture(scope="module")
def chain(store: LocalStore) -> list[ChunkId]:
    """Four versions of a chunk, each coded against the one before."""
    chunks = [encode(noise(100, 1), "", RAW)]
    for seed in range(2, 5):
        chunks.append(fake_delta(noise(100, seed), chunks[-1]))
    for chunk in chunks:
        store.add(chunk)
    return [chunk.name for chunk in chunks]


def one(order: list[Admitted], name: ChunkId) -> Admitted:
    return next(admitted for admitted in order if admitted.name == name)


def test_a_chain_that_is_pushed_whole_goes_as_it_is_bases_first(store: LocalStore, chain: list[ChunkId]) -> None:
    order = admit(store, chain[::-1], ALLOWED, {})
    assert [admitted.name for admitted in order] == chain
    assert all(admitted.as_it_is for admitted in order)
    assert [admitted.depth for admitted in order] == [0, 1, 2, 3]


def test_a_base_that_is_there_is_as_good_as_one_that_goes(store: LocalStore, chain: list[ChunkId]) -> None:
    (only,) = admit(store, [chain[2]], ALLOWED, {chain[1]: 1})
    assert (only.base, only.depth, only.as_it_is) == (chain[1], 2, True)


def test_an_amended_version_goes_against_what_it_was_amended_from(store: LocalStore, chain: list[ChunkId]) -> None:
    """2 was committed against 1, which is there, and amended to 3: 2 never travels."""
    (only,) = admit(store, [chain[2]], ALLOWED, {chain[0]: 0})
    assert (only.base, only.depth, only.as_it_is) == (chain[0], 1, False)


def test_with_nothing_of_its_chain_there_it_goes_alone(store: LocalStore, chain: list[ChunkId]) -> None:
    (only,) = admit(store, [chain[3]], ALLOWED, {})
    assert (only.base, only.depth, only.as_it_is) == (None, 0, False)


def test_a_base_that_lies_deep_there_is_passed_over(store: LocalStore, chain: list[ChunkId]) -> None:
    (only,) = admit(store, [chain[2]], ALLOWED, {chain[1]: MAX_DEPTH, chain[0]: 2})
    assert (only.base, only.depth, only.as_it_is) == (chain[0], 3, False)
    (only,) = admit(store, [chain[2]], ALLOWED, {chain[1]: MAX_DEPTH, chain[0]: MAX_DEPTH})
    assert only.base is None


def test_a_delta_shrinks_with_its_base(store: LocalStore, chain: list[ChunkId]) -> None:
    """1 is deep there, 2 and 3 go: 2 against 0, and so 3 comes to lie on two."""
    order = admit(store, [chain[3], chain[2]], ALLOWED, {chain[1]: MAX_DEPTH, chain[0]: 0})
    assert [(admitted.name, admitted.base, admitted.depth) for admitted in order] == [
        (chain[2], chain[0], 1),
        (chain[3], chain[2], 2),
    ]


def test_where_its_codec_is_not_allowed_a_delta_goes_alone(store: LocalStore, chain: list[ChunkId]) -> None:
    order = admit(store, chain, RAW, {})
    assert [(admitted.base, admitted.as_it_is) for admitted in order] == [(None, True), *[(None, False)] * 3]


def test_what_is_to_go_alone_does(store: LocalStore, chain: list[ChunkId]) -> None:
    order = admit(store, chain[:3], ALLOWED, {}, solo={chain[1]})
    assert one(order, chain[1]).base is None
    assert one(order, chain[2]) == one(order, chain[2])._replace(base=chain[1], depth=1, as_it_is=True)


def test_what_is_not_here_is_said(store: LocalStore) -> None:
    with pytest.raises(ChunkMissing):
        admit(store, [ChunkId(bytes(32))], ALLOWED, {})


@given(st.data())
def test_whatever_is_there_and_goes_the_rules_hold(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 10))
    chunks: list[EncodedChunk] = []
    for seed in range(count):
        bases = [chunk for chunk in chunks if chunk.depth < MAX_DEPTH]
        base = data.draw(st.none() | st.sampled_from(bases)) if bases else None
        raw = noise(40, seed)
        chunks.append(encode(raw, "", RAW) if base is None else fake_delta(raw, base))
    names = [chunk.name for chunk in chunks]
    going = data.draw(st.lists(st.sampled_from(names), unique=True))
    there: Mapping[ChunkId, int] = data.draw(st.dictionaries(st.sampled_from(names), st.integers(0, MAX_DEPTH)))
    with TemporaryDirectory() as folder, LocalStore(Path(folder)) as store:
        for chunk in chunks:
            store.add(chunk)
        order = admit(store, going, ALLOWED, there)
    assert sorted(admitted.name.raw for admitted in order) == sorted(name.raw for name in going)
    depths = dict(there)
    gone = set[ChunkId]()
    for admitted in order:
        if admitted.base is not None:
            assert admitted.base in gone or admitted.base in there
            assert admitted.depth == depths[admitted.base] + 1 <= MAX_DEPTH
        assert admitted.as_it_is == (admitted.record.base == admitted.base)
        depths[admitted.name] = admitted.depth
        gone.add(admitted.name)
