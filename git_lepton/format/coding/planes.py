"""Codec 2: the bytes of words sorted into planes, each coded for itself (docs/format.md, section 3.3).

In a plane of exponents few values are frequent, so it codes well; mantissas are noise and are kept as they are.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy

from git_lepton.errors import CorruptData
from git_lepton.format.coding.frames import Writer, read_frame, smaller_writer, write_frame
from git_lepton.format.coding.samples import looks_like_noise
from git_lepton.format.coding.words import SIZES, merge, split
from git_lepton.format.elements import element_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[numpy.uint8]

_PLANE = struct.Struct("<BI")  # how it is kept, bytes it takes
_SIGN = 0x80  # in the first byte: the sign was moved


class BadPlanes(CorruptData):
    """A payload of codec 2 that does not follow the format."""


class Kept(IntEnum):
    """How a plane is kept."""

    RAW = 0
    FRAME = 1
    CONSTANT = 2


def encode_planes(data: memoryview, element: str) -> bytes | None:
    """The payload for `data`, or None where its elements have no planes."""
    kind = element_of(element)
    count = len(data) // kind.word
    if kind.word == 1 or count == 0:
        return None
    planes = split(data[: count * kind.word], kind.word, sign=kind.sign)
    parts = [_keep(plane, kind.sign) for plane in planes]
    head = bytes([kind.word | (_SIGN if kind.sign else 0)])
    table = b"".join(_PLANE.pack(how, len(part)) for how, part in parts)
    return b"".join([head, table, *(part for _, part in parts), data[count * kind.word :]])


def _keep(plane: Bytes, floats: bool) -> tuple[Kept, bytes | memoryview]:
    if plane[0] == plane[-1] and bool((plane == plane[0]).all()):
        return Kept.CONSTANT, plane[:1].tobytes()
    if not (floats and looks_like_noise(plane)):  # a mantissa; planes of integers may look so and still repeat
        frame = write_frame(plane.data, Writer.SYMBOLS if floats else smaller_writer(plane.data))
        if len(frame) < len(plane):
            return Kept.FRAME, frame
    return Kept.RAW, plane.data


def decode_planes(payload: memoryview, length: int) -> bytearray:
    """The `length` bytes that this payload stands for. Raises BadPlanes or BadFrame; memory is a few times `length`."""
    word, sign, parts, tail = _layout(payload, length)
    count = length // word
    planes = [_plane(how, part, count) for how, part in parts]
    data = bytearray(length)
    merge(planes, memoryview(data)[: count * word], sign=sign)
    data[count * word :] = tail
    return data


def _layout(payload: memoryview, length: int) -> tuple[int, bool, list[tuple[Kept, memoryview]], memoryview]:
    """Word size, whether the sign was moved, each plane as it is kept, and the bytes after the last word."""
    word, sign = (payload[0] & ~_SIGN, bool(payload[0] & _SIGN)) if payload else (0, False)
    start = 1 + word * _PLANE.size
    if word not in SIZES or length < word or len(payload) < start:
        raise BadPlanes("a chunk of byte planes has no sound head")
    parts = []
    for how, size in _PLANE.iter_unpack(payload[1:start]):
        if how not in (Kept.RAW, Kept.FRAME, Kept.CONSTANT):
            raise BadPlanes(f"a chunk has a byte plane of kind {how}, which is unknown")
        parts.append((Kept(how), payload[start : start + size]))
        start += size
    if len(payload) - start != length % word:
        raise BadPlanes("a chunk of byte planes is cut short or too long")
    return word, sign, parts, payload[start:]


def _plane(how: Kept, part: memoryview, count: int) -> Bytes:
    if how is Kept.FRAME:
        return numpy.frombuffer(read_frame(part, count), numpy.uint8)
    if len(part) != (count if how is Kept.RAW else 1):
        raise BadPlanes("a chunk has a byte plane of an impossible length")
    return numpy.broadcast_to(numpy.frombuffer(part, numpy.uint8), count)
