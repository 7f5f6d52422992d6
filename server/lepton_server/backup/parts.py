"""Bytes and rows into parts of an archive; a part that is there already is not written again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import zstandard

from lepton_server.backup.archive import PART_BYTES, Archive, part_key
from lepton_server.backup.snapshot import BadSnapshot, Listing, Part

_ROWS, _TEXT_BYTES = 20_000, 16 * 1024 * 1024  # of one part, about
_ENCODE = json.JSONEncoder(separators=(",", ":")).encode  # one for all: making it takes longer than a row
_LARGEST_TEXT = 256 * 1024 * 1024  # one row holds at most a manifest


class PartWriter:
    """Writes parts into an archive. `known` are its keys; `written_bytes` counts what was not there."""

    def __init__(self, archive: Archive, known: set[str]) -> None:
        self._archive = archive
        self._known = known
        self.written_bytes = 0

    def part(self, data: bytes) -> Part:
        part = Part(hashlib.sha256(data).hexdigest(), len(data))
        if part_key(part) not in self._known:
            self._archive.put(part_key(part), data)
            self._known.add(part_key(part))
            self.written_bytes += len(data)
        return part

    def parts(self, blocks: Iterable[bytes]) -> list[Part]:
        """A stream of bytes, in parts of at most `PART_BYTES`."""
        found, waiting = [], bytearray()
        for block in blocks:
            waiting += block
            while len(waiting) >= PART_BYTES:
                found.append(self.part(bytes(waiting[:PART_BYTES])))
                del waiting[:PART_BYTES]
        if waiting:
            found.append(self.part(bytes(waiting)))
        return found

    def listing(self, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Listing:
        """Rows of JSON values. The same rows make the same parts."""
        parts: list[Part] = []
        lines: list[bytes] = []
        count = size = 0
        for row in rows:
            lines.append(_ENCODE(row).encode() + b"\n")
            count, size = count + 1, size + len(lines[-1])
            if len(lines) >= _ROWS or size >= _TEXT_BYTES:
                parts.append(self._lines(lines))
                lines, size = [], 0
        if lines:
            parts.append(self._lines(lines))
        return Listing(list(columns), count, parts)

    def _lines(self, lines: list[bytes]) -> Part:
        return self.part(zstandard.ZstdCompressor(level=3).compress(b"".join(lines)))


def rows_of(archive: Archive, listing: Listing) -> Iterator[dict[str, Any]]:
    """The rows of a listing, by column. Raises BadSnapshot unless they are all there."""
    count = 0
    for part in listing.parts:
        try:
            text = zstandard.ZstdDecompressor().decompress(archive.read(part), max_output_size=_LARGEST_TEXT)
            rows = [json.loads(line) for line in text.splitlines()]
        except (zstandard.ZstdError, ValueError):
            raise BadSnapshot(f"the part {part.sha256} of this backup cannot be read") from None
        for row in rows:
            if not isinstance(row, list) or len(row) != len(listing.columns):
                raise BadSnapshot(f"the part {part.sha256} of this backup has a row of the wrong length")
            yield dict(zip(listing.columns, row, strict=True))
        count += len(rows)
    if count != listing.rows:
        raise BadSnapshot(f"this backup has {count} rows where it says {listing.rows}")
