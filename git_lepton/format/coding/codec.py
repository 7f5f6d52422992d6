"""Encodes and decodes chunks: the one door through which raw bytes become payloads and payloads raw bytes.

A wrong chunk cannot come out of here: `decode` checks the length and the name of what it rebuilt. Everything here is thread
safe and lets other threads run while it works.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import xxhash

from git_lepton.errors import CorruptData
from git_lepton.format.coding.columns.codec import decode_columns, encode_columns
from git_lepton.format.coding.columns.layout import element_of_layout
from git_lepton.format.coding.difference.codec import decode_difference, element_of_difference, encode_difference
from git_lepton.format.coding.encoded import (
    COLUMNS,
    DIFFERENCE,
    PLANES,
    RAW,
    RELEASED,
    ZSTD,
    Base,
    EncodedChunk,
    UnknownCodec,
    WrongChunk,
)
from git_lepton.format.coding.frames import Writer, read_frame, smaller_writer, write_frame
from git_lepton.format.coding.memory import reuse_freed_memory
from git_lepton.format.coding.planes import decode_planes, encode_planes
from git_lepton.format.identifiers import ChunkId
from git_lepton.format.manifest import MAX_CHUNK_BYTES
from git_lepton.format.pack import MAX_DEPTH

MAX_OVERHEAD = 64  # a payload is at most that much longer than the raw bytes
_SAMPLES, _SAMPLE_BYTES = 4, 16 * 1024  # coded alone, to guess what all of a chunk would take
_CLEARLY = 0.75
# The first byte of a payload of planes, and a dtype of which such planes are made.
_PLANES_OF = {b"\x02": "I16", b"\x82": "BF16", b"\x04": "I32", b"\x84": "F32", b"\x08": "I64", b"\x88": "F64"}


class Codec(NamedTuple):
    """A way to code chunks that has no base. What one decodes never changes once it is released.

    `encode` gives a payload for raw bytes of a dtype (it may be longer than they are), or None where it has nothing to offer.
    `decode` gives back the raw bytes, whose number it is told; it raises CorruptData and never makes more than a few times as
    many.
    """

    name: str
    encode: Callable[[memoryview, str], bytes | memoryview | None]
    decode: Callable[[memoryview, int], bytes | bytearray]


def _encode_zstd(data: memoryview, element: str) -> bytes:
    return write_frame(data, smaller_writer(data) if element else Writer.REPEATS)


CODECS: Mapping[int, Codec] = {
    RAW: Codec("raw", lambda data, _element: data, lambda payload, _length: bytes(payload)),
    ZSTD: Codec("zstd", _encode_zstd, read_frame),
    PLANES: Codec("planes", encode_planes, decode_planes),
    COLUMNS: Codec("columns", encode_columns, decode_columns),
}

reuse_freed_memory()


def encode(
    data: bytes | bytearray | memoryview,
    element: str,
    allowed: frozenset[int] = RELEASED,
    name: ChunkId | None = None,
    base: Base | None = None,
) -> EncodedChunk:
    """Code one chunk (1 byte to 16 MiB) of elements of dtype `element` ("": bytes) by an allowed codec; raw always is one.

    Against `base` where that is smaller and `base.depth` allows one more, else solo. `name` is the chunk's name where the caller
    knows it already. The payload is never longer than `data`.
    """
    data = memoryview(data).cast("B")
    if not 0 < len(data) <= MAX_CHUNK_BYTES:
        raise ValueError(f"a chunk has 1 to {MAX_CHUNK_BYTES} bytes, not {len(data)}")
    name = name or ChunkId.of(data)
    if base is not None and DIFFERENCE in allowed and base.depth < MAX_DEPTH and base.name != name:
        against = _against(base, data, element, allowed)
        if against is not None:
            check = xxhash.xxh3_64_intdigest(against)
            return EncodedChunk(name, DIFFERENCE, base.depth + 1, base.name, len(data), against, check)
    codec, payload = _best(data, element, allowed)
    return EncodedChunk(name, codec, 0, None, len(data), payload, xxhash.xxh3_64_intdigest(payload))


def _against(base: Base, data: memoryview, element: str, allowed: frozenset[int]) -> bytes | None:
    """The difference to `base`, or None where coding the data alone is as good."""
    payload = encode_difference(data, element, memoryview(base.data).cast("B"), base.element)
    if payload is None or len(payload) >= len(data):
        return None
    pieces = [data[at : at + _SAMPLE_BYTES] for at in range(0, len(data), max(_SAMPLE_BYTES, len(data) // _SAMPLES // 8 * 8))]
    alone = sum(len(_best(piece, element, allowed)[1]) for piece in pieces) * len(data) / sum(map(len, pieces))
    if len(payload) < _CLEARLY * alone or len(payload) < len(_best(data, element, allowed)[1]):
        return payload
    return None


def _best(data: memoryview, element: str, allowed: frozenset[int]) -> tuple[int, bytes | memoryview]:
    for codec in (COLUMNS if COLUMNS in allowed else PLANES, ZSTD):
        payload = CODECS[codec].encode(data, element) if codec in allowed else None
        if payload is not None and len(payload) < len(data):
            return codec, payload
    return RAW, data


def decode(chunk: EncodedChunk, base: bytes | bytearray | memoryview | None = None) -> bytes | bytearray:
    """The raw bytes of a chunk (those of its base are `base`), their name checked. Raises WrongChunk or UnknownCodec."""
    if chunk.codec not in RELEASED:
        raise UnknownCodec(
            f"chunk {chunk.name} is coded by codec {chunk.codec}, which this git-lepton does not know",
            "Install a newer git-lepton: pip install --upgrade git-lepton",
        )
    if not 0 < chunk.raw_length <= MAX_CHUNK_BYTES or not 0 < len(chunk.payload) <= chunk.raw_length + MAX_OVERHEAD:
        raise WrongChunk(f"chunk {chunk.name} has lengths that no chunk may have")
    data = _decoded(chunk, base)
    if len(data) != chunk.raw_length or ChunkId.of(data) != chunk.name:
        raise WrongChunk(f"what is stored as chunk {chunk.name} is not that chunk")
    return data


def _decoded(chunk: EncodedChunk, base: bytes | bytearray | memoryview | None) -> bytes | bytearray:
    payload = memoryview(chunk.payload)
    try:
        if chunk.codec == DIFFERENCE:
            if chunk.base is None or not 0 < chunk.depth <= MAX_DEPTH or base is None:
                raise WrongChunk(f"chunk {chunk.name} needs a base and has none")
            return decode_difference(payload, chunk.raw_length, memoryview(base).cast("B"))
        if chunk.base is not None or chunk.depth or base is not None:
            raise WrongChunk(f"chunk {chunk.name} has a base, which its codec does not take")
        if chunk.codec == RAW and isinstance(chunk.payload, bytes):
            return chunk.payload  # not copied
        return CODECS[chunk.codec].decode(payload, chunk.raw_length)
    except WrongChunk:
        raise
    except CorruptData as error:
        raise WrongChunk(f"the payload of chunk {chunk.name} is damaged: {error.message}") from error


def element_of_chunk(chunk: EncodedChunk) -> str:
    """The dtype that the chunk's payload was coded as ("" where it does not say), to code it anew. Raises CorruptData."""
    if chunk.codec == DIFFERENCE:
        return element_of_difference(memoryview(chunk.payload))
    if chunk.codec == COLUMNS:
        return element_of_layout(memoryview(chunk.payload))
    return _PLANES_OF.get(bytes(chunk.payload[:1]), "") if chunk.codec == PLANES else ""
