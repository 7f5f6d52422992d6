"""Encodes and decodes chunks: the one door through which raw bytes become payloads and payloads raw bytes.

A wrong chunk cannot come out of here: `decode` checks the length and the name of what it rebuilt. Everything here is thread
safe and lets other threads run while it works.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import xxhash

from git_lepton.errors import CorruptData, WrongUse
from git_lepton.format.coding.frames import Writer, read_frame, write_frame
from git_lepton.format.coding.memory import reuse_freed_memory
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
        return Record(Kind.CHUNK, self.codec, self.depth, len(self.payload), self.raw_length, self.name, self.base, self.checksum)


class Codec(NamedTuple):
    """A way to code chunks. What one decodes never changes once it is released.

    `encode` gives a payload for raw bytes of a dtype (it may be longer than they are), or None where it has nothing to offer.
    `decode` gives back the raw bytes, whose number it is told; it raises CorruptData and never makes more than a few times as
    many.
    """

    name: str
    encode: Callable[[memoryview, str], bytes | memoryview | None]
    decode: Callable[[memoryview, int], bytes | bytearray]


def _encode_zstd(data: memoryview, element: str) -> bytes:
    return write_frame(data, Writer.SYMBOLS if element else Writer.REPEATS)


RAW, ZSTD, PLANES = 0, 1, 2
CODECS: Mapping[int, Codec] = {
    RAW: Codec("raw", lambda data, _element: data, lambda payload, _length: bytes(payload)),
    ZSTD: Codec("zstd", _encode_zstd, read_frame),
    PLANES: Codec("planes", encode_planes, decode_planes),
}
RELEASED: frozenset[int] = frozenset(CODECS)

reuse_freed_memory()


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
    return EncodedChunk(name or ChunkId.of(data), codec, 0, None, len(data), payload, xxhash.xxh3_64_intdigest(payload))


def _best(data: memoryview, element: str, allowed: frozenset[int]) -> tuple[int, bytes | memoryview]:
    for codec in (PLANES, ZSTD):
        payload = CODECS[codec].encode(data, element) if codec in allowed else None
        if payload is not None and len(payload) < len(data):
            return codec, payload
    return RAW, data


def decode(chunk: EncodedChunk, base: bytes | None = None) -> bytes | bytearray:
    """The raw bytes of a chunk, their name checked. Raises WrongChunk or UnknownCodec."""
    codec = CODECS.get(chunk.codec)
    if codec is None:
        raise UnknownCodec(
            f"chunk {chunk.name} is coded by codec {chunk.codec}, which this git-lepton does not know",
            "Install a newer git-lepton: pip install --upgrade git-lepton",
        )
    if not 0 < chunk.raw_length <= MAX_CHUNK_BYTES or not 0 < len(chunk.payload) <= chunk.raw_length + MAX_OVERHEAD:
        raise WrongChunk(f"chunk {chunk.name} has lengths that no chunk may have")
    if chunk.base is not None or chunk.depth or base is not None:
        raise WrongChunk(f"chunk {chunk.name} has a base, which its codec does not take")
    data = _decoded(codec, chunk)
    if len(data) != chunk.raw_length or ChunkId.of(data) != chunk.name:
        raise WrongChunk(f"what is stored as chunk {chunk.name} is not that chunk")
    return data


def _decoded(codec: Codec, chunk: EncodedChunk) -> bytes | bytearray:
    if chunk.codec == RAW and isinstance(chunk.payload, bytes):
        return chunk.payload  # not copied
    try:
        return codec.decode(memoryview(chunk.payload), chunk.raw_length)
    except CorruptData as error:
        raise WrongChunk(f"the payload of chunk {chunk.name} is damaged: {error.message}") from error
