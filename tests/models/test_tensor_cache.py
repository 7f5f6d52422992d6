"""The tensors of weight files are remembered: read once, never believed where they are damaged, and never too many."""

from __future__ import annotations

from pathlib import Path

import pytest

from git_lepton.errors import CorruptData
from git_lepton.format.identifiers import ChunkId, ObjectId
from git_lepton.format.manifest import Manifest, ManifestEntry
from git_lepton.format.pointer import Pointer
from git_lepton.models import tensor_cache
from git_lepton.models.tensor_cache import TensorCache, WeightsNotHere
from git_lepton.store.chunk_store import ChunkMissing
from tests.models.repository_with_model import weights


class OneChunkStore:
    """Objects of one chunk each, under names that need not be theirs."""

    def __init__(self) -> None:
        self.objects: dict[ObjectId, bytes] = {}
        self.reads = 0

    def put(self, data: bytes) -> Pointer:
        oid = ObjectId(len(self.objects).to_bytes(32, "big"))
        self.objects[oid] = data
        return Pointer(oid, len(data))

    def manifest(self, oid: ObjectId) -> Manifest | None:
        data = self.objects.get(oid)
        return Manifest(oid, len(data), (ManifestEntry(ChunkId.of(data), len(data)),)) if data else None

    def read(self, name: ChunkId) -> bytes:
        self.reads += 1
        return next(data for data in self.objects.values() if ChunkId.of(data) == name)


@pytest.fixture
def store() -> OneChunkStore:
    return OneChunkStore()


def cache(store: OneChunkStore, folder: Path) -> TensorCache:
    return TensorCache(store, folder)  # type: ignore[arg-type]


def test_what_was_read_once_is_remembered_by_others(store: OneChunkStore, tmp_path: Path) -> None:
    sound, other = store.put(weights("a", "b")), store.put(b"something else")
    first = cache(store, tmp_path)
    tensors = first.tensors_of(sound)
    assert tensors is not None
    assert [tensor.name for tensor in tensors] == ["a", "b"]
    assert first.tensors_of(other) is None
    reads, store.objects = store.reads, {}
    again = cache(store, tmp_path)
    assert (again.tensors_of(sound), again.tensors_of(other), store.reads) == (tensors, None, reads)


@pytest.mark.parametrize("damage", [b"", b"x", b"null", b"lepton-tensors-1 \n[]", b"\xff" * 100])
def test_what_is_damaged_is_made_anew(store: OneChunkStore, tmp_path: Path, damage: bytes) -> None:
    pointer = store.put(weights("a"))
    tensors = cache(store, tmp_path).tensors_of(pointer)
    (entry,) = (tmp_path / "tensors").iterdir()
    whole = entry.read_bytes()
    for damaged in (damage, whole[:-1], whole.replace(b'"a"', b'"b"'), whole.replace(b"tensors-1", b"tensors-2")):
        entry.write_bytes(damaged)
        assert cache(store, tmp_path).tensors_of(pointer) == tensors
        assert entry.read_bytes() == whole


def test_weights_that_are_not_here_and_pointers_that_lie_have_no_tensors(store: OneChunkStore, tmp_path: Path) -> None:
    pointer = store.put(weights("a"))
    with pytest.raises(CorruptData, match="its pointer says 7"):
        cache(store, tmp_path).tensors_of(Pointer(pointer.oid, 7))
    with pytest.raises(WeightsNotHere, match=r"are not on this machine\nhint: git lepton fetch"):
        cache(store, tmp_path).tensors_of(Pointer(ObjectId(b"n" * 32), 7))

    def read(name: ChunkId) -> bytes:
        raise ChunkMissing(name)

    store.read = read  # type: ignore[method-assign]
    with pytest.raises(WeightsNotHere):
        cache(store, tmp_path).tensors_of(pointer)


def test_a_folder_that_cannot_be_written_is_no_trouble(store: OneChunkStore, tmp_path: Path) -> None:
    pointer = store.put(weights("a"))
    (tmp_path / "tensors").write_text("not a folder")
    assert cache(store, tmp_path).tensors_of(pointer)


def test_the_oldest_go_where_there_is_too_much(store: OneChunkStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensor_cache, "_MOST_BYTES", 5_000)
    monkeypatch.setattr(tensor_cache, "_WRITES_BETWEEN_LOOKS", 1)
    pointers = [store.put(weights(f"t{n}")) for n in range(60)]
    found = cache(store, tmp_path)
    for pointer in pointers:
        found.tensors_of(pointer)
    left = {path.name for path in (tmp_path / "tensors").iterdir()}
    assert f"{pointers[-1].oid.hex}-{pointers[-1].size}.json" in left
    assert f"{pointers[0].oid.hex}-{pointers[0].size}.json" not in left
    assert 5 < len(left) < 60
    assert sum(path.stat().st_size for path in (tmp_path / "tensors").iterdir()) < 6_000
