"""Chunk names of an encoded manifest as an array, without an object for each: gc reads millions of them.

`manifest` is one that `check_manifest` accepted (docs/format.md, section 2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy

from git_lepton.format.manifest import CHECK_BYTES, ENTRY, HEAD_BYTES

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ENTRY = numpy.dtype([("name", "S32"), ("length", "<u4")])  # zeros at the end of a name count: all names have the same length
_HEADS = numpy.dtype([("head", "<u8"), ("rest", f"V{ENTRY.size - 8}")])


def chunk_names(manifest: bytes) -> NDArray[numpy.bytes_]:
    """The names of a file's chunks (32 bytes each), in file order."""
    return _entries(manifest, _ENTRY)["name"]


def name_heads(manifest: bytes) -> NDArray[numpy.uint64]:
    """The first 8 bytes of each name, as one number: two names that begin alike are rare, and whoever counts on that says so."""
    return _entries(manifest, _HEADS)["head"]


def _entries(manifest: bytes, kind: numpy.dtype[numpy.void]) -> NDArray[numpy.void]:
    return numpy.frombuffer(manifest, kind, offset=HEAD_BYTES, count=(len(manifest) - HEAD_BYTES - CHECK_BYTES) // kind.itemsize)
