"""The layout of a GGUF file of version 2 or 3 (docs/format.md, section 2.4).

The header is walked field by field and never kept as objects, but for one short entry a tensor. What is not certainly sound has
no layout; nothing here raises for bad input, and big-endian files are left to the cuts by content.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from git_lepton.format.layout import PIECE_ELEMENTS, Doubt, Region, piece_bytes

if TYPE_CHECKING:
    from git_lepton.format.layout import Ahead

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MAX_HEADER_BYTES = 64 * 1024 * 1024
MAX_PAIRS = 2**14  # of key and value
MAX_TEXTS = 2**21  # in all arrays together; the largest vocabularies have some 2^19 texts and as many merges
MAX_TENSORS = 2**15
MAX_DIMENSIONS = 4
MAX_NAME_BYTES = 1024
MAX_KEY_BYTES = 2**16 - 1
MAX_ALIGNMENT = 2**20
_MAX_SIZE = 2**63 - 1
_FIRST_LOOK = 64 * 1024

_U32, _U64, _HEAD = struct.Struct("<I"), struct.Struct("<Q"), struct.Struct("<4sIQQ")
_INFO = struct.Struct("<IQ")  # a tensor's type, its offset
_TEXT, _ARRAY = 8, 9
_VALUE_BYTES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}


class _Kind(NamedTuple):
    """A tensor's type: the dtype of its elements, and how many elements in how many bytes are stored as a whole."""

    element: str
    block: int
    size: int


_PLAIN = {
    0: ("F32", 4),
    1: ("F16", 2),
    24: ("I8", 1),
    25: ("I16", 2),
    26: ("I32", 4),
    27: ("I64", 8),
    28: ("F64", 8),
    30: ("BF16", 2),
}
_QUANTIZED = {
    2: ("Q4_0", 32, 18),
    3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34),
    10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
    16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74),
    18: ("IQ3_XXS", 256, 98),
    19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18),
    21: ("IQ3_S", 256, 110),
    22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136),
    29: ("IQ1_M", 256, 56),
    34: ("TQ1_0", 256, 54),
    35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17),
    40: ("NVFP4", 64, 36),
}
KINDS = {
    **{number: _Kind(element, 1, size) for number, (element, size) in _PLAIN.items()},
    **{number: _Kind(f"GGUF_{name}", block, size) for number, (name, block, size) in _QUANTIZED.items()},
}


class _Tensor(NamedTuple):
    offset: int
    length: int | None  # None: of an unknown type, up to the next tensor
    kind: _Kind
    shape: tuple[int, ...]
    name: str


def regions(ahead: Ahead) -> Iterator[Region]:
    """The header, then each tensor in the order of the data, with what is between them as bytes. Raises Doubt before any."""
    end, alignment, tensors = _Header(ahead).read()
    tensors = _placed(tensors, alignment)
    yield Region(-(-end // alignment) * alignment)
    position = 0
    for tensor in tensors:
        if tensor.offset > position:
            yield Region(tensor.offset - position)
        if tensor.length is None:  # the last, of an unknown type
            return
        if tensor.length:
            yield Region(tensor.length, tensor.kind.element, _piece(tensor.kind), tensor.name, tensor.shape)
        position = tensor.offset + tensor.length


def _placed(tensors: list[_Tensor], alignment: int) -> list[_Tensor]:
    """The tensors in the order of the data, those of unknown types up to the next. Raises Doubt where they overlap."""
    tensors.sort(key=lambda tensor: (tensor.offset, tensor.length is None, tensor.length or 0))
    for number, (tensor, following) in enumerate(pairwise(tensors)):
        if tensor.length is None:
            tensors[number] = tensor._replace(length=following.offset - tensor.offset)
        elif tensor.offset + tensor.length > following.offset:
            raise Doubt
    if any(tensor.offset % alignment for tensor in tensors):
        raise Doubt
    return tensors


def _piece(kind: _Kind) -> int:
    """Bytes of a piece: as in any other container for plain elements; whole blocks of quantized ones, as many elements."""
    return piece_bytes(kind.element) if kind.block == 1 else PIECE_ELEMENTS // kind.block * kind.size


class _Header:
    """Goes through the header once, from field to field."""

    def __init__(self, ahead: Ahead) -> None:
        self._ahead = ahead
        self._seen = memoryview(b"")
        self._position = 0
        self._texts = 0
        self._alignment: int | None = None

    def read(self) -> tuple[int, int, list[_Tensor]]:
        """Where the header ends, the alignment of the data after it, the tensors in the header's order. Raises Doubt."""
        magic, version, tensors, pairs = self._take(_HEAD)
        if magic != MAGIC or version not in VERSIONS or tensors > MAX_TENSORS or pairs > MAX_PAIRS:
            raise Doubt
        for _ in range(pairs):
            self._pair()
        found = [self._tensor() for _ in range(tensors)]
        if len({tensor.name for tensor in found}) != tensors:
            raise Doubt
        return self._position, self._alignment or 32, found

    def _pair(self) -> None:
        key, (kind,) = self._text(MAX_KEY_BYTES), self._take(_U32)
        if key == b"general.alignment":
            self._set_alignment(kind)
        elif kind == _ARRAY:
            self._skip_array()
        elif kind == _TEXT:
            self._skip(self._take(_U64)[0])
        else:
            self._skip(_value_bytes(kind))

    def _set_alignment(self, kind: int) -> None:
        if kind != 4 or self._alignment is not None:
            raise Doubt
        (self._alignment,) = self._take(_U32)
        if not 0 < self._alignment <= MAX_ALIGNMENT or self._alignment & (self._alignment - 1):
            raise Doubt

    def _skip_array(self) -> None:
        (kind,), (count,) = self._take(_U32), self._take(_U64)
        if kind != _TEXT:
            self._skip(count * _value_bytes(kind))
            return
        self._texts += count
        if self._texts > MAX_TEXTS:
            raise Doubt
        for _ in range(count):
            self._skip(self._take(_U64)[0])

    def _tensor(self) -> _Tensor:
        name, (count,) = self._text(MAX_NAME_BYTES), self._take(_U32)
        if count > MAX_DIMENSIONS:
            raise Doubt
        sizes = [self._take(_U64)[0] for _ in range(count)]
        number, offset = self._take(_INFO)
        if max([offset, prod(sizes)]) > _MAX_SIZE:
            raise Doubt
        kind = KINDS.get(number)
        length = None if kind is None else _length(sizes, kind)
        try:
            return _Tensor(offset, length, kind or _Kind("", 1, 1), tuple(reversed(sizes)), name.decode())
        except UnicodeDecodeError as error:
            raise Doubt from error

    def _text(self, limit: int) -> bytes:
        (length,) = self._take(_U64)
        if length > limit:
            raise Doubt
        start = self._position
        self._skip(length)
        return bytes(self._seen[start : self._position])

    def _take(self, fields: struct.Struct) -> tuple[Any, ...]:
        start = self._position
        self._skip(fields.size)
        return fields.unpack_from(self._seen, start)

    def _skip(self, count: int) -> None:
        end = self._position + count
        if end > len(self._seen):
            self._look(end)
        self._position = end

    def _look(self, end: int) -> None:
        """See the file up to `end`, and further, so that this is seldom needed."""
        if end > MAX_HEADER_BYTES:
            raise Doubt
        wanted = min(max(end, 2 * len(self._seen), _FIRST_LOOK), MAX_HEADER_BYTES)
        self._seen = memoryview(b"")  # given back before the next is asked for
        self._seen = self._ahead.peek(wanted)
        if len(self._seen) < end:
            raise Doubt


def _value_bytes(kind: int) -> int:
    size = _VALUE_BYTES.get(kind)
    if size is None:
        raise Doubt
    return size


def _length(sizes: list[int], kind: _Kind) -> int:
    """Bytes of a tensor. Blocks lie along its first size, the one that moves fastest."""
    if kind.block > 1 and (not sizes or sizes[0] % kind.block):
        raise Doubt
    length = prod(sizes) // kind.block * kind.size
    if length > _MAX_SIZE:
        raise Doubt
    return length
