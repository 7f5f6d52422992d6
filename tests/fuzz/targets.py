"""What any bytes must survive: each target takes bytes and raises only if a promise is broken.

Errors of ours (LeptonError) are answers, all others are bugs. `python -m tests.fuzz TARGET` runs one under atheris;
`test_corpus` replays what was found before; the properties beside it try mutated files of every format.
"""

from __future__ import annotations

import contextlib
import hashlib
import struct
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

import numpy
import xxhash

from git_lepton.errors import LeptonError
from git_lepton.format.chunking import pieces
from git_lepton.format.coding.codec import decode, element_of_chunk, encode
from git_lepton.format.coding.encoded import RELEASED, Base, EncodedChunk
from git_lepton.format.identifiers import ChunkId, ObjectId
from git_lepton.format.layout import MAX_PIECE_BYTES
from git_lepton.format.manifest import parse_manifest
from git_lepton.format.pack import (
    HEADER_BYTES,
    PACK_HEAD,
    TRAILER_BYTES,
    Kind,
    Record,
    end_record,
    index_bytes,
    parse_end,
    parse_record,
)
from git_lepton.format.pointer import parse_pointer
from git_lepton.store.local_store import LocalStore
from git_lepton.workflow.bases.candidates import BasePlaces
from git_lepton.workflow.bases.finder import BaseFinder
from git_lepton.workflow.checkout.smudge import write_object
from git_lepton.workflow.clean import clean
from tests.format.sources import Dribble

ELEMENTS = ("", "BF16", "F16", "F32", "F64", "F8_E4M3", "I8", "I32", "GGUF_Q4_K", "GGUF_Q8_0")
BASE = numpy.random.default_rng(1).normal(size=4096).astype("<f4").tobytes()
_PAYLOAD_HEAD = 6  # codec, length of the raw bytes (3), elements of it and of its base, whether it has one


def file(data: bytes) -> None:
    """A file is cut into pieces that are the file, and each piece comes back from its encoding."""
    position = 0
    for piece in pieces(Dribble(data)):
        assert 0 < len(piece.data) <= MAX_PIECE_BYTES
        assert data[position : position + len(piece.data)] == piece.data
        assert bytes(piece.data) == decode(encode(piece.data, piece.element))
        position += len(piece.data)
    assert position == len(data)


def store(data: bytes) -> None:
    """A file that was added to a store comes back from it."""
    with tempfile.TemporaryDirectory() as folder, LocalStore(Path(folder)) as local:
        text = clean(Dribble(data), local, RELEASED)
        if not data or text == data:
            return
        pointer, back = parse_pointer(text), bytearray()
        assert (pointer.oid.raw, pointer.size) == (hashlib.sha256(data).digest(), len(data))
        write_object(pointer, local, back.extend)
        assert back == data


class _Before:
    """The place where the earlier version of any path is."""

    def __init__(self, oid: ObjectId) -> None:
        self._oid = oid

    def of(self, path: str) -> list[list[ObjectId]]:
        return [[self._oid]]


def versions(first: bytes, second: bytes) -> None:
    """Of two versions of a file both come back, the second coded against the first."""
    with tempfile.TemporaryDirectory() as folder, LocalStore(Path(folder)) as local:
        text = clean(Dribble(first), local, RELEASED)
        if not first or text == first:
            return
        bases = BaseFinder(local, cast(BasePlaces, _Before(parse_pointer(text).oid))).of("model")
        for data, kept in ((second, clean(Dribble(second), local, RELEASED, bases)), (first, text)):
            back = bytearray()
            if data and kept != data:
                write_object(parse_pointer(kept), local, back.extend)
                assert back == data


def payload(data: bytes) -> None:
    """A payload of any codec, with and without a base, is decoded or refused; its bytes, taken as a chunk, come back too."""
    if len(data) <= _PAYLOAD_HEAD:
        return
    codec, raw_length, elements, has_base = data[0], int.from_bytes(data[1:4], "little"), data[4], data[5] & 1
    body = data[_PAYLOAD_HEAD:]
    name = ChunkId.of(BASE) if has_base else None
    chunk = EncodedChunk(ChunkId(bytes(32)), codec % 16, has_base, name, raw_length, body, 0)
    with contextlib.suppress(LeptonError):
        element_of_chunk(chunk)
    with contextlib.suppress(LeptonError):
        decode(chunk, BASE if has_base else None)
    _comes_back(body, ELEMENTS[elements % 10], ELEMENTS[elements // 10 % 10])


def _comes_back(data: bytes, element: str, base_element: str) -> None:
    """Bytes coded as elements of any dtype, alone and against a base of any dtype, come back."""
    assert decode(encode(data, element)) == data
    near = bytes(ours ^ theirs for ours, theirs in zip(data, BASE, strict=False)) + data[len(BASE) :]
    for content in (data, near):
        chunk = encode(content, element, base=Base(ChunkId.of(BASE), 0, BASE, base_element))
        assert decode(chunk, None if chunk.base is None else BASE) == content


def parsers(data: bytes) -> None:
    """Records, ends of packs, manifests and pointers are read or refused, and are what their parser gives when written."""
    with contextlib.suppress(LeptonError):
        assert parse_record(data[:HEADER_BYTES]).encode() == data[:HEADER_BYTES]
    with contextlib.suppress(LeptonError):
        index_bytes(data[-TRAILER_BYTES:])
        parse_end(data, len(data))
    with contextlib.suppress(LeptonError):
        assert parse_manifest(data).encode() == data
    with contextlib.suppress(LeptonError):
        assert parse_pointer(data).encode() == data


def local_pack(data: bytes) -> None:
    """Whatever records stand in a pack, even chunks whose bases go round in circles: a store reads or refuses each of them."""
    with tempfile.TemporaryDirectory() as folder:
        packs = Path(folder) / "packs"
        packs.mkdir()
        (packs / "0-00000.pack").write_bytes(data if data.startswith(PACK_HEAD) else _pack(data))
        with LocalStore(Path(folder)) as local, contextlib.suppress(LeptonError):
            for problem in local.verify():
                assert problem.message


def _pack(recipe: bytes) -> bytes:
    """A pack whose checksums are right: 8 bytes of the recipe say what a record is, those after them are its payload."""
    names = [bytes([number]) * 32 for number in range(8)]
    records, position = [], 0
    while position + 8 <= len(recipe):
        kind, codec, depth, name, base, raw_length, length = struct.unpack_from("<BBBBBHB", recipe, position)
        payload = recipe[position + 8 : position + 8 + length]
        digest = xxhash.xxh3_64_intdigest(payload)
        base_name = ChunkId(names[base % 8]) if base & 8 else None
        which = ChunkId.of(payload) if name & 8 else ChunkId(names[name % 8])
        record = Record(Kind(kind % 3 + 1), codec, depth, len(payload), raw_length, which, base_name, digest)
        records.append((record.encode(), payload))
        position += 8 + length
    end = end_record([header for header, _ in records])[1] if recipe[-1:] < b"\x80" else b""
    return PACK_HEAD + b"".join(header + payload for header, payload in records) + end


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "file": file,
    "store": store,
    "payload": payload,
    "parsers": parsers,
    "local_pack": local_pack,
}
