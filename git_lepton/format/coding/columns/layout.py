"""The bytes of a payload of codec 4: what its head says, and where its columns lie (docs/format.md, section 3.5)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import IntEnum
from itertools import accumulate
from typing import NamedTuple

from git_lepton.errors import CorruptData

_HEAD = struct.Struct("<BBBHH")  # flags, columns, bytes of the dtype's name, bytes of a record, bytes before the first record
_COLUMN = struct.Struct("<HBI")  # bytes in a record, how it is kept, bytes that it takes
_SIGN, _MAP = 1, 2
_MOST_COLUMNS, _LONGEST_NAME, _LARGEST_RECORD = 32, 32, 4096
_WORDS = (1, 2, 4, 8)


class BadColumns(CorruptData):
    """A payload of codec 4 that does not follow the format."""


class Kept(IntEnum):
    """How a column is kept."""

    RAW = 0
    FRAME = 1
    CONSTANT = 2


class Column(NamedTuple):
    """A column as it is kept; `width` is what it has of every record, in bytes."""

    width: int
    how: Kept
    data: bytes | memoryview


class Layout(NamedTuple):
    """A payload. `full`, if there, is the map of the records that are kept: a bit for each; those left out are zero."""

    element: str
    record: int
    sign: bool
    before: bytes | memoryview
    full: Column | None
    columns: Sequence[Column]
    after: bytes | memoryview

    @property
    def kept(self) -> Sequence[Column]:
        """The columns, and the map before them."""
        return self.columns if self.full is None else [self.full, *self.columns]

    @property
    def are_words(self) -> bool:
        """Whether a record is a word, and each column of 1, 2 or 4 bytes begins in it at a multiple of its width."""
        starts = accumulate((column.width for column in self.columns), initial=0)
        fits = all(
            column.width in _WORDS[:3] and start % column.width == 0 for column, start in zip(self.columns, starts, strict=False)
        )
        return self.record in _WORDS and fits

    @property
    def size(self) -> int:
        """Bytes of the payload."""
        head = _HEAD.size + len(self.element) + _COLUMN.size * len(self.kept)
        return head + sum(len(column.data) for column in self.kept) + len(self.before) + len(self.after)

    def encode(self) -> bytes:
        """The payload."""
        name = self.element.encode("ascii")
        flags = (_SIGN if self.sign else 0) | (_MAP if self.full else 0)
        head = _HEAD.pack(flags, len(self.columns), len(name), self.record, len(self.before))
        table = [_COLUMN.pack(column.width, column.how, len(column.data)) for column in self.kept]
        return b"".join([head, name, *table, self.before, *(column.data for column in self.kept), self.after])


def element_of_layout(payload: memoryview) -> str:
    """The dtype that a payload says that it was made of, "" for none. Raises BadColumns."""
    if len(payload) < _HEAD.size:
        raise BadColumns("a chunk of columns is shorter than its head")
    size = _HEAD.unpack_from(payload)[2]
    name = bytes(payload[_HEAD.size : _HEAD.size + size])
    if len(name) != size or size > _LONGEST_NAME or not name.isascii():
        raise BadColumns("a chunk of columns has no sound name of a dtype")
    return name.decode("ascii")


def parse_layout(payload: memoryview, length: int) -> Layout:
    """What a payload for `length` bytes holds; columns still as they are kept. Raises BadColumns."""
    element = element_of_layout(payload)
    flags, number, _, record, phase = _HEAD.unpack_from(payload)
    if flags & ~(_SIGN | _MAP) or not (0 < number <= _MOST_COLUMNS and 0 < record <= _LARGEST_RECORD and phase < record):
        raise BadColumns("a chunk of columns has no sound head")
    if length < phase + record:
        raise BadColumns("a chunk of columns is too short for a record")
    columns, before, after = _columns(payload, _HEAD.size + len(element), number + bool(flags & _MAP), phase)
    full = columns.pop(0) if flags & _MAP else None
    layout = Layout(element, record, bool(flags & _SIGN), before, full, columns, after)
    if len(after) != (length - phase) % record:
        raise BadColumns("a chunk of columns is cut short or too long")
    _check(layout)
    return layout


def _columns(payload: memoryview, at: int, number: int, phase: int) -> tuple[list[Column], memoryview, memoryview]:
    """The map and the columns, the bytes before the first record, and those after the last."""
    start = at + number * _COLUMN.size
    if len(payload) < start + phase:
        raise BadColumns("a chunk of columns is cut short in its head")
    before, data, columns = payload[start : start + phase], start + phase, []
    for width, how, size in _COLUMN.iter_unpack(payload[at:start]):
        if how not in (Kept.RAW, Kept.FRAME, Kept.CONSTANT):
            raise BadColumns(f"a chunk has a column of kind {how}, which is unknown")
        columns.append(Column(width, Kept(how), payload[data : data + size]))
        data += size
    if data > len(payload):
        raise BadColumns("a chunk of columns is cut short")
    return columns, before, payload[data:]


def _check(layout: Layout) -> None:
    widths = [column.width for column in layout.columns]
    if 0 in widths or sum(widths) != layout.record:
        raise BadColumns("the columns of a chunk do not make up its records")
    if layout.full is not None and (layout.full.width != 1 or layout.full.how is Kept.CONSTANT):
        raise BadColumns("a chunk of columns has no sound map of its records")
    if layout.sign and not (layout.are_words and layout.record > 1 and widths[-2:] == [1, 1]):
        raise BadColumns("a chunk has signs moved in what is no word with two upper bytes")
