"""The layout of a zip file that stores its members as they are: .npz of numpy.savez, .keras (docs/format.md, section 2.6).

It is read from local header to local header, so members whose header does not say how long they are end the layout, and what a
central directory says is not believed. Arrays in .npy members are regions of their own. Nothing here raises for bad input.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from git_lepton.format.layout import Region
from git_lepton.format.layouts.hdf5 import regions_after
from git_lepton.format.layouts.npy import array_at

if TYPE_CHECKING:
    from git_lepton.format.layout import Ahead

MAGIC = b"PK\x03\x04"
MAX_MEMBERS = 2**16
SMALL_BYTES = 1024  # a member below it, its header counted, is no region
MAX_SMALL_BYTES = 64 * 1024  # of such members in a row
_ENCRYPTED, _LENGTH_FOLLOWS = 1, 8  # flags
_STORED = 0
_MAX_SIZE = 2**63 - 1
_HEADER = struct.Struct("<4s2xHH8xIIHH")  # magic, flags, method, lengths (packed, whole), of the name, of the extra field
_FIELD = struct.Struct("<HH")  # of the extra field: what it is, its length
_ZIP64 = 1
_IN_ZIP64 = 2**32 - 1


class _Member(NamedTuple):
    head: int  # bytes before the data: small members, and the local header
    length: int  # of the data after it
    method: int
    name: bytes


def regions(ahead: Ahead) -> Iterator[Region]:
    """For each member its local header and its data; a .npy member's own header goes with the former. Small members go with the
    header that comes after them."""
    before = 0
    for _ in range(MAX_MEMBERS):
        member = _member(ahead, before)
        if member is None:
            return
        after = member.head + member.length
        if after - before >= SMALL_BYTES:
            yield from _regions_of(member, ahead)
            before = 0
        elif after >= MAX_SMALL_BYTES:
            yield Region(after)
            before = 0
        else:
            before = after


def _regions_of(member: _Member, ahead: Ahead) -> Iterator[Region]:
    """The regions of one member, together as long as it is."""
    whole = left = member.head + member.length
    for region in _inside(member, ahead) if member.method == _STORED else ():
        if region.length > left:
            break
        left -= region.length
        yield region
    if left == whole:
        left -= member.head
        yield Region(member.head)
    if left:
        yield Region(left)


def _inside(member: _Member, ahead: Ahead) -> Iterator[Region]:
    """What a member shows by itself: an array, or the datasets of an HDF5 file."""
    if member.name.endswith(b".npy"):
        found = array_at(ahead, member.head, member.name[:-4].decode("utf-8", "replace"))
        if found is not None and found[0] + found[1].length == member.head + member.length:
            yield Region(found[0])
            if found[1].length:
                yield found[1]
    elif member.name.endswith(b".h5"):
        yield from regions_after(member.head, ahead)


def _member(ahead: Ahead, before: int) -> _Member | None:
    """The member whose local header comes `before` bytes ahead; None where there is none, or doubt."""
    fields = bytes(ahead.peek(before + _HEADER.size)[before:])
    if len(fields) < _HEADER.size:
        return None
    magic, flags, method, packed, whole, name_bytes, extra_bytes = _HEADER.unpack(fields)
    head = before + _HEADER.size + name_bytes + extra_bytes
    rest = bytes(ahead.peek(head)[before + _HEADER.size :])
    if magic != MAGIC or flags & (_ENCRYPTED | _LENGTH_FOLLOWS) or len(rest) < name_bytes + extra_bytes:
        return None
    length = _length(packed, whole, rest[name_bytes:])
    return None if length is None or length > _MAX_SIZE else _Member(head, length, method, rest[:name_bytes])


def _length(packed: int, whole: int, extra: bytes) -> int | None:
    """Bytes of a member's data, from its header or, where they would not fit there, from the zip64 field."""
    if packed != _IN_ZIP64:
        return packed
    start = 0
    while start + _FIELD.size <= len(extra):
        kind, size = _FIELD.unpack_from(extra, start)
        field = extra[start + _FIELD.size :][:size]
        if kind == _ZIP64:
            at = 8 if whole == _IN_ZIP64 else 0  # the length unpacked comes first, where it is there
            return int.from_bytes(field[at : at + 8], "little") if len(field) >= at + 8 else None
        start += _FIELD.size + size
    return None
