"""The layout of a zip file of torch.save: .pt .pth .bin .ckpt (docs/format.md, section 2.3).

It comes as a stream, so what its central directory says at the end is not known. But data.pkl comes first and says which storages
there are and how long each is; every header and descriptor that then comes must agree with it, or what is left is bytes.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from git_lepton.format.layout import Doubt, Region
from git_lepton.format.layouts.torch_tensors import MAX_BETWEEN_BYTES, MAX_PICKLE_BYTES, SMALL_BYTES, TorchPickle

if TYPE_CHECKING:
    from git_lepton.format.layout import Ahead

MAX_RECORD_BYTES = 4096  # of a small record that the pickle does not speak of
MAX_FALSE_DESCRIPTORS = 1024  # before the one that ends an entry

_HEADER, _DIRECTORY, _DESCRIPTOR = b"PK\x03\x04", b"PK\x01\x02", b"PK\x07\x08"
_ANY_DESCRIPTOR = re.compile(re.escape(_DESCRIPTOR))
_LOCAL = struct.Struct("<4s2xHH8xIIHH")  # signature, flags, method, packed and whole size, length of name and of extra field
_SIZES_32, _SIZES_64 = struct.Struct("<4s4xII"), struct.Struct("<4s4xQQ")  # of a descriptor
_FIELD = struct.Struct("<HH")  # of the extra field: id, length
_SIZES_FOLLOW, _UTF8 = 8, 2048  # the flags that we know
_ZIP64, _IN_ZIP64 = 1, 2**32 - 1


class _Entry(NamedTuple):
    """A local header of `head` bytes; `size` of the data after it, None if only the descriptor behind the data says it."""

    name: str
    head: int
    size: int | None


def regions(ahead: Ahead) -> Iterator[Region]:
    """The tensors and what is between them, up to the last storage; nothing for a file that is no such zip file."""
    first = _entry(ahead, 0)
    folder, _, name = first.name.rpartition("/")
    if name != "data.pkl":
        return
    size = _size(ahead, first.head, first.size, MAX_PICKLE_BYTES)
    pickle = TorchPickle()
    if pickle.scan(ahead.peek(first.head + size)[first.head :]) != size:
        raise Doubt
    yield from _storages(ahead, f"{folder}/", pickle, _after(ahead, first, 0, size))


def _storages(ahead: Ahead, folder: str, pickle: TorchPickle, between: int) -> Iterator[Region]:
    """The regions of every storage, each after the bytes before it. The first `between` bytes are known to be such."""
    left = pickle.storages.copy()
    while left:
        entry = _entry(ahead, between)
        key = entry.name.removeprefix(f"{folder}data/")
        if key == entry.name or key not in left:
            between = _past_small_record(ahead, entry, between, big_endian=f"{folder}byteorder")
            continue
        storage = left.pop(key)
        if entry.size not in (None, storage.length):
            raise Doubt
        if storage.length < SMALL_BYTES:
            between = _after(ahead, entry, between, storage.length)
        else:
            yield Region(between + entry.head)
            yield from pickle.regions(storage)
            between = _descriptor(ahead, 0, storage.length) if entry.size is None else 0


def _past_small_record(ahead: Ahead, entry: _Entry, at: int, big_endian: str) -> int:
    start = at + entry.head
    size = _size(ahead, start, entry.size, MAX_RECORD_BYTES)
    if entry.name == big_endian and bytes(ahead.peek(start + size)[start:]) != b"little":
        raise Doubt
    return _after(ahead, entry, at, size)


def _entry(ahead: Ahead, at: int) -> _Entry:
    """The entry whose local header begins `at` bytes ahead. Raises Doubt."""
    if at > MAX_BETWEEN_BYTES:
        raise Doubt
    head = bytes(ahead.peek(at + _LOCAL.size)[at:])
    if len(head) < _LOCAL.size:
        raise Doubt
    signature, flags, method, packed, whole, name_length, extra_length = _LOCAL.unpack(head)
    if signature != _HEADER or method or flags & ~(_SIZES_FOLLOW | _UTF8):
        raise Doubt
    start = at + _LOCAL.size
    text = bytes(ahead.peek(start + name_length + extra_length)[start:])
    if len(text) < name_length + extra_length:
        raise Doubt
    size = None if flags & _SIZES_FOLLOW else _stated(packed, whole, text[name_length:])
    return _Entry(text[:name_length].decode("utf-8", "backslashreplace"), _LOCAL.size + len(text), size)


def _stated(packed: int, whole: int, extra: bytes) -> int:
    if packed != whole:
        raise Doubt
    while whole == _IN_ZIP64 and len(extra) >= _FIELD.size:
        kind, length = _FIELD.unpack_from(extra)
        if kind == _ZIP64 and length >= 8:
            return int.from_bytes(extra[_FIELD.size : _FIELD.size + 8], "little")
        extra = extra[_FIELD.size + length :]
    if whole == _IN_ZIP64:
        raise Doubt
    return whole


def _size(ahead: Ahead, start: int, stated: int | None, most: int) -> int:
    """How many bytes the data has that begins `start` bytes ahead: what its header states, or up to a descriptor of that length."""
    if stated is not None:
        if stated > most:
            raise Doubt
        return stated
    window = min(most, 64 * 1024)
    while True:
        data = ahead.peek(start + window + _SIZES_64.size)[start:]
        found = _up_to_descriptor(data)
        if found is not None and found <= most:
            return found
        if len(data) < window or window >= most:
            raise Doubt
        window = min(most, 4 * window)


def _up_to_descriptor(data: memoryview) -> int | None:
    """Where the first descriptor begins that states how many bytes are before it. Raises Doubt where too many others come first."""
    for number, match in enumerate(_ANY_DESCRIPTOR.finditer(data)):
        if number >= MAX_FALSE_DESCRIPTORS:
            raise Doubt
        at = match.start()
        for form in (_SIZES_32, _SIZES_64):
            if len(data) >= at + form.size and form.unpack_from(data, at)[1:] == (at, at):
                return at
    return None


def _after(ahead: Ahead, entry: _Entry, at: int, size: int) -> int:
    """Where the entry after this one begins, whose data has `size` bytes."""
    end = at + entry.head + size
    return end if entry.size is not None else end + _descriptor(ahead, end, size)


def _descriptor(ahead: Ahead, at: int, size: int) -> int:
    """The length of the descriptor of `size` bytes that begins `at` bytes ahead, behind which an entry or the directory begins."""
    for form in (_SIZES_32, _SIZES_64):
        data = bytes(ahead.peek(at + form.size + 4)[at:])
        if data[form.size :] in (_HEADER, _DIRECTORY) and form.unpack_from(data) == (_DESCRIPTOR, size, size):
            return form.size
    raise Doubt
