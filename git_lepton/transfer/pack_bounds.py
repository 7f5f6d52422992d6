"""Bounds for a git pack: the inflated size of its objects, known from their heads before anything of them is kept."""

from __future__ import annotations

import zlib

from git_lepton.transfer.http.refusals import AnswerTooLong

_FIRST = 12  # where the first object begins: behind the pack's own head
_OF_ONE = 1024  # what an object costs in memory beside its bytes
_OFFSET_DELTA, _NAME_DELTA = 6, 7
_BLOCK = 8192


def ensure_fits(pack: memoryview, most: int, name_bytes: int) -> None:
    """Raises AnswerTooLong for a pack whose objects are more than `most` bytes, ValueError for what is no pack."""
    position, left = _FIRST, most
    for _ in range(int.from_bytes(pack[8:_FIRST])):
        kind, size, position = _head(pack, position)
        left -= size + _OF_ONE
        if kind == _OFFSET_DELTA:
            _, position = _number(pack, position)
        elif kind == _NAME_DELTA:
            position += name_bytes
        if left >= 0:
            beginning, position = _inflate(pack, position, size)
            left -= _made_by(beginning) if kind in (_OFFSET_DELTA, _NAME_DELTA) else 0
        if left < 0:
            raise AnswerTooLong("the objects of a pack are too many bytes")


def _head(pack: memoryview, position: int) -> tuple[int, int, int]:
    """An object's kind, the size that it says, and where its head ends."""
    first = _byte(pack, position)
    size, position = first & 15, position + 1
    if first & 128:
        more, position = _number(pack, position)
        size |= more << 4
    return first >> 4 & 7, size, position


def _number(pack: bytes | memoryview, position: int) -> tuple[int, int]:
    """The number that stands there, seven bits a byte, and where it ends."""
    number, shift = 0, 0
    while shift < 70:
        byte = _byte(pack, position)
        number |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return number, position
    raise ValueError("a number in a pack has no end")


def _byte(pack: bytes | memoryview, position: int) -> int:
    if position >= len(pack):
        raise ValueError("a pack ends too early")
    return pack[position]


def _inflate(pack: memoryview, position: int, size: int) -> tuple[bytes, int]:
    """The first bytes of an object, and where its own end; never more of it than a block is in memory."""
    stream, got, beginning = zlib.decompressobj(), 0, b""
    while not stream.eof:
        block = pack[position : position + _BLOCK]
        if not block:
            raise ValueError("a pack ends too early")
        try:
            out = stream.decompress(block, 8 * _BLOCK)
        except zlib.error as error:
            raise ValueError(f"an object of a pack cannot be inflated: {error}") from error
        got += len(out)
        if got > size:
            raise ValueError("an object of a pack is longer than it says")
        beginning = beginning or out[:32]
        position += len(block) - len(stream.unconsumed_tail) - len(stream.unused_data)
    return beginning, position


def _made_by(delta: bytes) -> int:
    """The size of the object that this delta makes: it says that of its base first."""
    _, position = _number(delta, 0)
    return _number(delta, position)[0]
