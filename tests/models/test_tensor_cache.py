"""Tensors by oid: read once, and what is damaged is read again."""

from __future__ import annotations

from pathlib import Path

import pytest

from git_lepton.models.tensor_cache import TensorCache, WeightsNotHere
from tests.evidence.test_tensors import TENSORS, File, safetensors


class Store:
    """A store of one file that counts what is read."""

    def __init__(self, file: File) -> None:
        self.file, self.reads, self.gone = file, 0, False

    def manifest(self, oid: object) -> object:
        return self.file.manifest if oid == self.file.manifest.oid and not self.gone else None

    def read(self, name: object) -> bytes:
        self.reads += 1
        return self.file.chunks[name]  # type: ignore[index]


def pointer_of(file: File):  # type: ignore[no-untyped-def]
    from git_lepton.format.pointer import Pointer

    return Pointer(file.manifest.oid, file.manifest.size)


@pytest.mark.parametrize("data", [safetensors(TENSORS), b"no such file"], ids=["safetensors", "other"])
def test_what_was_read_once_is_known_without_the_weights(tmp_path: Path, data: bytes) -> None:
    store = Store(File(data))
    pointer = pointer_of(store.file)
    first = TensorCache(store, tmp_path).tensors_of(pointer)  # type: ignore[arg-type]
    assert first == store.file.tensors()
    store.gone, before = True, store.reads
    assert TensorCache(store, tmp_path).tensors_of(pointer) == first  # type: ignore[arg-type]
    assert store.reads == before
    (kept,) = (tmp_path / "tensors").iterdir()
    kept.write_bytes(kept.read_bytes()[:-1] + b"x")
    with pytest.raises(WeightsNotHere, match="not on this machine"):
        TensorCache(store, tmp_path).tensors_of(pointer)  # type: ignore[arg-type]
    store.gone = False
    assert TensorCache(store, tmp_path).tensors_of(pointer) == first  # type: ignore[arg-type]
