"""The layout of a safetensors file (docs/format.md, section 2.1).

The header is read entry by entry, so that a hostile one costs little more memory than its own bytes. What is not certainly
sound has no layout; nothing here raises for bad input.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from git_lepton.format.elements import ELEMENTS
from git_lepton.format.layout import Region, tensor

if TYPE_CHECKING:
    from git_lepton.format.layout import Ahead

PREFIX_BYTES = 8
MAX_HEADER_BYTES = 100_000_000
MAX_KEYS = 2**18  # tensors, and texts in the metadata
MAX_ENTRY_BYTES = 2**16  # of a name, and of a tensor's description
SMALL_TENSOR_BYTES = 256  # a tensor with fewer shares a region
MAX_RANK = 64  # of a shape that is told: longer ones would cost more memory than their text
_MAX_SIZE = 2**63 - 1

_SPACE = re.compile(rb"[ \t\n\r]*+")
_UP_TO_BRACE = re.compile(rb"[^}]*+}")
_TEXT = re.compile(rb'"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+"')


class _Tensor(NamedTuple):
    """What an entry says; `name` is UTF-8, in which it is no larger than in the header."""

    begin: int
    end: int
    dtype: str
    name: bytes
    shape: tuple[int, ...]


class _Unsound(Exception):
    """There is doubt about a header. Never leaves this module."""


def regions(ahead: Ahead) -> Iterator[Region]:
    """The header and the tensors of a file that has a sound header; nothing for any other."""
    length = header_length(bytes(ahead.peek(PREFIX_BYTES)))
    if length is None or bytes(ahead.peek(PREFIX_BYTES + 1)[PREFIX_BYTES:]) != b"{":
        return
    header = ahead.peek(PREFIX_BYTES + length)
    tensors = tensor_regions(header) if len(header) == PREFIX_BYTES + length else None
    del header  # not held while the tensors go by
    if tensors is not None:
        yield Region(PREFIX_BYTES + length)
        yield from _small_ones_together(tensors)


def header_length(prefix: bytes) -> int | None:
    """The length of the header that the first 8 bytes of a file announce, or None if none of that length could be sound."""
    length = int.from_bytes(prefix, "little")
    return length if len(prefix) == PREFIX_BYTES and 2 <= length <= MAX_HEADER_BYTES else None


def tensor_regions(header: bytes | bytearray | memoryview, *, every_shape: bool = False) -> Iterator[Region] | None:
    """The tensors' regions in the order of the data, from the whole header (its 8 bytes of length included); None if it is
    not sound. A shape of more than MAX_RANK is left out; with `every_shape` such a header is not sound."""
    try:
        _check_utf8(memoryview(header)[PREFIX_BYTES:])
        tensors = sorted(_Reader(header, MAX_RANK if every_shape else None).tensors())
        _check_tiled(tensors)
    except (_Unsound, ValueError, RecursionError):  # ValueError: not UTF-8, not JSON, an integer of thousands of digits
        return None
    return (tensor(end - begin, dtype, _text_of(name), shape) for begin, end, dtype, name, shape in tensors)


def _small_ones_together(tensors: Iterator[Region]) -> Iterator[Region]:
    """Small neighbours of one dtype are one region, under the name of the first and without a shape: a chunk of 16 bytes would take
    more room for its name than for its bytes, and as long a look for its base as one of megabytes."""
    group: Region | None = None
    all_small = False
    for region in tensors:
        is_small = region.length < SMALL_TENSOR_BYTES
        if group and all_small and is_small and (region.element, region.piece) == (group.element, group.piece):
            group = group._replace(length=group.length + region.length, shape=(), tensors=group.tensors + 1)
            continue
        if group:
            yield group
        group, all_small = region, is_small
    if group:
        yield group


def _check_utf8(header: memoryview) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(header), MAX_ENTRY_BYTES):
        decoder.decode(header[start : start + MAX_ENTRY_BYTES])
    decoder.decode(b"", final=True)


def _check_tiled(tensors: list[_Tensor]) -> None:
    position = 0
    for found in tensors:
        if found.begin != position:
            raise _Unsound
        position = found.end


def _text_of(name: bytes) -> str:
    return name.decode("utf-8", "surrogatepass")


class _Reader:
    """Goes through the header once, from entry to entry."""

    def __init__(self, header: bytes | bytearray | memoryview, highest_rank: int | None) -> None:
        self._header = header
        self._highest_rank = highest_rank
        self._position = PREFIX_BYTES
        self._keys = 0

    def tensors(self) -> Iterator[_Tensor]:
        """Every tensor, in the order of the header. Raises _Unsound or ValueError."""
        if not self._comes(b"{"):
            raise _Unsound
        for name in self._object():
            if name == b"__metadata__":
                for _ in self._object():
                    self._text()
            else:
                yield _tensor(name, self._description(), self._highest_rank)
        self._skip_space()
        if self._position != len(self._header):
            raise _Unsound

    def _object(self) -> Iterator[bytes]:
        """The keys of the object that begins here; after each the caller reads its value."""
        seen: set[bytes] = set()
        self._expect(b"{")
        if self._accept(b"}"):
            return
        while True:
            key = self._key()
            if key in seen:
                raise _Unsound
            seen.add(key)
            self._expect(b":")
            yield key
            if self._accept(b"}"):
                return
            self._expect(b",")

    def _key(self) -> bytes:
        start, stop = self._text()
        self._keys += 1
        if stop - start > MAX_ENTRY_BYTES or self._keys > MAX_KEYS:
            raise _Unsound
        name = bytes(self._header[start + 1 : stop - 1])
        if b"\\" in name:
            name = json.loads(b'"%s"' % name).encode("utf-8", "surrogatepass")
        return name

    def _text(self) -> tuple[int, int]:
        """Where the quoted text that comes next begins and ends."""
        self._skip_space()
        match = _TEXT.match(self._header, self._position)
        if not match:
            raise _Unsound
        self._position = match.end()
        return match.span()

    def _description(self) -> dict[str, Any]:
        """The object that comes next and has no object in it."""
        self._skip_space()
        match = _UP_TO_BRACE.match(self._header, self._position, self._position + MAX_ENTRY_BYTES)
        if not match:
            raise _Unsound
        self._position = match.end()
        value = json.loads(match[0].decode(), object_pairs_hook=_without_duplicates)
        if not isinstance(value, dict):
            raise _Unsound
        return value

    def _skip_space(self) -> None:
        match = _SPACE.match(self._header, self._position)
        self._position = match.end() if match else self._position

    def _accept(self, sign: bytes) -> bool:
        self._skip_space()
        there = self._comes(sign)
        self._position += there
        return there

    def _comes(self, sign: bytes) -> bool:
        return bytes(self._header[self._position : self._position + 1]) == sign

    def _expect(self, sign: bytes) -> None:
        if not self._accept(sign):
            raise _Unsound


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _Unsound
    return value


def _tensor(name: bytes, entry: dict[str, Any], highest_rank: int | None) -> _Tensor:
    if entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise _Unsound
    dtype, shape, offsets = entry["dtype"], _sizes(entry["shape"]), _sizes(entry["data_offsets"])
    if not isinstance(dtype, str) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise _Unsound
    if highest_rank is not None and len(shape) > highest_rank:
        raise _Unsound
    begin, end = offsets
    if dtype in ELEMENTS and _product(shape) * ELEMENTS[dtype].bits != (end - begin) * 8:
        raise _Unsound
    return _Tensor(begin, end, dtype, name, tuple(shape) if len(shape) <= MAX_RANK else ())


def _sizes(value: Any) -> list[int]:
    if not isinstance(value, list) or any(type(size) is not int or not 0 <= size <= _MAX_SIZE for size in value):
        raise _Unsound
    return value


def _product(sizes: list[int]) -> int:
    if 0 in sizes:
        return 0
    product = 1
    for size in sizes:
        product *= size
        if product > _MAX_SIZE:  # a product of thousands of large numbers would take long
            raise _Unsound
    return product
