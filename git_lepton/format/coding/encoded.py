"""Coded chunks as values, and the codecs' numbers: all that storing and sending needs. Nothing that encodes or decodes is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from git_lepton.errors import CorruptData, WrongUse
from git_lepton.format.identifiers import ChunkId
from git_lepton.format.pack import Kind, Record

RAW, ZSTD, PLANES, DIFFERENCE, COLUMNS = 0, 1, 2, 3, 4
RELEASED: frozenset[int] = frozenset([RAW, ZSTD, PLANES, DIFFERENCE, COLUMNS])
"""The codecs that this program reads and writes: `codec` has them."""


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


class Base(NamedTuple):
    """A chunk to code against: its name, how many bases lie below it, its raw bytes and their dtype."""

    name: ChunkId
    depth: int
    data: bytes | bytearray | memoryview
    element: str
