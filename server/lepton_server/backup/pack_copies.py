"""Packs from a server's store into an archive, several at a time; what an earlier backup brought is not read again."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

from git_lepton.errors import CorruptData
from lepton_server.backup.archive import Archive, pack_key
from lepton_server.content.pack_reader import check_whole_pack
from lepton_server.storage.object_store import ObjectMissing, ObjectStore, StoreFull, StoreTrouble

COLUMNS = ["name", "size", "sha256"]
_AT_ONCE = 4  # packs, each of at most 64 MiB, in memory


@dataclass(frozen=True)
class StoredPack:
    """A pack of the server: 32 bytes of name, key in its store, bytes."""

    name: bytes
    storage_key: str
    size: int


class _Copy(NamedTuple):
    sha256: str
    written: int  # bytes; 0 where the archive had it


@dataclass
class PackCopies:
    """`known` are the keys of the archive, `checksums` the SHA-256 (hex) of packs by name that complete snapshots hold; `go_on` is
    called between packs."""

    store: ObjectStore
    archive: Archive
    known: set[str]
    checksums: dict[bytes, str]
    go_on: Callable[[], None]
    copied: int = 0
    copied_bytes: int = 0
    damaged: list[str] = field(default_factory=list)  # what is wrong with packs that could not be copied

    def rows(self, packs: Iterable[StoredPack]) -> Iterator[tuple[str, int, str]]:
        """The rows of these packs, each once, as they are safe in the archive. What is damaged is left out and noted."""
        running: deque[tuple[StoredPack, Future[_Copy]]] = deque()
        with ThreadPoolExecutor(_AT_ONCE, "backup") as pool:
            try:
                for pack in self._each_once(packs):
                    running.append((pack, pool.submit(self._copy, pack)))
                    if len(running) == _AT_ONCE:
                        yield from self._row(*running.popleft())
                while running:
                    yield from self._row(*running.popleft())
            finally:
                for _, future in running:
                    future.cancel()

    def _row(self, pack: StoredPack, future: Future[_Copy]) -> Iterator[tuple[str, int, str]]:
        self.go_on()
        try:
            done = future.result()
        except (CorruptData, ObjectMissing) as error:
            self.damaged.append(error.message)
            return
        self.copied, self.copied_bytes = self.copied + (done.written > 0), self.copied_bytes + done.written
        yield pack.name.hex(), pack.size, done.sha256

    @staticmethod
    def _each_once(packs: Iterable[StoredPack]) -> Iterator[StoredPack]:
        seen: set[bytes] = set()
        for pack in packs:
            if pack.name not in seen:
                seen.add(pack.name)
                yield pack

    def _copy(self, pack: StoredPack) -> _Copy:
        """The pack lies in the archive, whole, when this returns."""
        key = pack_key(pack.name)
        if key in self.known and pack.name in self.checksums:
            return _Copy(self.checksums[pack.name], 0)
        if key in self.known:
            if (data := self._left_over(pack)) is not None:
                return _Copy(hashlib.sha256(data).hexdigest(), 0)
            self.archive.store.delete(key)
        data = self._read(pack)
        self.archive.put(key, data)
        return _Copy(hashlib.sha256(data).hexdigest(), len(data))

    def _left_over(self, pack: StoredPack) -> bytes | None:
        """What a backup brought that did not come to its end, if it is sound."""
        try:
            return self.archive.pack(pack.name)
        except CorruptData:
            return None

    def _read(self, pack: StoredPack) -> bytes:
        """Reads once more before it believes that a pack is damaged."""
        for last in (False, True):
            try:
                data = self.store.read(pack.storage_key, 0, pack.size)
                check_whole_pack(data, pack.name)
                return data
            except (CorruptData, StoreTrouble) as error:
                if last or isinstance(error, (ObjectMissing, StoreFull)):
                    raise
        raise AssertionError("one of both tries returns or raises")
