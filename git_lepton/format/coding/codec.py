"""Encodes and decodes chunks: the one door through which raw bytes become payloads and payloads raw bytes.

A wrong chunk cannot come out of here: `decode` checks the length and the name of what it rebuilt. Everything here is thread
safe and lets other threads run while it works.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import xxhash

from git_lepton.errors import CorruptData, WrongUse
from git_lepton.format.coding.frames import Writer, read_frame, write_frame
from git_lepton.format.coding.planes import decode_planes, encode_planes
from git_lepton.format.identifiers import ChunkId
from git_lepton.format.manifest import MAX_CHUNK_BYTES
from git_lepton.format.pack import Kind, Record

MAX_OVERHEAD = 64  # a payload is at most that much longer than the raw bytes


class WrongChunk(CorruptData):
    """A payload does not give the chunk that it should."""


class UnknownCodec(WrongUse):
    """A chunk is coded by a codec that this program does not know."""


@dataclass(frozen=True, slots=True)
class EncodedChunk:
    """A chunk as a store keeps it. Lengths are in bytes; `checksum` is the XXH3 of the payload."""

    name: ChunkId
    codec: int
    depth: int
    base: ChunkId | None
    raw_length: int
    payload: bytes | memoryview
    checksum: int

    def record(self) -> Record:
        """The header that goes before the payload in a pack."""
        return Record(
            Kind.CHUNK, self.codec, self.depth, len(self.payload), self.raw_length, self.name, self.base, self.checksum
        )


class Codec(Protocol):
    """A way to code chunks. Its id and what it decodes never change once it is released."""

    name: str
    needs_base: bool

    def encode(self, data: bytes | bytearray | memoryview, element: str) -> bytes | memoryview | None:
        """A payload for these raw bytes, or None where this codec is not for such elements. It may be longer than raw."""

    def decode(self, payload: bytes | memoryview, length: int, base: bytes | None) -> bytes | bytearray:
        """The raw bytes, `length` if all is well. Raises CorruptData; never makes more than a few times `length` bytes."""


class _Raw:
    name = "raw"
    needs_base = False

    def encode(self, data: bytes | bytearray | memoryview, element: str) -> bytes | memoryview:
        return data if isinstance(data, bytes) else memoryview(data).cast("B")

    def decode(self, payload: bytes | memoryview, length: int, base: bytes | None) -> bytes:
        return bytes(payload)


class _Zstd:
    name = "zstd"
    needs_base = False

    def encode(self, data: bytes | bytearray | memoryview, element: str) -> bytes | None:
        return write_frame(data, Writer.SYMBOLS if element else Writer.REPEATS)

    def decode(self, payload: bytes | memoryview, length: int, base: bytes | None) -> bytes:
        return read_frame(payload, length)


class _Planes:
    name = "planes"
    needs_base = False

    def encode(self, data: bytes | bytearray | memoryview, element: str) -> bytes | None:
        return encode_planes(data, element)

    def decode(self, payload: bytes | memoryview, length: int, base: bytes | None) -> bytearray:
        return decode_planes(payload, length)


RAW, ZSTD, PLANES = 0, 1, 2
CODECS: Mapping[int, Codec] = {RAW: _Raw(), ZSTD: _Zstd(), PLANES: _Planes()}
RELEASED: frozenset[int] = frozenset(CODECS)


def encode(
    data: bytes | bytearray | memoryview, element: str, allowed: frozenset[int] = RELEASED, name: ChunkId | None = None
) -> EncodedChunk:
    """Code one chunk (1 byte to 16 MiB) of elements of dtype `element` ("": bytes) by an allowed codec; raw always is one.

    `name` is the chunk's name where the caller knows it already. The payload is never longer than `data`.
    """
    data = memoryview(data).cast("B")
    if not 0 < len(data) <= MAX_CHUNK_BYTES:
        raise ValueError(f"a chunk has 1 to {MAX_CHUNK_BYTES} bytes, not {len(data)}")
    codec, payload = _best(data, element, allowed)
    return EncodedChunk(
        name or ChunkId.of(data), codec, 0, None, len(data), payload, xxhash.xxh3_64_intdigest(payload)
    )


def _best(data: memoryview, element: str, allowed: frozenset[int]) -> tuple[int, bytes | memoryview]:
    for codec in (PLANES, ZSTD):
        payload = CODECS[codec].encode(data, element) if codec in allowed else None
        if payload is not None and len(payload) < len(data):
            return codec, payload
    return RAW, data


def decode(chunk: EncodedChunk, base: bytes | None = None) -> bytes | bytearray:
    """The raw bytes of a chunk, their name checked. Raises WrongChunk (or another CorruptData), or UnknownCodec."""
    codec = CODECS.get(chunk.codec)
    if codec is None:
        raise UnknownCodec(
            f"chunk {chunk.name} is coded by codec {chunk.codec}, which this git-lepton does not know",
            "Install a newer git-lepton: pip install --upgrade git-lepton",
        )
    if not 0 < chunk.raw_length <= MAX_CHUNK_BYTES or not 0 < len(chunk.payload) <= chunk.raw_length + MAX_OVERHEAD:
        raise WrongChunk(f"chunk {chunk.name} has lengths that no chunk may have")
    if codec.needs_base != (chunk.base is not None) or codec.needs_base != (base is not None):
        raise WrongChunk(f"chunk {chunk.name} has a base where its codec takes none, or lacks one")
    data = codec.decode(chunk.payload, chunk.raw_length, base)
    if len(data) != chunk.raw_length or ChunkId.of(data) != chunk.name:
        raise WrongChunk(f"what is stored as chunk {chunk.name} is not that chunk")
    return data
