"""Spares a file that was written a moment ago from being hashed and named again when git is told to look at it.

The process that wrote it passes a list (path, pointer, XXH3 of the bytes that it wrote, 128 bits) to the filter process that git
starts for the refresh. That one still drains the whole file and gives the pointer only if length and XXH3 of what came are those of
the list; anything else is an error, and the writer then repeats the refresh without a list. Nothing is taken from a stat.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from git_lepton.errors import CorruptData
from git_lepton.format.identifiers import ObjectId
from git_lepton.format.pointer import Pointer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from git_lepton.format.chunking import Source

VARIABLE = "GIT_LEPTON_JUST_WRITTEN"
_BLOCK_BYTES = 1024 * 1024


class ChangedSince(CorruptData):
    """A file is not any more what was written a moment ago."""


class JustWritten(NamedTuple):
    """A file as it was written: what it is, and the XXH3 (128 bits, in hex) of its bytes."""

    pointer: Pointer
    xxh3: str


@contextlib.contextmanager
def listed(files: Mapping[str, JustWritten], folder: Path) -> Iterator[dict[str, str]]:
    """The variables that tell a filter process of these files, for as long as the list lies in `folder`."""
    rows = {path: [str(file.pointer.oid), file.pointer.size, file.xxh3] for path, file in files.items()}
    place = folder / f"written-{os.urandom(8).hex()}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(rows), encoding="utf-8")
        yield {VARIABLE: str(place)}
    finally:
        with contextlib.suppress(OSError):
            place.unlink()


def read_list(place: str) -> dict[str, JustWritten]:
    """The files on a list; none where it cannot be read: then each is cleaned as any other."""
    try:
        rows = json.loads(Path(place).read_text("utf-8"))
        return {path: JustWritten(Pointer(ObjectId.parse(oid), size), xxh3) for path, (oid, size, xxh3) in rows.items()}
    except (OSError, ValueError, TypeError, AttributeError, CorruptData):
        return {}


def confirm(file: JustWritten, source: Source) -> bytes:
    """Drain `source`; the file's pointer if these are the bytes that were written. Raises ChangedSince."""
    import xxhash

    digest, length = xxhash.xxh3_128(), 0
    buffer = memoryview(bytearray(_BLOCK_BYTES))
    while count := source.readinto(buffer):
        digest.update(buffer[:count])
        length += count
    if (length, digest.hexdigest()) != (file.pointer.size, file.xxh3):
        raise ChangedSince("the file changed since its weights were written", "git looks at it once more.")
    return file.pointer.encode()
