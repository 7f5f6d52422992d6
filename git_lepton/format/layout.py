"""The layout of a file, by which its tensors are found: regions in its order, from one reader a file format (docs/format.md, section 2).

A reader never executes what it reads, never raises for bad input, and keeps little more than a header in memory. Where it is not
certain it ends, and what is left of the file is one region cut by content.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module
from typing import NamedTuple, Protocol

from git_lepton.format.elements import ELEMENTS

MAX_AHEAD_BYTES = 100_000_000 + 8  # the most that a reader may look at before it yields a region
PIECE_ELEMENTS = 2**21
MAX_PIECE_BYTES = 8 * 1024 * 1024
UNKNOWN_PIECE_BYTES = 4 * 1024 * 1024


class Region(NamedTuple):
    """A run of `length` bytes. With `piece` > 0 it is a tensor, cut every so many bytes, else it is cut by content.

    `element` is a dtype as in docs/format.md, section 3.3, "" for bytes; `name` and `shape` are the tensor's where the file says
    them ("" and () where not), to find the same tensor in another file. They never influence a cut. `tensors` is how many it is:
    small ones that are neighbours are one region, under the name of the first and without a shape.
    """

    length: int
    element: str = ""
    piece: int = 0
    name: str = ""
    shape: tuple[int, ...] = ()
    tensors: int = 1


REST = Region(2**63 - 1)  # all that is left of a file, however much that is


class Ahead(Protocol):
    """What a reader sees of a file: the bytes that come next."""

    def peek(self, count: int, /) -> memoryview:
        """The next `count` bytes (fewer only at the end of the file), which stay to be taken. Valid until bytes are taken."""


class Doubt(Exception):
    """A reader is not certain of what comes next. Ends the reader and never leaves this module."""


Reader = Callable[[Ahead], Iterator[Region]]


class _Format(NamedTuple):
    """Files that have `magic` at byte `at` are read by `regions` in the module `layouts.<reader>`."""

    at: int
    magic: bytes
    reader: str


_FORMATS = (
    _Format(8, b"{", "safetensors"),
    _Format(0, b"PK\x03\x04", "torch_zip"),
    _Format(0, b"PK\x03\x04", "stored_zip"),
    _Format(0, b"\x80\x02\x8a\x0al\xfc\x9cF", "torch_legacy"),
    _Format(0, b"GGUF", "gguf"),
    _Format(0, b"\x93NUMPY", "npy"),
    _Format(0, b"\x89HDF\r\n\x1a\n", "hdf5"),
    _Format(0, b"\x08", "onnx"),
)
_LONGEST_MAGIC = max(form.at + len(form.magic) for form in _FORMATS)


def regions(ahead: Ahead) -> Iterator[Region]:
    """The regions of a file. Whoever iterates takes (or skips) a region's bytes, or all that come, before asking for the next.

    Of the readers whose magic is there, the first that yields a region has the file. A region may be longer than what is left.
    """
    for read in _readers(bytes(ahead.peek(_LONGEST_MAGIC))):
        yielded = False
        with suppress(Doubt):
            for region in read(ahead):
                yielded = True
                yield region
        if yielded:
            break
    if ahead.peek(1):
        yield REST


def _readers(head: bytes) -> Iterator[Reader]:
    for form in _FORMATS:
        if head.startswith(form.magic, form.at):
            yield import_module(f"git_lepton.format.layouts.{form.reader}").regions


def tensor(length: int, element: str, name: str = "", shape: tuple[int, ...] = ()) -> Region:
    """The region of a tensor whose elements are of this dtype, cut as section 2 says; a dtype that we do not know is bytes."""
    return Region(length, element if element in ELEMENTS else "", piece_bytes(element), name, shape)


def piece_bytes(element: str) -> int:
    """How many bytes a piece of a tensor of this dtype has: 2^21 elements, at most 8 MiB."""
    if element not in ELEMENTS:
        return UNKNOWN_PIECE_BYTES
    return min(PIECE_ELEMENTS * ELEMENTS[element].bits // 8, MAX_PIECE_BYTES)
