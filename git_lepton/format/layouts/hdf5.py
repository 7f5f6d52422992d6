"""The layout of contiguous datasets in an HDF5 file, as h5py and Keras write them (docs/format.md, section 2.8).

What a group holds is told by trees all over the file, which a stream can't follow. But a dataset's object header is written before
its data and says where those are, so it is enough to find object headers (version 1) in what is no data. One that is found by
chance can only move a cut. Nothing here raises for bad input.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from heapq import heappop, heappush
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from git_lepton.format.elements import ELEMENTS
from git_lepton.format.layout import Region, tensor

if TYPE_CHECKING:
    from git_lepton.format.layout import Ahead

MAGIC = b"\x89HDF\r\n\x1a\n"
SMALL_BYTES = 1024  # a dataset below it stays with what is around it
MAX_GAP_BYTES = 1024 * 1024  # between two datasets; after more than that the rest is left to its content
MAX_DATASETS = 2**14
_FIRST_LOOK = 4096

# version 0, 8 bytes to an address and to a length, base address 0, no free space, end of the file, no driver
_SUPERBLOCK = struct.Struct("<8s5xBB9xQ8xQ8x")
_HEADER = re.compile(rb"\x01\x00.\x00\x01\x00\x00\x00..\x00\x00\x00\x00\x00\x00", re.DOTALL)  # messages, one reference, bytes
_HEADER_BYTES = 16
_MESSAGE = struct.Struct("<HH4x")
_SPACE, _TYPE, _LAYOUT = 1, 3, 8
_PLACE = struct.Struct("<BBQQ")  # version, class, address, length
_CONTIGUOUS = 1
_NUMBER, _FLOAT = 0, 1
_SIGNED = 8
_NUMBERS = {(size, signed): f"{'I' if signed else 'U'}{8 * size}" for size in (1, 2, 4, 8) for signed in (True, False)}
_FLOATS = {(2, 5): "F16", (2, 8): "BF16", (4, 8): "F32", (8, 11): "F64"}  # bytes, bits of the exponent


class _Dataset(NamedTuple):
    """Where the data begin, in bytes from where the reader began, and their region."""

    start: int
    region: Region


def regions(ahead: Ahead) -> Iterator[Region]:
    """Each contiguous dataset of numbers, and what lies before it as bytes. Datasets are named by their place among them: a model
    that is saved again has them in the same order."""
    return regions_after(0, ahead)


def regions_after(before: int, ahead: Ahead) -> Iterator[Region]:
    """The regions of an HDF5 file that begins `before` bytes ahead; those bytes go with the first."""
    end = _end(bytes(ahead.peek(before + _SUPERBLOCK.size)[before:]))
    here, known = 0, list[_Dataset]()
    for number in range(MAX_DATASETS if end else 0):
        while known and known[0].start < here:
            heappop(known)
        _look_for_datasets(ahead, known, here, before, end)
        if not known:
            return
        found = heappop(known)
        if found.start > here:
            yield Region(found.start - here)
        yield found.region._replace(name=f"dataset {number}")
        here = found.start + found.region.length


def _end(superblock: bytes) -> int:
    """How many bytes the file says it has; 0 where there is doubt."""
    if len(superblock) < _SUPERBLOCK.size:
        return 0
    magic, address_bytes, length_bytes, base, end = _SUPERBLOCK.unpack(superblock)
    return end if magic == MAGIC and superblock[8] == 0 and (address_bytes, length_bytes, base) == (8, 8, 0) else 0


def _look_for_datasets(ahead: Ahead, known: list[_Dataset], here: int, before: int, end: int) -> None:
    """Add the datasets whose headers lie between `here` and the first dataset's data."""
    seen, size = 0, _FIRST_LOOK
    while seen < (wanted := min(known[0].start - here if known else size, MAX_GAP_BYTES)):
        window = bytes(ahead.peek(wanted))
        for dataset in _datasets(window, before, end):
            if dataset.start >= here and len(known) < MAX_DATASETS:
                heappush(known, dataset)
        if len(window) < wanted:
            return
        seen, size = wanted, size * 4


def _datasets(window: bytes, before: int, end: int) -> Iterator[_Dataset]:
    for match in _HEADER.finditer(window):
        length = int.from_bytes(match[0][8:10], "little")
        dataset = _dataset(window[match.end() : match.end() + length], before, end)
        if dataset is not None:
            yield dataset


def _dataset(messages: bytes, before: int, end: int) -> _Dataset | None:
    """The dataset that an object header's messages describe, if it is a contiguous one of numbers."""
    said, position = dict[int, bytes](), 0
    while position + _MESSAGE.size <= len(messages):
        kind, size = _MESSAGE.unpack_from(messages, position)
        position += _MESSAGE.size + size
        said.setdefault(kind, messages[position - size : position])
    shape, element = _shape(said.get(_SPACE, b"")), _element(said.get(_TYPE, b""))
    place = said.get(_LAYOUT, b"")
    if shape is None or element is None or len(place) < _PLACE.size:
        return None
    version, kind, address, length = _PLACE.unpack_from(place)
    if version not in (3, 4) or kind != _CONTIGUOUS or length < SMALL_BYTES or address + length > end:
        return None
    fits = prod(shape) * ELEMENTS[element].bits == 8 * length
    return _Dataset(before + address, tensor(length, element, "", shape)) if fits else None


def _shape(message: bytes) -> tuple[int, ...] | None:
    if len(message) < 4 or message[0] not in (1, 2):
        return None
    start, rank = (8 if message[0] == 1 else 4), message[1]
    sizes = message[start : start + 8 * rank]
    return struct.unpack(f"<{rank}Q", sizes) if rank <= 32 and len(sizes) == 8 * rank else None


def _element(message: bytes) -> str | None:
    """The dtype of numbers with the low byte first."""
    if len(message) < 16 or message[1] & 1:
        return None
    kind, size = message[0] & 15, int.from_bytes(message[4:8], "little")
    if kind == _NUMBER:
        return _NUMBERS.get((size, bool(message[1] & _SIGNED)))
    return _FLOATS.get((size, message[13])) if kind == _FLOAT and not message[1] & 64 else None
