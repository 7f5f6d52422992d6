"""A local store while weights still arrive in it: a reader waits for the chunk it needs, so that writing overlaps downloading."""

from __future__ import annotations

import contextlib
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from git_lepton.format.coding.encoded import EncodedChunk
    from git_lepton.format.identifiers import ChunkId, ObjectId
    from git_lepton.format.manifest import Manifest
    from git_lepton.format.pointer import Pointer
    from git_lepton.store.local_store import LocalStore
    from git_lepton.transfer.progress import Progress

_LOOK_S = 0.005  # between two looks for a chunk; a look is one look-up in memory


class ArrivingStore:
    """Reads from `store`; what is not there yet is waited for until `finish`. Reads show up in `progress`. Thread safe."""

    def __init__(self, store: LocalStore, progress: Progress) -> None:
        self._store, self._progress = store, progress
        self._announced: dict[ObjectId, Manifest] = {}
        self._planned = threading.Event()
        self._over = threading.Event()

    @property
    def root(self) -> Path:
        return self._store.root

    def announce(self, manifests: Iterable[Manifest]) -> None:
        """These objects are on their way, whole."""
        self._announced = {manifest.oid: manifest for manifest in manifests}
        self._planned.set()

    def finish(self) -> None:
        """No more comes: what is not there now is missing."""
        self._over.set()
        self._planned.set()

    def manifest(self, oid: ObjectId) -> Manifest | None:
        self._planned.wait()
        return self._announced.get(oid) or self._store.manifest(oid)

    def missing(self, names: Iterable[ChunkId]) -> set[ChunkId]:
        """What is neither here nor announced."""
        lacking = self._store.missing(names)
        if lacking and not self._over.is_set():
            lacking -= {entry.chunk for manifest in self._announced.values() for entry in manifest.entries}
        return lacking

    def read(self, name: ChunkId) -> bytes | bytearray:
        while self._store.missing([name]) and not self._over.wait(_LOOK_S):
            pass
        data = self._store.read(name)
        self._progress.advance(len(data))
        return data

    @contextlib.contextmanager
    def counting(self, pointers: Iterable[Pointer]) -> Iterator[None]:
        """Show the reading of these objects as progress."""
        self._progress.start(sum(pointer.size for pointer in pointers))
        try:
            yield
        finally:
            self._progress.finish()

    def refresh(self) -> None:
        self._store.refresh()

    def encoded(self, name: ChunkId) -> EncodedChunk:
        return self._store.encoded(name)

    def manifests(self) -> Iterator[Manifest]:
        return self._store.manifests()
