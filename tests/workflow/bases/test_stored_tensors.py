from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from git_lepton.format.coding.encoded import RELEASED
from git_lepton.format.identifiers import ChunkId, ObjectId
from git_lepton.format.pointer import parse_pointer
from git_lepton.store.local_store import LocalStore
from git_lepton.workflow.bases.stored_tensors import open_stored
from git_lepton.workflow.clean import clean
from tests.store.making import pack_files
from tests.support.tiny_models import safetensors
from tests.workflow.objects import MemorySource

MODEL = {
    "a": ("BF16", [3, 1_000_000], bytes(range(250)) * 24_000),
    "b": ("F32", [500], b"\1\2\3\4" * 500),
    "empty": ("F32", [0], b""),
    "c": ("F32", [500], b"\5\6\7\0" * 500),
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalStore]:
    with LocalStore(tmp_path / "lepton") as store:
        yield store


def added(store: LocalStore, data: bytes) -> ObjectId:
    return parse_pointer(clean(MemorySource(data), store, RELEASED)).oid


def test_each_tensor_is_found_with_its_chunks(store: LocalStore) -> None:
    stored = open_stored(store, added(store, safetensors(MODEL, {"format": "pt"})))
    assert stored is not None
    (a,) = stored.named("a")
    assert (a.region.element, a.region.shape) == ("BF16", (3, 1_000_000))
    data = MODEL["a"][2]
    assert a.chunk_at(0) == ChunkId.of(data[: a.region.piece])
    assert a.chunk_at(a.region.piece) == ChunkId.of(data[a.region.piece :])
    assert a.chunk_at(10) is a.chunk_at(len(data)) is a.chunk_at(-1) is None
    assert [tensor.region.name for tensor in stored.alike(stored.named("c")[0].region)] == ["b", "c"]
    assert stored.named("nowhere") == []


def test_only_what_headers_need_is_read(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    oid = added(store, safetensors(MODEL))
    read: list[int] = []
    one = store.read

    def counted(name: ChunkId) -> bytes | bytearray:
        data = one(name)
        read.append(len(data))
        return data

    monkeypatch.setattr(store, "read", counted)
    assert open_stored(store, oid) is not None
    assert sum(read) < 10_000


def test_a_long_header_of_many_chunks_is_read(store: LocalStore) -> None:
    tensors = {f"tensor.{'x' * 150}.{n}": ("U8", [256], b"abc".ljust(256)) for n in range(12_000)}
    stored = open_stored(store, added(store, safetensors(tensors)))
    assert stored is not None
    assert stored.named(list(tensors)[-1])[0].chunk_at(0) == ChunkId.of(b"abc".ljust(256))


@pytest.mark.parametrize("data", [b"x" * 5000, struct.pack("<Q", 1 << 40) + b"{" + bytes(5000), safetensors(MODEL)[:200]])
def test_a_file_without_sound_headers_has_no_tensors(store: LocalStore, data: bytes) -> None:
    stored = open_stored(store, added(store, data))
    assert stored is not None
    assert stored.named("a") == []


def test_what_is_not_here_is_none(store: LocalStore) -> None:
    assert open_stored(store, ObjectId(bytes(32))) is None


def test_a_damaged_header_is_none(store: LocalStore) -> None:
    oid = added(store, safetensors(MODEL, {"note": json.dumps(list(range(500)))}))
    store.close()
    for pack in pack_files(store.root):
        data = bytearray(pack.read_bytes())
        data[100:160] = bytes(60)  # the first record's payload: the header's chunk
        pack.chmod(0o644)
        pack.write_bytes(data)
    with LocalStore(store.root) as again:
        assert open_stored(again, oid) is None
