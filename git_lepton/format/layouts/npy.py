"""The layout of a .npy file (docs/format.md, section 2.5).

The description is matched, never evaluated. Arrays of objects or of records, and numbers with the high byte first, are left to the
cuts by content; nothing here raises for bad input.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import prod
from typing import TYPE_CHECKING

from git_lepton.format.elements import element_of
from git_lepton.format.layout import Region, tensor

if TYPE_CHECKING:
    from git_lepton.format.layout import Ahead

MAGIC = b"\x93NUMPY"
MAX_HEADER_BYTES = 64 * 1024
_MAX_SIZE = 2**63 - 1
_LENGTH_BYTES = {1: 2, 2: 4, 3: 4}  # of the header's length, for each version

_DESCRIPTION = re.compile(
    rb"\{'descr': '([<|][a-z]\d{1,2})', 'fortran_order': (True|False), 'shape': \(((?:\d{1,19}, ?)*(?:\d{1,19})?)\), \} *\n?"
)
_ELEMENTS = {
    b"<f2": "F16",
    b"<f4": "F32",
    b"<f8": "F64",
    b"<c8": "C64",
    b"|b1": "BOOL",
    b"|i1": "I8",
    b"|u1": "U8",
    b"<i2": "I16",
    b"<u2": "U16",
    b"<i4": "I32",
    b"<u4": "U32",
    b"<i8": "I64",
    b"<u8": "U64",
}


def regions(ahead: Ahead) -> Iterator[Region]:
    """The header, then the array."""
    found = array_at(ahead, 0, "")
    if found is not None:
        start, array = found
        yield Region(start)
        if array.length:
            yield array


def array_at(ahead: Ahead, position: int, name: str) -> tuple[int, Region] | None:
    """Where the elements begin, and their region, of the .npy file that begins `position` bytes ahead; None on any doubt."""
    prefix = bytes(ahead.peek(position + 12)[position:])
    width = _LENGTH_BYTES.get(prefix[6]) if len(prefix) == 12 and prefix.startswith(MAGIC) and not prefix[7] else None
    if width is None:
        return None
    start = position + 8 + width
    end = start + int.from_bytes(prefix[8 : 8 + width], "little")
    if end - start > MAX_HEADER_BYTES:
        return None
    match = _DESCRIPTION.fullmatch(bytes(ahead.peek(end)[start:]))
    return None if match is None else _array(end, name, *match.groups())


def _array(start: int, name: str, descr: bytes, order: bytes, sizes: bytes) -> tuple[int, Region] | None:
    shape = tuple(int(size) for size in sizes.split(b",") if size.strip())
    if order == b"True":
        shape = shape[::-1]  # as the bytes lie, the last size moves fastest
    element = _ELEMENTS.get(descr)
    length = prod(shape) * element_of(element or "").bits // 8
    if element is None or len(shape) > 64 or length > _MAX_SIZE:
        return None
    return start, tensor(length, element, name, shape)
