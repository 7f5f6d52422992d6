"""Codec 3: a chunk as the difference to a base chunk, number by number (docs/format.md, section 3.4).

Training moves weights by amounts that have little to do with their size. In units of the last place that is much for a small
weight and nothing for a large one; how much is to be expected follows from the base's exponent and from how much the neighbours
moved. Differences are grouped by that, and each group is coded for itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy

from git_lepton.format.coding.difference.groups import BLOCK, SEGMENT, UNCHANGED, blocks
from git_lepton.format.coding.difference.levels import levels_of
from git_lepton.format.coding.difference.numbers import (
    NAMES,
    NUMBERS,
    UNSIGNED,
    Number,
    apply_differences,
    base_words,
    comparable,
    differences,
    exponents,
)
from git_lepton.format.coding.difference.planes import PlaneReader, write_planes
from git_lepton.format.coding.difference.streams import BadDifference, StreamReader, write_stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[numpy.uint8]
    Words = NDArray[numpy.unsignedinteger[Any]]

MAX_WORDS = 1 << 22  # of a chunk: the work of grouping takes many times the memory of a small word
_HEAD_BYTES = 2  # dtype of the target, of the base


def encode_difference(data: memoryview, element: str, base: memoryview, base_element: str) -> bytes | None:
    """The payload for `data` against `base`, or None where their dtypes can't be compared, or for no words or too many."""
    if not comparable(base_element, element):
        return None
    number = NUMBERS[element]
    count = len(data) // number.word
    if not 0 < count <= MAX_WORDS:
        return None
    target = _whole_segments(numpy.frombuffer(data, UNSIGNED[number.word], count))
    changes, powers = _compared(target, base_words(base, base_element, element, len(target)), number)
    levels = levels_of(changes, powers)
    parts = [bytes([number.code, NUMBERS[base_element].code]), write_stream(levels)]
    rows = numpy.flatnonzero(levels != UNCHANGED)
    if len(rows) == len(levels):
        parts.append(write_planes(changes, powers, levels))
    elif len(rows):
        parts.append(write_planes(changes[rows], powers[rows], levels[rows]))
    return b"".join([*parts, data[count * number.word :]])


def _whole_segments(words: Words) -> Words:
    """The words, with zeros after them to the end of a segment."""
    missing = -len(words) % SEGMENT
    return numpy.concatenate([words, numpy.zeros(missing, words.dtype)]) if missing else words


def _compared(target: Words, base: Words, number: Number) -> tuple[Words, Bytes]:
    """The difference of each word and the exponent of its base; shapes (segments, SEGMENT)."""
    changes, powers = numpy.empty_like(base), numpy.empty(len(base), numpy.uint8)
    for start in range(0, len(base), BLOCK * SEGMENT):
        part = slice(start, start + BLOCK * SEGMENT)
        differences(target[part], base[part], changes[part])
        powers[part] = exponents(base[part], number)
    return changes.reshape(-1, SEGMENT), powers.reshape(-1, SEGMENT)


def decode_difference(payload: memoryview, length: int, base: memoryview) -> bytearray:
    """The `length` bytes that this payload stands for. Raises BadDifference or BadFrame; memory is a few times `length`."""
    element, base_element = _elements(payload)
    number = NUMBERS[element]
    count = length // number.word
    if not 0 < count <= MAX_WORDS:
        raise BadDifference("a difference is of no words, or of too many")
    segments = -(-count // SEGMENT)
    reader = StreamReader(payload[_HEAD_BYTES:], segments * SEGMENT)
    levels = reader.stream(segments)
    words = bytearray(segments * SEGMENT * number.word)
    result = numpy.frombuffer(words, UNSIGNED[number.word])
    old = base_words(base, base_element, element, len(result))
    _change(result.reshape(-1, SEGMENT), old.reshape(-1, SEGMENT), levels, reader, number)
    if len(reader.rest) != length % number.word:
        raise BadDifference("a difference is cut short or too long")
    del result
    words[count * number.word :] = reader.rest
    return words


def _change(result: Words, base: Words, levels: Bytes, reader: StreamReader, number: Number) -> None:
    """Fill `result` with the base and the differences to it. Shapes: (segments, SEGMENT) twice, (segments)."""
    rows: NDArray[numpy.intp] | None = None
    count = int(numpy.count_nonzero(levels != UNCHANGED))
    if count < len(levels):
        rows = numpy.flatnonzero(levels != UNCHANGED)
        result[:] = base
    planes = PlaneReader(reader, count, base.dtype) if count else None
    for part in blocks(count):
        assert planes is not None
        where = part if rows is None else rows[part]
        old = base[where]
        changes = planes.block(part, exponents(old.reshape(-1), number).reshape(-1, SEGMENT), levels[where])
        result[where] = apply_differences(changes.reshape(-1, SEGMENT), old)


def element_of_difference(payload: memoryview) -> str:
    """The dtype of the chunk. Raises BadDifference."""
    return _elements(payload)[0]


def _elements(payload: memoryview) -> tuple[str, str]:
    """The dtypes of the chunk and of its base."""
    target, base = (NAMES.get(code, "") for code in bytes(payload[:_HEAD_BYTES]).ljust(_HEAD_BYTES, b"\0"))
    if not comparable(base, target):
        raise BadDifference("a difference has no sound head")
    return target, base
