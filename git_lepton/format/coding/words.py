"""Splits words into byte planes and merges them again.

With `sign`, the words are floats: before they are split, their top nine bits s eeeeeeee become eeeeeeee s, so that the (upper)
exponent bits have the highest plane for themselves.
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
_UNSIGNED: dict[int, numpy.dtype[Any]] = {2: numpy.dtype("<u2"), 4: numpy.dtype("<u4"), 8: numpy.dtype("<u8")}
_SIGNED: dict[int, numpy.dtype[Any]] = {2: numpy.dtype("<i2"), 4: numpy.dtype("<i4"), 8: numpy.dtype("<i8")}
_TOP_AND_LOW_7 = numpy.int16(0x807F - 0x10000)
_BLOCK_BYTES = 512 * 1024  # worked on at a time: fits the processor's cache, and is large enough that threads seldom wait


class _Memory(threading.local):
    """Memory that a thread uses again from chunk to chunk: fresh memory costs more than the work that is done in it."""

    def __init__(self) -> None:
        self._planes = numpy.empty(0, numpy.uint8)

    def planes(self, word: int, count: int) -> Bytes:
        if len(self._planes) < word * count:
            self._planes = numpy.empty(word * count, numpy.uint8)
        return self._planes[: word * count].reshape(word, count)


_memory = _Memory()


def split(words: memoryview, size: int, *, sign: bool) -> Bytes:
    """The planes of words of `size` bytes, lowest first; shape (size, number of words). The thread's next split reuses them."""
    values: Words = numpy.frombuffer(words, _UNSIGNED[size])
    planes = _memory.planes(size, len(values))
    step = _BLOCK_BYTES // size
    for start in range(0, len(values), step):
        _split_block(values[start : start + step], planes[:, start : start + step], sign)
    return planes


def _split_block(values: Words, planes: Bytes, sign: bool) -> None:
    size = len(planes)
    numpy.copyto(planes[0], values, casting="unsafe")
    for index in range(1, size):
        shift = 8 * index - (1 if sign and index == size - 1 else 0)
        numpy.right_shift(values, shift, out=planes[index], casting="unsafe")
    if sign:
        negative = (values.view(_SIGNED[size]) < 0).view(numpy.uint8)
        negative *= 0x80
        planes[-2] &= 0x7F
        planes[-2] |= negative


def merge(planes: Sequence[Bytes], words: memoryview, *, sign: bool) -> None:
    """Fill `words` with the words that `split` made these planes of."""
    values: Words = numpy.frombuffer(words, _UNSIGNED[len(planes)])
    step = _BLOCK_BYTES // len(planes)
    for start in range(0, len(values), step):
        _join([plane[start : start + step] for plane in planes], sign, values[start : start + step])


def _join(planes: Sequence[Bytes], sign: bool, out: Words | None = None) -> Words:
    if len(planes) == 1:
        return planes[0]
    half = len(planes) // 2
    floats = sign and half == 1  # here the planes are s mmmmmmm and eeeeeeee
    low, high = _join(planes[:half], False), _join(planes[half:], sign and not floats)
    wide: Words = numpy.multiply(high, 1 << (7 if floats else 8 * half), out=out, dtype=_UNSIGNED[len(planes)])
    if floats:  # widened as a signed number, s mmmmmmm has s in all of its upper bits
        low = numpy.bitwise_and(low.view(numpy.int8), _TOP_AND_LOW_7, dtype=numpy.int16).view(numpy.uint16)
    wide |= low
    return wide
