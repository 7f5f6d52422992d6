"""Tensors of a stored object, and where they lie: found by reading its headers only, so that a new version can be coded against them."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from git_lepton.errors import CorruptData, WeightsMissing
from git_lepton.format.coding.encoded import UnknownCodec
from git_lepton.format.layout import regions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from git_lepton.format.identifiers import ChunkId, ObjectId
    from git_lepton.format.layout import Region
    from git_lepton.format.manifest import Manifest
    from git_lepton.store.chunk_store import ChunkStore

UNREADABLE = (WeightsMissing, CorruptData, UnknownCodec)  # what a store that lacks something, or holds it damaged, raises


class StoredTensor(NamedTuple):
    """A tensor of an object: what the file says of it, and the byte of the file at which it begins."""

    region: Region
    start: int
    whole: StoredObject

    def chunk_at(self, offset: int) -> ChunkId | None:
        """The chunk that begins at this byte of the tensor; None where none does."""
        return self.whole.chunk_from(self.start + offset) if 0 <= offset < self.region.length else None


class StoredObject:
    """The tensors of one object."""

    def __init__(self, manifest: Manifest, tensors: Iterator[tuple[int, Region]]) -> None:
        starts = accumulate((entry.length for entry in manifest.entries), initial=0)
        self._chunks = {start: entry.chunk for start, entry in zip(starts, manifest.entries, strict=False)}
        self._named: dict[str, list[StoredTensor]] = {}
        self._alike: dict[tuple[str, tuple[int, ...], int], list[StoredTensor]] = {}
        for start, region in tensors:
            tensor = StoredTensor(region, start, self)
            self._named.setdefault(region.name, []).append(tensor)
            self._alike.setdefault((region.element, region.shape, region.length), []).append(tensor)

    def chunk_from(self, start: int) -> ChunkId | None:
        return self._chunks.get(start)

    def named(self, name: str) -> list[StoredTensor]:
        """The tensors of this name: one, in any sane file."""
        return self._named.get(name, [])

    def alike(self, region: Region) -> list[StoredTensor]:
        """The tensors of the same dtype and shape."""
        return self._alike.get((region.element, region.shape, region.length), [])


def open_stored(store: ChunkStore, oid: ObjectId) -> StoredObject | None:
    """The tensors of this object; None where the store lacks it, or what is needed to tell where they lie."""
    try:
        manifest = store.manifest(oid)
        return StoredObject(manifest, _tensors(_StoredBytes(store, manifest))) if manifest else None
    except UNREADABLE:
        return None


def tensors_of(store: ChunkStore, manifest: Manifest) -> Iterator[tuple[int, Region]]:
    """The byte at which each tensor of an object begins, and what the file says of it, in file order. Raises one of UNREADABLE."""
    return _tensors(_StoredBytes(store, manifest))


def _tensors(source: _StoredBytes) -> Iterator[tuple[int, Region]]:
    for region in regions(source):
        if region.piece:
            yield source.position, region
        source.skip(region.length)


class _StoredBytes:
    """An object's bytes, to look at and to skip: only the chunks that are looked at are read."""

    def __init__(self, store: ChunkStore, manifest: Manifest) -> None:
        self._store, self._entries, self._size = store, manifest.entries, manifest.size
        self._starts = list(accumulate((entry.length for entry in manifest.entries), initial=0))
        self._window, self._window_start = b"", 0
        self.position = 0

    def skip(self, count: int) -> None:
        self.position = min(self.position + count, self._size)

    def peek(self, count: int, /) -> memoryview:
        end = min(self.position + count, self._size)
        if end > self._window_start + len(self._window) or self.position < self._window_start:
            self._look(end)
        at = self.position - self._window_start
        return memoryview(self._window)[at : at + end - self.position]

    def _look(self, end: int) -> None:
        """Let the window hold the chunks from the position on, up to `end` at least."""
        stop = self._window_start + len(self._window)
        if self._window_start <= self.position < stop:
            parts, number = [self._window], bisect_right(self._starts, stop) - 1
        else:
            parts, number = [], bisect_right(self._starts, self.position) - 1
            self._window_start = stop = self._starts[number]
        while stop < end:
            parts.append(bytes(self._store.read(self._entries[number].chunk)))
            stop, number = self._starts[number + 1], number + 1
        self._window = b"".join(parts)
