"""The names of the chunks in an encoded manifest, all at once, without an object for each: a caretaker reads millions of them.

`manifest` is one that `check_manifest` accepted (docs/format.md, section 2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HEAD, _TAIL = 56, 8  # bytes before and after the entries
_ENTRY = numpy.dtype([("name", "S32"), ("length", "<u4")])  # zeros at the end of a name count: all names have the same length
_HEADS = numpy.dtype([("head", "<u8"), ("rest", "V28")])


def chunk_names(manifest: bytes) -> NDArray[numpy.bytes_]:
    """Whole names, in file order."""
    return _entries(manifest, _ENTRY)["name"]


def name_heads(manifest: bytes) -> NDArray[numpy.uint64]:
    """The first 8 bytes of each name, as one number: two names that begin alike are rare, and whoever counts on that says so."""
    return _entries(manifest, _HEADS)["head"]


def _entries(manifest: bytes, kind: numpy.dtype[numpy.void]) -> NDArray[numpy.void]:
    return numpy.frombuffer(manifest, kind, offset=_HEAD, count=(len(manifest) - _HEAD - _TAIL) // kind.itemsize)
