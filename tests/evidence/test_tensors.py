"""Tensors by the names of their pieces: the same whatever a file is cut into, and no more is read than is needed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from git_lepton.errors import LeptonError
from git_lepton.evidence.identity import VersionFile, weights_digest
from git_lepton.evidence.tensors import tensors_in
from git_lepton.format.chunking import pieces
from git_lepton.format.identifiers import ChunkId, ObjectId
from git_lepton.format.manifest import MAX_CHUNK_BYTES, Manifest, ManifestEntry
from git_lepton.format.pointer import Pointer

SIZES = {"F32": 4, "BF16": 2, "U8": 1}


def safetensors(tensors: dict[str, tuple[str, bytes]], note: str = "") -> bytes:
    header: dict[str, object] = {"__metadata__": {"note": note}} if note else {}
    position = 0
    for name, (dtype, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": [len(data) // SIZES[dtype]], "data_offsets": [position, position + len(data)]}
        position += len(data)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + b"".join(data for _, data in tensors.values())


def described(header: str, data: bytes) -> bytes:
    return len(header).to_bytes(8, "little") + header.encode() + data


def oid(data: bytes) -> ObjectId:
    return ObjectId(hashlib.sha256(data).digest())


class File:
    """A file in chunks; `read` are the chunks that were asked for."""

    def __init__(self, data: bytes, cuts: list[int] | None = None) -> None:
        if cuts is None:
            parts = [bytes(piece.data) for piece in pieces(_Source(data))]
        else:
            steps = range(0, len(data), MAX_CHUNK_BYTES)  # no chunk is longer
            parts = [data[start:end] for start, end in pairwise(sorted({0, *steps, *cuts, len(data)}))]
        self.chunks = {ChunkId.of(part): part for part in parts}
        self.manifest = Manifest(oid(data), len(data), tuple(ManifestEntry(ChunkId.of(part), len(part)) for part in parts))
        self.read: list[ChunkId] = []

    def tensors(self):  # type: ignore[no-untyped-def]
        def read_chunk(name: ChunkId) -> bytes:
            self.read.append(name)
            return self.chunks[name]

        return tensors_in(self.manifest, read_chunk)


class _Source:
    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)

    def readinto(self, buffer: memoryview, /) -> int:
        count = min(len(buffer), len(self._data))
        buffer[:count] = self._data[:count]
        self._data = self._data[count:]
        return count


def digest(*files: bytes) -> bytes | None:
    found = {Pointer(oid(data), len(data)): File(data).tensors() for data in files}
    return weights_digest([VersionFile(f"{n}.safetensors", pointer) for n, pointer in enumerate(found)], found.get)


NOISE = random.Random(7)
BIG = ("F32", NOISE.randbytes(9_000_000))
TENSORS = {"a": BIG, "s1": ("U8", b"12"), "s2": ("U8", b"345"), "b": ("BF16", NOISE.randbytes(5_000_000)), "none": ("F32", b"")}


def test_of_a_large_file_only_the_header_and_small_neighbours_are_read() -> None:
    file = File(safetensors(TENSORS))
    found = file.tensors()
    assert [(tensor.name, tensor.dtype, tensor.shape, tensor.length) for tensor in found] == [
        (name, dtype, (len(data) // SIZES[dtype],), len(data)) for name, (dtype, data) in TENSORS.items()
    ]
    assert [len(tensor.pieces) for tensor in found] == [2, 1, 1, 2, 0]
    assert sum(len(file.chunks[name]) for name in set(file.read)) < 1000


@settings(max_examples=15)
@given(st.lists(st.integers(1, 13_000_000), max_size=12))
def test_the_cut_makes_no_difference(cuts: list[int]) -> None:
    data = safetensors(TENSORS)
    assert File(data, [cut for cut in cuts if cut < len(data)]).tensors() == File(data).tensors()


def test_shards_order_and_metadata_make_no_difference_and_every_byte_does() -> None:
    whole = digest(safetensors(TENSORS))
    left = {name: TENSORS[name] for name in ("s2", "a")}
    right = {name: TENSORS[name] for name in ("none", "b", "s1")}
    assert digest(safetensors(left, "made by hand"), safetensors(right)) == whole
    for name, (dtype, data) in TENSORS.items():
        if data:
            changed = data[:-1] + bytes([data[-1] ^ 1])
            assert digest(safetensors(TENSORS | {name: (dtype, changed)})) not in (None, whole)


@pytest.mark.parametrize(
    "data",
    [
        b"x",
        b"not safetensors at all",
        safetensors({"a": ("U8", b"12345")})[:-1],
        safetensors({"a": ("U8", b"12345")}) + b"x",
        (1 << 40).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"[]",
        (9).to_bytes(8, "little") + b'{"a":[1]}',
        (50).to_bytes(8, "little") + b"{",
        safetensors({"a": ("U8", b"12345")}).replace(b"U8", b"Q9"),
        safetensors({"\udc00": ("U8", b"12345")}),
        described(f'{{"a": {{"dtype": "U8", "shape": {[1] * 65}, "data_offsets": [0, 1]}}}}', b"x"),
    ],
    ids=["byte", "text", "cut", "longer", "no header", "list", "no description", "open", "dtype", "half a letter", "rank"],
)
def test_what_is_no_sound_file_has_no_tensors(data: bytes) -> None:
    assert File(data).tensors() is None
    assert File(data, list(range(1, len(data)))).tensors() is None


def test_every_shape_and_dtype_is_told_apart() -> None:
    told = []
    for shape in ([], [1], [1, 1], [1] * 64):
        for dtype in ("U8", "I8"):
            told.append(digest(described(f'{{"a":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[0,1]}}}}', b"x")))
    assert None not in told
    assert len(set(told)) == len(told)


@settings(max_examples=20)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=8), st.integers(0, 7), st.integers(-20, 20).filter(bool))
def test_a_manifest_that_lies_about_a_chunk_ends_in_an_error_of_ours(cuts: list[int], which: int, by: int) -> None:
    file = File(safetensors({"a": ("U8", b"1" * 20), "b": ("U8", b"2" * 20)}), cuts)
    entries = list(file.manifest.entries)
    which %= len(entries)
    entries[which] = ManifestEntry(entries[which].chunk, max(1, entries[which].length + by))
    file.manifest = Manifest(file.manifest.oid, sum(entry.length for entry in entries), tuple(entries))
    with contextlib.suppress(LeptonError):
        file.tensors()


@given(st.binary(min_size=1, max_size=300))
def test_no_bytes_make_it_raise(data: bytes) -> None:
    header = len(data).to_bytes(8, "little") + data
    for file in (File(data), File(header), File(header + data)):
        file.tensors()
