"""Rebuilding announced files: their SHA-256, fed chunk by chunk in file order as chunks become known. Pure: no storage, no database."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from git_lepton.format.identifiers import ObjectId
from git_lepton.format.manifest import CHECK_BYTES, ENTRY, HEAD_BYTES


class Rebuild:
    """One file on its way from manifest to SHA-256. `manifest` is one that `parse_manifest` accepted."""

    def __init__(self, oid: ObjectId, manifest: bytes) -> None:
        self.oid = oid
        self.manifest = manifest
        self.count = (len(manifest) - HEAD_BYTES - CHECK_BYTES) // ENTRY.size
        self.position = 0
        self.fed_bytes = 0
        self.wrong_length: bytes | None = None  # a chunk that has another length than the manifest says
        self._sha256 = hashlib.sha256()
        self._known = False

    @property
    def next(self) -> bytes | None:
        """The name of the chunk that is needed next, None at the end or when nothing can mend it any more."""
        if self.position == self.count or self.wrong_length:
            return None
        return self._entry(self.position)[0]

    @property
    def matches(self) -> bool:
        """Whether all was fed and the file is the one that its name says."""
        return self._known or (self.position == self.count and self._sha256.digest() == self.oid.raw)

    def believe(self, size: int) -> None:
        """Take the file of `size` bytes as right without its bytes: this very manifest was verified before."""
        self._known, self.position, self.fed_bytes = True, self.count, size

    def feed(self, data: bytes | bytearray) -> None:
        """Take the bytes of the chunk that is needed next."""
        name, length = self._entry(self.position)
        if len(data) != length:
            self.wrong_length = name
            return
        self._sha256.update(data)
        self.position += 1
        self.fed_bytes += length

    def upcoming(self, limit: int) -> Iterator[bytes]:
        """The names of the chunks that are needed next, in order, at most `limit`."""
        for index in range(self.position, min(self.count, self.position + limit)):
            yield self._entry(index)[0]

    def chunks(self) -> list[bytes]:
        """The names of all its chunks, in file order."""
        return [name for name, _ in ENTRY.iter_unpack(self.manifest[HEAD_BYTES:-CHECK_BYTES])]

    def windows(self, most: int = 50_000) -> Iterator[set[bytes]]:
        """The names of its chunks as sets of at most `most`, which bounds memory: a file may have millions."""
        step, end = most * ENTRY.size, len(self.manifest) - CHECK_BYTES
        for start in range(HEAD_BYTES, end, step):
            yield {name for name, _ in ENTRY.iter_unpack(self.manifest[start : min(start + step, end)])}

    def common(self, chunks: set[bytes]) -> set[bytes]:
        """Those of these chunks that the file has."""
        return {chunk for window in self.windows() for chunk in window & chunks}

    def _entry(self, index: int) -> tuple[bytes, int]:
        name, length = ENTRY.unpack_from(self.manifest, HEAD_BYTES + index * ENTRY.size)
        return name, length


class Rebuilds:
    """All files of one upload. A chunk goes to each file that needs it next."""

    def __init__(self) -> None:
        self._all: dict[ObjectId, Rebuild] = {}
        self._waiting: dict[bytes, list[Rebuild]] = {}
        self.fed_bytes = 0

    def __contains__(self, oid: ObjectId) -> bool:
        return oid in self._all

    def __iter__(self) -> Iterator[Rebuild]:
        return iter(self._all.values())

    def consist_of(self, chunks: set[bytes]) -> set[bytes]:
        """Those of these chunks that belong to one of the files."""
        return set().union(*(rebuild.common(chunks) for rebuild in self))

    def proven(self, chunks: set[bytes]) -> set[bytes]:
        """Those of these chunks that belong to one of the files that are what their names say."""
        return set().union(*(rebuild.common(chunks) for rebuild in self if rebuild.matches))

    def add(self, rebuild: Rebuild) -> None:
        self._all[rebuild.oid] = rebuild
        self.fed_bytes += rebuild.fed_bytes
        self._await([rebuild])

    def feed(self, chunk: bytes, data: bytes | bytearray) -> list[Rebuild]:
        """Give a chunk's bytes to those files that need it next; these files."""
        moved = self._waiting.pop(chunk, [])
        for rebuild in moved:
            before = rebuild.fed_bytes
            while rebuild.next == chunk:  # a file may hold the same chunk several times in a row
                rebuild.feed(data)
            self.fed_bytes += rebuild.fed_bytes - before
        self._await(moved)
        return moved

    def _await(self, rebuilds: Iterable[Rebuild]) -> None:
        for rebuild in rebuilds:
            if (needed := rebuild.next) is not None:
                self._waiting.setdefault(needed, []).append(rebuild)
