"""Cuts a file where its tensors are, and by its content where there are none (docs/format.md, section 2).

Cuts are a function of the file's bytes alone, however the source hands them out. Memory is a header (at most 100 MB, and only
as much of it as really comes) and a few pieces.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy

from git_lepton.format.coding.memory import reuse_freed_memory
from git_lepton.format.content_cuts import MAX_BYTES, Cutter
from git_lepton.format.layouts.safetensors import PREFIX_BYTES, Region, header_length, tensor_regions

TENSOR_PIECE_BYTES = 4 * 1024 * 1024
_BUFFER_BYTES = 4 * MAX_BYTES
_READ_BYTES = 1024 * 1024

reuse_freed_memory()


class Source(Protocol):
    """Bytes to read once, from front to back. May give fewer than asked for; 0 only at the end."""

    def readinto(self, buffer: memoryview, /) -> int: ...


class Piece(NamedTuple):
    """One chunk's raw bytes, the consumer's to keep; `element` is their dtype as in docs/format.md, section 3.3, "" for bytes."""

    data: memoryview
    element: str


def pieces(source: Source) -> Iterator[Piece]:
    """The pieces of a file, in order; together they are all of its bytes. Never more memory than header and a few pieces."""
    reader = _Reader(source)
    header, tensors = _layout(reader)
    yield from _by_content(reader, header)
    for tensor in tensors:
        yield from _by_size(reader, tensor)
    yield from _by_content(reader, None)


def _layout(reader: _Reader) -> tuple[int, list[Region]]:
    """The header's length in bytes and the tensors after it; 0 and none for a file that is not certainly safetensors."""
    length = header_length(bytes(reader.ahead(PREFIX_BYTES)))
    if length is not None and reader.ahead(PREFIX_BYTES + 1).endswith(b"{"):
        header = reader.ahead(PREFIX_BYTES + length)
        tensors = tensor_regions(header) if len(header) == PREFIX_BYTES + length else None
        if tensors is not None:
            return len(header), tensors
    return 0, []


def _by_size(reader: _Reader, region: Region) -> Iterator[Piece]:
    left = region.length
    while left:
        data = numpy.empty(min(left, TENSOR_PIECE_BYTES), numpy.uint8).data
        got = reader.fill(data)
        if got:
            yield Piece(data[:got], region.element)
        if got < len(data):
            return
        left -= got


def _by_content(reader: _Reader, length: int | None) -> Iterator[Piece]:
    """Pieces of the next `length` bytes, or of all that is left."""
    cutter = Cutter()
    left = float("inf") if length is None else length
    rest = numpy.empty(0, numpy.uint8)
    while left:
        wanted = int(min(left, _BUFFER_BYTES - len(rest)))
        buffer = numpy.empty(len(rest) + wanted, numpy.uint8)
        buffer[: len(rest)] = rest
        got = reader.fill(buffer[len(rest) :].data)
        left = left - got if got == wanted else 0
        rest = buffer[: len(rest) + got]
        while len(rest) >= MAX_BYTES or (len(rest) and not left):
            size = cutter.first(rest)
            yield Piece(rest[:size].data, "")
            rest = rest[size:]


class _Reader:
    """A source that can be looked at ahead and that gives all that is asked for, but at the end."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._seen = bytearray()  # looked at and not yet taken, from _taken on
        self._taken = 0

    def ahead(self, count: int) -> bytearray:
        """The first `count` bytes (fewer at the end), before any was taken. They stay to be taken."""
        block = memoryview(bytearray(_READ_BYTES))
        while len(self._seen) < count:
            got = self._source.readinto(block[: count - len(self._seen)])
            if not got:
                break
            self._seen += block[:got]
        return self._seen

    def fill(self, data: memoryview) -> int:
        """Take bytes until `data` is full or the source ends. Gives how many."""
        known = min(len(data), len(self._seen) - self._taken)
        data[:known] = memoryview(self._seen)[self._taken : self._taken + known]
        self._taken += known
        if self._taken == len(self._seen):
            self._seen, self._taken = bytearray(), 0
        filled = known
        while filled < len(data):
            got = self._source.readinto(data[filled:])
            if not got:
                break
            filled += got
        return filled
