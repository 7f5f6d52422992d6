"""Streams of bytes, each kept as its counts say: raw, a zstd frame, one value, packed, or as gaps.

zstd codes symbols by a Huffman code, which wastes much where one value is very frequent: it can't go under one bit a symbol. There the
values that are not zero are kept and the gaps between them, and where few values are possible several share a byte
(docs/format.md, section 3.4).
"""

from __future__ import annotations

import struct
from enum import IntEnum
from math import log2
from typing import TYPE_CHECKING

import numpy

from git_lepton.errors import CorruptData
from git_lepton.format.coding.frames import Writer, read_frame, write_frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[numpy.uint8]

_HEAD = struct.Struct("<BII")  # how it is kept, number of values, bytes of data
_SAMPLE = 4096
_NOISE_BITS = 7.9  # of 8 in such a sample, in which noise has 7.955
_FAR = 255  # a gap of so many zeros that no value ends
_MAX_NESTING = 2  # gaps > packed values > overflow
_PRODUCTS = numpy.arange(_SAMPLE + 1) * numpy.log2(numpy.maximum(numpy.arange(_SAMPLE + 1), 1))  # count * log2(count)


class BadDifference(CorruptData):
    """A payload of codec 3 that does not follow the format."""


class Kept(IntEnum):
    """How a stream is kept."""

    RAW = 0
    FRAME = 1
    CONSTANT = 2
    TWO = 3
    FOUR = 4
    GAPS = 5


_TOGETHER = {Kept.TWO: 2, Kept.FOUR: 4}  # values that share a byte
_TOGETHER_IN_GAPS = [(Kept.FOUR, 4)]  # one up and one down are equally frequent there, and nearly all
_TABLE_BITS = {Kept.RAW: 0, Kept.FRAME: 300, Kept.TWO: 700, Kept.FOUR: 2000, Kept.GAPS: 1000}  # of their frames, as seen
# Bits a value for each that shares its byte: codes have at most 11 bits, too few for rare symbols, of which packing makes many.
_PACKING_WASTE = 0.005


def write_stream(values: Bytes, nesting: int = 0) -> bytes:
    """The stream of these values."""
    how = _choose(values, nesting)
    data = values[:1].tobytes() if how is Kept.CONSTANT else b""
    if how is Kept.FRAME:
        data = write_frame(values.data, Writer.SYMBOLS)
    elif how is Kept.GAPS:
        data = _write_gaps(values, nesting)
    elif how in _TOGETHER:
        data = _write_packed(values, _TOGETHER[how])
    if how is Kept.RAW or len(data) > len(values):
        how, data = Kept.RAW, values.tobytes()
    return _HEAD.pack(how, len(values), len(data)) + data


def _choose(values: Bytes, nesting: int) -> Kept:
    """The cheapest way by the counts of a sample."""
    if not len(values):
        return Kept.RAW
    if values[0] == values[-1] and bool((values == values[0]).all()):
        return Kept.CONSTANT
    if nesting == _MAX_NESTING:
        return Kept.FRAME
    sample = values[:: -(-len(values) // _SAMPLE)]
    costs = _costs(numpy.bincount(sample, minlength=256), len(sample), gaps=nesting == 0)
    return min(costs, key=lambda how: costs[how] + _TABLE_BITS[how] / len(values))


def _costs(counts: NDArray[numpy.intp], total: int, *, gaps: bool) -> dict[Kept, float]:
    """About how many bits a value costs, of which `counts` says how often it is among `total`."""
    entropy = log2(total) - float(_PRODUCTS[counts].sum()) / total
    if entropy > _NOISE_BITS:
        return {Kept.RAW: 8.0}
    costs = {Kept.FRAME: entropy + _waste(int(counts.max()) / total)}
    for how, together in _TOGETHER.items() if gaps else _TOGETHER_IN_GAPS:
        limit = (1 << (8 // together)) - 1
        small, over = counts[:limit].tolist(), counts[limit:]
        beyond = total - sum(small)
        top = max(beyond, *small) / total
        costs[how] = entropy + _waste(top**together) / together + _PACKING_WASTE * together
        if beyond:
            costs[how] += beyond / total * _waste(int(over.max()) / beyond)
    values = 1 - int(counts[0]) / total
    if gaps and values < 0.5:
        costs[Kept.GAPS] = entropy + values * 2 * _waste(0)
    return costs


def _waste(top: float) -> float:
    """About how many bits a symbol a Huffman code needs above the entropy, when the most frequent symbol has this share."""
    if top < 0.5:
        return 0.03 + 0.3 * max(0.0, top - 0.3) + 4 * max(0.0, top - 0.4)
    rest = 1 - top
    return 2 - top + top * log2(top) + (rest * log2(rest) if rest > 0 else 0.0)


def _write_packed(values: Bytes, together: int) -> bytes:
    limit = (1 << (8 // together)) - 1
    large = values >= limit
    over = values[numpy.flatnonzero(large)]
    over -= limit
    small = numpy.empty(-(-len(values) // together) * together, numpy.uint8)
    small[: len(values)] = values
    small[len(values) :] = 0
    numpy.copyto(small[: len(values)], limit, where=large)
    return write_stream(_pack(small, together), _MAX_NESTING) + write_stream(over, _MAX_NESTING)


def _pack(small: Bytes, together: int) -> Bytes:
    """So many neighbours in each byte. `small` is the caller's last use of it."""
    if together == 4:
        fours = small.view("<u4")
        fours |= fours >> 6
        fours |= fours >> 12
        return fours.astype(numpy.uint8)
    twos = small.view("<u2")
    twos |= twos >> 4
    return twos.astype(numpy.uint8)


def _unpack(packed: Bytes, together: int) -> Bytes:
    if together == 4:
        fours = packed.astype("<u4")
        fours |= fours << 12
        fours &= 0x000F000F
        fours |= fours << 6
        fours &= 0x03030303
        return fours.view(numpy.uint8)
    twos = packed.astype("<u2")
    twos |= twos << 4
    twos &= 0x0F0F
    return twos.view(numpy.uint8)


def _write_gaps(values: Bytes, nesting: int) -> bytes:
    places = numpy.flatnonzero(values != 0)  # of booleans it takes a quarter of the time
    found = values[places]
    found -= 1
    gaps = numpy.diff(places, prepend=-1)
    gaps -= 1
    if len(gaps) and gaps.max() >= _FAR:
        gaps = _with_far_gaps(gaps, gaps // _FAR)
    return write_stream(gaps.astype(numpy.uint8), _MAX_NESTING) + write_stream(found, nesting + 1)


def _with_far_gaps(gaps: NDArray[numpy.intp], far: NDArray[numpy.intp]) -> NDArray[numpy.intp]:
    """Each gap of 255 or more as so many 255 and what is left of it."""
    result = numpy.full(len(gaps) + int(far.sum()), _FAR)
    result[numpy.cumsum(far + 1) - 1] = gaps - far * _FAR
    return result


class StreamReader:
    """Reads streams one after the other, of no more than `limit` values each. All that it raises is BadDifference or BadFrame."""

    def __init__(self, payload: memoryview, limit: int) -> None:
        self._payload = payload
        self._limit = limit

    @property
    def rest(self) -> memoryview:
        """What follows what was read so far."""
        return self._payload

    def take(self, count: int) -> memoryview:
        """The next `count` bytes."""
        if len(self._payload) < count:
            raise BadDifference("a difference is cut short")
        taken, self._payload = self._payload[:count], self._payload[count:]
        return taken

    def stream(self, count: int | None = None, *, most: int | None = None, nesting: int = 0) -> Bytes:
        """The values of the next stream: `count` where it is given, else at most `most` or the limit."""
        how, found, size = _HEAD.unpack(self.take(_HEAD.size))
        if found > (self._limit if most is None else most) or count not in (None, found) or how > Kept.GAPS:
            raise BadDifference("a difference has a stream with an impossible head")
        data = self.take(size)
        if how <= Kept.CONSTANT:
            return _read_plain(Kept(how), data, found)
        inner = StreamReader(data, found)
        if how == Kept.GAPS and nesting == 0:
            values = inner._gaps(found, nesting)
        elif how in _TOGETHER and nesting < _MAX_NESTING:
            values = inner._packed(found, _TOGETHER[Kept(how)])
        else:
            raise BadDifference("a difference has streams in streams that may not hold them")
        if inner.rest:
            raise BadDifference("a difference has a stream that is too long")
        return values

    def _packed(self, count: int, together: int) -> Bytes:
        packed = self.stream(-(-count // together), nesting=_MAX_NESTING)
        over = self.stream(nesting=_MAX_NESTING)
        values = _unpack(packed, together)[:count]
        places = numpy.flatnonzero(values == (1 << (8 // together)) - 1)
        if len(places) != len(over):
            raise BadDifference("a difference has a packed stream that does not add up")
        values[places] += over
        return values

    def _gaps(self, count: int, nesting: int) -> Bytes:
        gaps = self.stream(nesting=_MAX_NESTING)
        found = self.stream(nesting=nesting + 1)
        steps = gaps + (gaps < _FAR).astype(numpy.intp)
        places = numpy.cumsum(steps)[gaps < _FAR] - 1
        if len(places) != len(found) or (len(places) and places[-1] >= count):
            raise BadDifference("a difference has gaps that do not add up")
        values = numpy.zeros(count, numpy.uint8)
        values[places] = found + numpy.uint8(1)
        return values


def _read_plain(how: Kept, data: memoryview, count: int) -> Bytes:
    if how is Kept.FRAME:
        return numpy.frombuffer(read_frame(data, count), numpy.uint8)
    if len(data) != (count if how is Kept.RAW else 1):
        raise BadDifference("a difference has a stream of an impossible length")
    return numpy.broadcast_to(numpy.frombuffer(data, numpy.uint8), count)
