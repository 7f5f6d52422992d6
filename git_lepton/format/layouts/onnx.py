"""The layout of an ONNX model (docs/format.md, section 2.7).

A protobuf message, walked field by field from the front: initializers of the graph, values in attributes, in graphs within them and
in functions. Tensors in files beside the model are cut by content there. Nothing here raises for bad input.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from git_lepton.format.elements import element_of
from git_lepton.format.layout import Region, tensor

if TYPE_CHECKING:
    from git_lepton.format.layout import Ahead

VERSION_TAG = b"\x08"  # the first field of a model: its IR version
SMALL_BYTES = 1024  # a tensor below it stays with what is around it
MAX_FIELDS = 2**20
MAX_DEPTH = 64
MAX_SIZES = 64  # of a shape
MAX_NAME_BYTES = 2**16
MAX_BEFORE_GRAPH = 64 * 1024
_MAX_VERSION = 64
_FLUSH_BYTES = 1024 * 1024  # of what is no tensor: a region of its own, so that little is looked at ahead
_LOOK_BYTES = 64 * 1024
_FIELD_BYTES = 20  # of a field's number and kind, and of its value or length, at most
_VARINT_BYTES = 10

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_WITHIN: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
_DIMS, _DATA_TYPE, _FLOAT_DATA, _NAME, _RAW_DATA, _DOUBLE_DATA = 1, 2, 4, 8, 9, 10
_ELEMENTS = {
    1: "F32",
    2: "U8",
    3: "I8",
    4: "U16",
    5: "I16",
    6: "I32",
    7: "I64",
    9: "BOOL",
    10: "F16",
    11: "F64",
    12: "U32",
    13: "U64",
    14: "C64",
    16: "BF16",
    17: "F8_E4M3",
    18: "F8_E4M3FNUZ",
    19: "F8_E5M2",
    20: "F8_E5M2FNUZ",
    24: "F8_E8M0",
}


class _Field(NamedTuple):
    """`number` and `kind` of a field; `value`: of a varint; `head`: bytes before the content, which has `length` bytes."""

    number: int
    kind: int
    value: int
    head: int
    length: int


class _Level:
    """A message that we are in. Of a tensor, what its fields have said so far; `name` is what it is called before they do."""

    def __init__(self, message: str, end: int | None, name: str = "") -> None:
        self.message, self.end = message, end
        self.sizes: list[int] = []
        self.element = ""
        self.name = name

    def region(self, length: int, element: str) -> Region:
        if element and len(self.sizes) <= MAX_SIZES and prod(self.sizes) * element_of(element).bits == 8 * length:
            return tensor(length, element, self.name, tuple(self.sizes))
        return tensor(length, "", self.name)


def regions(ahead: Ahead) -> Iterator[Region]:
    """Each tensor's data, and what lies before it as bytes."""
    start = bytes(ahead.peek(2))
    if len(start) == 2 and start.startswith(VERSION_TAG) and 0 < start[1] <= _MAX_VERSION:
        yield from _Walk(ahead).regions()


class _Walk:
    """Goes through the message once. `_pending` bytes have been seen and belong to no region yet."""

    def __init__(self, ahead: Ahead) -> None:
        self._ahead = ahead
        self._seen = memoryview(b"")
        self._taken = 0
        self._pending = 0
        self._levels = [_Level("model", None)]
        self._messages = 0

    def regions(self) -> Iterator[Region]:
        for _ in range(MAX_FIELDS):
            self._leave_finished()
            if self._pending >= _FLUSH_BYTES:
                yield self._flush()
            level, field = self._levels[-1], self._field()
            if field is None or not self._fits(level, field):
                return
            self._pending += field.head
            data = self._enter_or_note(level, field)
            if data is not None:
                yield self._flush()
                self._take(data.length)
                yield data

    def _leave_finished(self) -> None:
        while self._levels[-1].end == self._taken + self._pending:
            self._levels.pop()

    def _fits(self, level: _Level, field: _Field) -> bool:
        end = self._taken + self._pending + field.head + field.length
        if level.end is None:  # before the graph, a model says only short things
            return self._taken > 0 or field.number in _WITHIN["model"] or end <= MAX_BEFORE_GRAPH
        return end <= level.end and len(self._levels) <= MAX_DEPTH

    def _enter_or_note(self, level: _Level, field: _Field) -> Region | None:
        """Go into the message that this field holds, or past it; the region of a tensor's data is not passed but given."""
        inner = _WITHIN[level.message].get(field.number) if field.kind == _BYTES else None
        if inner is not None:
            self._messages += 1
            self._levels.append(_Level(inner, self._taken + self._pending + field.length, f"message {self._messages}"))
            return None
        if level.message == "tensor":
            element = {_RAW_DATA: level.element, _FLOAT_DATA: "F32", _DOUBLE_DATA: "F64"}.get(field.number)
            if element is not None and field.kind == _BYTES and field.length >= SMALL_BYTES:
                return level.region(field.length, element)
            self._note(level, field)
        self._pending += field.length
        return None

    def _note(self, level: _Level, field: _Field) -> None:
        if field.number == _DIMS and len(level.sizes) <= MAX_SIZES:
            level.sizes += [field.value] if field.kind == _VARINT else self._packed(field)
        elif field.number == _DATA_TYPE and field.kind == _VARINT:
            level.element = _ELEMENTS.get(field.value, "")
        elif field.number == _NAME and field.kind == _BYTES and field.length <= MAX_NAME_BYTES:
            level.name = self._content(field.length).decode("utf-8", "replace")

    def _packed(self, field: _Field) -> list[int]:
        """The sizes that this field holds one after the other; at most one more than a shape may have."""
        content, position, sizes = self._content(min(field.length, _VARINT_BYTES * MAX_SIZES)), 0, []
        while position < len(content):
            size, position = _varint(content, position)
            if size is None:
                break
            sizes.append(size)
        return sizes

    def _content(self, length: int) -> bytes:
        self._look(length)
        return bytes(self._seen[self._pending : self._pending + length])

    def _field(self) -> _Field | None:
        """The field that comes next; None at the end and where there is none."""
        self._look(_FIELD_BYTES)
        tag, position = _varint(self._seen, self._pending)
        if not tag or tag >> 3 == 0:
            return None
        number, kind, head = tag >> 3, tag & 7, position - self._pending
        if kind in (_FIXED64, _FIXED32):
            return _Field(number, kind, 0, head, 8 if kind == _FIXED64 else 4)
        value, position = _varint(self._seen, position)
        if kind not in (_VARINT, _BYTES) or value is None:
            return None
        return _Field(number, kind, value, position - self._pending, value if kind == _BYTES else 0)

    def _look(self, count: int) -> None:
        """See `count` bytes after those that are pending, where the file has them."""
        if self._pending + count > len(self._seen):
            self._seen = memoryview(b"")  # given back before the next is asked for
            self._seen = self._ahead.peek(self._pending + max(count, _LOOK_BYTES))

    def _flush(self) -> Region:
        length = self._pending
        self._pending = 0
        self._take(length)
        return Region(length)

    def _take(self, length: int) -> None:
        self._taken += length
        self._seen = memoryview(b"")


def _varint(data: memoryview | bytes, position: int) -> tuple[int | None, int]:
    """The number that begins at `position`, and where it ends; None where there is none."""
    value = 0
    for index, byte in enumerate(data[position : position + _VARINT_BYTES]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, position + index + 1
    return None, position
