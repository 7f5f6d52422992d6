"""Splits words into columns of bytes and merges them again.

A column is one, two or four neighbouring bytes of every word; a byte plane is a column of one. With `sign`, the words are floats:
before they are split, their top nine bits s eeeeeeee become eeeeeeee s, so that the (upper) exponent bits have the highest plane
for themselves.

All work is done in blocks that fit the processor's cache, and in memory that a thread uses again from chunk to chunk: fresh memory
costs more than the work that is done in it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[numpy.uint8]
    Words = NDArray[numpy.unsignedinteger[Any]]

SIZES = (2, 4, 8)  # of a word, in bytes
UNSIGNED: dict[int, numpy.dtype[Any]] = {size: numpy.dtype(f"<u{size}") for size in (1, 2, 4, 8)}
_SIGNED: dict[int, numpy.dtype[Any]] = {size: numpy.dtype(f"<i{size}") for size in SIZES}
_TOP_AND_LOW_7 = numpy.int16(0x807F - 0x10000)
_BLOCK_BYTES = 256 * 1024  # worked on at a time, with as much again beside it


class _Scratch(threading.local):
    """Memory for the columns of a chunk, and for what lies between a block of words and its columns."""

    def __init__(self) -> None:
        self._columns = numpy.empty(0, numpy.uint8)
        self._blocks = numpy.empty((5, _BLOCK_BYTES), numpy.uint8)

    def columns(self, count: int) -> Bytes:
        if len(self._columns) < count:
            self._columns = numpy.empty(count, numpy.uint8)
        return self._columns[:count]

    def signs(self, size: int, count: int) -> Words:
        """Room for what becomes of the signs of `count` words, `size` bytes each."""
        row: Words = self._blocks[0].view(UNSIGNED[size])[:count]
        return row

    def halves(self, size: int, count: int, side: int) -> Words:
        """Room for the lower (0) or the upper (1) halves of `count` words; a half has `size` bytes, 2 or 4 (1: nothing is kept)."""
        row: Words = self._blocks[size // 2 * 2 - 1 + side].view(UNSIGNED[size])[:count]
        return row


_scratch = _Scratch()


def split(words: memoryview, size: int, *, sign: bool) -> Bytes:
    """The byte planes of words, lowest first; shape (size, number of words). The thread's next split reuses them."""
    columns = split_columns(numpy.frombuffer(words, UNSIGNED[size]), (1,) * size, sign=sign)
    return _scratch.columns(words.nbytes).reshape(len(columns), -1)


def split_columns(values: Words, widths: Sequence[int], *, sign: bool) -> list[Words]:
    """The columns of these widths (1, 2 or 4 bytes; each begins at a multiple of itself), lowest first.

    With `sign`, the upper two have a width of 1. The thread's next split reuses their memory.
    """
    count, size = len(values), values.itemsize
    memory, columns, start = _scratch.columns(values.nbytes), [], 0
    for width in widths:
        columns.append(memory[start : start + width * count].view(UNSIGNED[width]))
        start += width * count
    step = _BLOCK_BYTES // size
    for start in range(0, count, step):
        _split_block(values[start : start + step], [column[start : start + step] for column in columns], sign)
    return columns


def _split_block(values: Words, columns: list[Words], sign: bool) -> None:
    size = values.itemsize
    if len(columns) == 1:
        numpy.copyto(columns[0], values)
    elif size == 2:
        _split_pairs(values, columns[0], columns[1], sign)
    else:
        lower = _columns_of(columns, size // 2)
        for side, part in enumerate((columns[:lower], columns[lower:])):
            half = part[0] if len(part) == 1 else _scratch.halves(size // 2, len(values), 0)
            if side == 0:
                numpy.copyto(half, values, casting="unsafe")
            else:
                numpy.right_shift(values, 4 * size, out=half, casting="unsafe")
            if len(part) > 1:
                _split_block(half, part, sign and side == 1)


def _split_pairs(values: Words, low: Words, high: Words, sign: bool) -> None:
    numpy.copyto(low, values, casting="unsafe")
    numpy.right_shift(values, 7 if sign else 8, out=high, casting="unsafe")
    if sign:
        negative = _scratch.signs(1, len(values))
        numpy.less(values.view(_SIGNED[2]), 0, out=negative.view(numpy.bool_))
        numpy.multiply(negative, 0x80, out=negative)
        numpy.bitwise_and(low, 0x7F, out=low)
        numpy.bitwise_or(low, negative, out=low)


def _columns_of(columns: Sequence[Words | int], size: int, widths: Sequence[int] = ()) -> int:
    """How many of the columns, from the lowest, make up `size` bytes."""
    number = total = 0
    while total < size:
        column = columns[number]
        total += widths[number] if isinstance(column, int) else column.itemsize
        number += 1
    return number


def merge(planes: Sequence[Bytes], words: memoryview, *, sign: bool) -> None:
    """Fill `words` with the words that `split` made these planes of."""
    merge_columns(planes, (1,) * len(planes), numpy.frombuffer(words, UNSIGNED[len(planes)]), sign=sign)


def merge_columns(columns: Sequence[Words | int], widths: Sequence[int], values: Words, *, sign: bool) -> None:
    """Fill `values` with the words that `split_columns` made these columns of; an int stands for a column of equal parts."""
    step = _BLOCK_BYTES // values.itemsize
    for start in range(0, len(values), step):
        block = values[start : start + step]
        parts = [column if isinstance(column, int) else column[start : start + step] for column in columns]
        joined = _join(parts, widths, values.itemsize, sign, block)
        if joined is not block:
            block[:] = joined


def _join(columns: list[Words | int], widths: Sequence[int], size: int, sign: bool, out: Words) -> Words | int:
    """The parts of `size` bytes that these columns make up: in `out`, or as they came, or an int where all are equal."""
    if len(columns) == 1:
        return columns[0]
    half = size // 2
    number = _columns_of(columns, half, widths)
    pairs = sign and size == 2  # these are s mmmmmmm and eeeeeeee
    lower, upper = (_scratch.halves(half, len(out), side) for side in (0, 1))
    low = _join(columns[:number], widths[:number], half, False, lower)
    high = _join(columns[number:], widths[number:], half, sign and not pairs, upper)
    if pairs:
        low = _sign_and_mantissa(low, len(out))
    shift = 7 if pairs else 8 * half
    if isinstance(high, int):
        if isinstance(low, int):
            return high << shift | low
        numpy.bitwise_or(low, high << shift, out=out, dtype=UNSIGNED[size])
        return out
    numpy.multiply(high, 1 << shift, out=out, dtype=UNSIGNED[size])
    if not isinstance(low, int) or low:
        numpy.bitwise_or(out, low, out=out)
    return out


def _sign_and_mantissa(low: Words | int, count: int) -> Words | int:
    """Of s mmmmmmm, s 00000000 mmmmmmm: widened as a signed number it has s in all of its upper bits."""
    if isinstance(low, int):
        return (low & 0x80) << 8 | low & 0x7F
    wide = _scratch.signs(2, count)
    numpy.bitwise_and(low.view(numpy.int8), _TOP_AND_LOW_7, out=wide.view(numpy.int16), dtype=numpy.int16)
    return wide
