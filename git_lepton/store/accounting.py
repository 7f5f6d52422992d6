"""Bills of a local store: what objects take in it, each chunk counted once, for the first object that needs it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from git_lepton.format.manifest import ManifestEntry
    from git_lepton.store.pack_store import PackStore


class Bill(NamedTuple):
    """Bytes. `logical`: as files. `unique`: raw bytes of chunks counted nowhere before. `delta`, `solo`: what those take on disk,
    coded against a base or by themselves, bases that nothing else needs included."""

    logical: int = 0
    unique: int = 0
    delta: int = 0
    solo: int = 0

    @property
    def stored(self) -> int:
        """Bytes on disk."""
        return self.delta + self.solo

    def __add__(self, other: object) -> Bill:
        if not isinstance(other, Bill):
            return NotImplemented
        return Bill(*(a + b for a, b in zip(self, other, strict=True)))


class Account:
    """Counts chunks of one store, each once. What is not here counts as raw bytes only."""

    def __init__(self, store: PackStore) -> None:
        self._store = store
        self._named: set[bytes] = set()
        self._stored: set[bytes] = set()

    def charge(self, entries: Iterable[ManifestEntry]) -> Bill:
        """What these chunks, which follow each other in a file, add to what was counted before."""
        bill = Bill()
        for entry in entries:
            bill += self._one(entry.chunk.raw, entry.length)
        return bill

    def _one(self, name: bytes, length: int) -> Bill:
        new = name not in self._named
        self._named.add(name)
        delta = solo = 0
        for size, is_delta in self._fresh(name):
            if is_delta:
                delta += size
            else:
                solo += size
        return Bill(length, length if new else 0, delta, solo)

    def _fresh(self, name: bytes | None) -> Iterator[tuple[int, bool]]:
        """Of a chunk and its bases, those not counted yet: bytes on disk, and whether it is a delta."""
        while name is not None and name not in self._stored:
            self._stored.add(name)
            place = self._store.catalogue.chunk(name)
            if place is None:
                return
            pack, ordinal = place
            name = pack.base(ordinal)
            yield pack.length(ordinal), name is not None
