"""Cuts a file where its tensors are, and by its content where there are none (docs/format.md, section 2).

Cuts are a function of the file's bytes alone, however the source hands them out. Memory is a header (at most 100 MB, and only
as much of it as really comes) and a few pieces.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from git_lepton.format.coding.memory import reuse_freed_memory
from git_lepton.format.content_cuts import MAX_BYTES, MIN_BYTES, Cutter
from git_lepton.format.layout import Region, regions

_BUFFER_BYTES = 4 * MAX_BYTES
_READ_BYTES = 1024 * 1024

reuse_freed_memory()


class Source(Protocol):
    """Bytes to read once, from front to back. May give fewer than asked for; 0 only at the end."""

    def readinto(self, buffer: memoryview, /) -> int: ...


class Piece(NamedTuple):
    """One chunk's raw bytes, the consumer's to keep, and where they are: `offset` bytes from the beginning of `region`."""

    data: memoryview
    region: Region
    offset: int

    @property
    def element(self) -> str:
        """The dtype as in docs/format.md, section 3.3, "" for bytes."""
        return self.region.element


def pieces(source: Source) -> Iterator[Piece]:
    """The pieces of a file, in order; together they are all of its bytes. Never more memory than header and a few pieces."""
    reader = _Reader(source)
    for region in regions(reader):
        if region.piece:
            yield from _by_size(reader, region, region.piece)
        elif region.length < MIN_BYTES:  # too short for a cut
            yield from _by_size(reader, region, region.length)
        else:
            yield from _by_content(reader, region)


def _by_size(reader: _Reader, region: Region, size: int) -> Iterator[Piece]:
    offset = 0
    while offset < region.length:
        data = _room(min(region.length - offset, size))
        got = reader.fill(data)
        if got:
            yield Piece(data[:got], region, offset)
        if got < len(data):
            return
        offset += got


def _room(size: int) -> memoryview:
    """Memory for so many bytes; clearing much of it first would take longer than loading numpy, which does not."""
    if size < MIN_BYTES:
        return memoryview(bytearray(size))
    import numpy

    return numpy.empty(size, numpy.uint8).data


def _by_content(reader: _Reader, region: Region) -> Iterator[Piece]:
    import numpy

    cutter = Cutter()
    left, offset = region.length, 0
    rest = numpy.empty(0, numpy.uint8)
    while left:
        wanted = min(left, _BUFFER_BYTES - len(rest))
        buffer = numpy.empty(len(rest) + wanted, numpy.uint8)
        buffer[: len(rest)] = rest
        got = reader.fill(buffer[len(rest) :].data)
        left = left - got if got == wanted else 0
        rest = buffer[: len(rest) + got]
        while len(rest) >= MAX_BYTES or (len(rest) and not left):
            size = cutter.first(rest)
            yield Piece(rest[:size].data, region, offset)
            rest, offset = rest[size:], offset + size


class _Reader:
    """A source that can be looked at ahead and that gives all that is asked for, but at the end."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._seen = bytearray()  # looked at and not yet taken, from _taken on
        self._taken = 0

    def peek(self, count: int, /) -> memoryview:
        """The next `count` bytes (fewer at the end), which stay to be taken."""
        missing = self._taken + count - len(self._seen)
        if missing > 0:
            self._look_ahead(missing)
        return memoryview(self._seen).toreadonly()[self._taken : self._taken + count]

    def _look_ahead(self, missing: int) -> None:
        block = memoryview(bytearray(min(missing, _READ_BYTES)))
        while missing > 0:
            got = self._source.readinto(block[:missing])
            if not got:
                break
            self._keep(block[:got])
            missing -= got

    def _keep(self, data: memoryview) -> None:
        """Put these bytes behind those that were looked at and not taken; in place, unless somebody still has a view of them."""
        try:
            self._seen += data
            del self._seen[: self._taken]
        except BufferError:
            self._seen = self._seen[self._taken :] + data
        self._taken = 0

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
