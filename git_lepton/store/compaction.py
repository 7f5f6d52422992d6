"""Compaction: packs are rewritten to merge small ones, to rescue those of killed processes, and to drop what nothing refers to.

The way is always the same and safe at any point of it: under the store's lock the records to keep are written to new packs,
those are made durable, and only then the old ones are removed. A crash between leaves records twice, which harms nobody.
Readers whose pack vanished find the records in the new one.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from git_lepton.errors import LeptonError
from git_lepton.format.identifiers import ObjectId
from git_lepton.format.pack import Kind
from git_lepton.store.chunk_store import DamagedChunk, Pruned, StoreBusy, StoreFull, disk_errors
from git_lepton.store.durable import sync_folder
from git_lepton.store.file_lock import is_locked, try_lock, unlock
from git_lepton.store.own_packs import ROLL_BYTES
from git_lepton.store.pack_file import PackFile
from git_lepton.store.pack_writer import PackWriter
from git_lepton.store.reachability import reachable_chunks
from git_lepton.store.verification import is_damaged, lost_before

if TYPE_CHECKING:
    from git_lepton.store.pack_store import PackStore

SMALL_PACK_BYTES = 4 * 1024 * 1024
MANY_SMALL_PACKS = 48
_PATIENCE_S = 10.0
_BINARY = getattr(os, "O_BINARY", 0)
_NAME = slice(16, 48)  # of a record's header

Wanted = Callable[[PackFile, int], bool]  # whether a record, given by its pack and number in it, is to stay


def tidy(store: PackStore) -> None:
    """Merge small packs if there are many, and take over those that killed processes left. Puts it off while others
    are busy or there is no room."""
    store.catalogue.refresh()
    small = [pack for pack in store.catalogue.packs() if pack.sealed and pack.size < SMALL_PACK_BYTES]
    orphans = [pack for pack in store.catalogue.packs() if _is_orphan(pack)]
    small = small if len(small) > MANY_SMALL_PACKS else []
    if not small and not orphans:
        return
    with contextlib.suppress(StoreBusy, StoreFull), disk_errors(store.root), store.gate.removing(patience_s=0):
        store.catalogue.refresh(thoroughly=True)
        known = set(store.catalogue.packs())
        rewrite(store, [pack for pack in small + orphans if pack in known], partial(_is_needed, store))


def prune(store: PackStore, keep: set[ObjectId], older_than_s: float, dry_run: bool) -> Pruned:
    """Drop what is neither reachable from the objects in `keep` nor younger than `older_than_s` seconds (as LocalStore.prune says)."""
    if not store.catalogue.folder.is_dir():
        return Pruned(0, 0)
    limit = time.time() - older_than_s  # now, for `keep` may not know what is added while we wait
    with disk_errors(store.root), store.gate.removing(_PATIENCE_S):
        store.catalogue.refresh(thoroughly=True)
        young = _young(store.catalogue.packs(), limit)
        objects = keep | {ObjectId(name) for pack in young for kind, _, name in pack.glance() if kind == Kind.MANIFEST}
        chunks = reachable_chunks(store, objects, young)
        wanted = {oid.raw for oid in objects}, chunks
        before = sum(pack.size for pack in store.catalogue.packs())
        gone = [name for name in store.catalogue.manifest_names() if name not in wanted[0]]
        old = [pack for pack in store.catalogue.packs() if pack not in young]
        is_wanted = _wanted(store, *wanted)
        if dry_run:
            return Pruned(len(gone), sum(_garbage_bytes(pack, is_wanted) for pack in old))
        rewrite(store, [pack for pack in old if _garbage_bytes(pack, is_wanted)], is_wanted)
        return Pruned(len(gone), before - sum(pack.size for pack in store.catalogue.packs()))


def clear_damage(store: PackStore, *, patience_s: float = 0.0) -> list[str]:
    """Remove the packs in which something is damaged and all of which is sound elsewhere by now, or here: what is sound moves out of them.
    Their names. One of which something still needed is lost stays, so that `verify` can name it. Raises StoreBusy."""
    store.refresh()
    bad = [pack for pack in store.catalogue.packs() if pack.sealed and is_damaged(pack) and not any(lost_before(store, pack))]
    if not bad:
        return []
    with disk_errors(store.root), store.gate.removing(patience_s):
        store.catalogue.refresh(thoroughly=True)
        there = {pack.path.name: pack for pack in store.catalogue.packs()}
        named = [pack.path.name for pack in bad if pack.path.name in there]
        for name in named:  # each on its own: one that stays keeps no other
            rewrite(store, [there[name]], partial(_is_needed, store))
        left = {pack.path.name for pack in store.catalogue.packs()}
        return [name for name in named if name not in left]


def _young(packs: list[PackFile], limit: float) -> set[PackFile]:
    """Packs that living processes wrote, and those written or freshened after `limit` (seconds since 1970)."""
    alive = {pack.owner for pack in packs if not pack.sealed and not _is_orphan(pack)}
    return {pack for pack in packs if pack.owner in alive or pack.path.stat().st_mtime > limit}


def _is_orphan(pack: PackFile) -> bool:
    """Whether nobody is going to seal this open pack."""
    if pack.sealed or pack.mine:
        return False
    try:
        descriptor = os.open(pack.path, os.O_RDONLY | _BINARY)
    except FileNotFoundError:
        return False
    try:
        return not is_locked(descriptor)
    finally:
        os.close(descriptor)


def _wanted(store: PackStore, objects: set[bytes], chunks: set[bytes]) -> Wanted:

    def is_wanted(pack: PackFile, ordinal: int) -> bool:
        header = pack.header(ordinal)
        wanted = objects if header[0] == Kind.MANIFEST else chunks
        return header[_NAME] in wanted and _is_needed(store, pack, ordinal)

    return is_wanted


def _is_needed(store: PackStore, pack: PackFile, ordinal: int) -> bool:
    """Of a record that is there more than once only the copy stays that the catalogue names, if that is sound."""
    header = pack.header(ordinal)
    look_up = store.catalogue.manifest if header[0] == Kind.MANIFEST else store.catalogue.chunk
    place = look_up(header[_NAME])
    if place is None or place == (pack, ordinal):
        return place is not None
    try:
        store.payload(pack.record(ordinal).name, *place)
    except (LeptonError, OSError):
        return True
    return False


def _garbage_bytes(pack: PackFile, is_wanted: Wanted) -> int:
    return sum(pack.length(ordinal) for ordinal in range(len(pack)) if not is_wanted(pack, ordinal))


def rewrite(store: PackStore, packs: list[PackFile], is_wanted: Wanted) -> None:
    """Put the wanted records of these packs into new ones, then remove these. A sealed pack with damage in a wanted record
    stays as it is, so that `verify` can name what is lost."""
    with _exclusive(packs) as locks:
        output = _Output(store, locks)
        try:
            for pack in list(locks):
                output.take(pack, is_wanted)
            output.finish()
        except BaseException:
            output.abandon()
            raise
    store.catalogue.refresh(thoroughly=True)


@contextmanager
def _exclusive(packs: list[PackFile]) -> Iterator[dict[PackFile, int | None]]:
    """Those of the packs that nobody writes to. The open ones among them are locked, by the descriptor given with them, so that
    nobody begins to."""
    locks: dict[PackFile, int | None] = {pack: None for pack in packs if pack.sealed}
    try:
        for pack in packs:
            if not pack.sealed:
                descriptor = os.open(pack.path, os.O_RDWR | _BINARY)
                if try_lock(descriptor):
                    locks[pack] = descriptor
                else:
                    os.close(descriptor)
        yield locks
    finally:
        for left in locks.values():
            if left is not None:
                unlock(left)  # a process that was just forked may hold the file open for a moment longer
                os.close(left)


class _Output:
    """Takes records over into new packs; removes the packs they came from as soon as the new ones are durable."""

    def __init__(self, store: PackStore, locks: dict[PackFile, int | None]) -> None:
        self._store = store
        self._locks = locks
        self._folder = store.catalogue.folder
        self._owner = os.urandom(8).hex()
        self._writer: PackWriter | None = None
        self._packs = 0
        self._emptied: list[PackFile] = []
        self._youngest = 0.0

    def take(self, pack: PackFile, is_wanted: Wanted) -> None:
        try:
            for ordinal in range(len(pack)):
                if is_wanted(pack, ordinal):
                    record = pack.record(ordinal)
                    self._append(pack.header(ordinal), self._store.payload(record.name, pack, ordinal)[1])
        except DamagedChunk:
            return  # what was taken over is there twice now
        self._youngest = max(self._youngest, pack.path.stat().st_mtime)
        self._emptied.append(pack)

    def _append(self, header: bytes, payload: bytes) -> None:
        if self._writer and self._writer.pack.end >= ROLL_BYTES:
            self.finish()
        if self._writer is None:
            self._writer = PackWriter(self._folder, self._owner, self._packs)
            self._packs += 1
        self._writer.append(header, payload)

    def finish(self) -> None:
        if self._writer:
            writer, self._writer = self._writer, None
            writer.seal()
            if len(writer.pack) and self._youngest:
                os.utime(writer.pack.path, (self._youngest, self._youngest))
        for pack in self._emptied:
            self._remove(pack)
        self._emptied.clear()
        sync_folder(self._folder)

    def _remove(self, pack: PackFile) -> None:
        self._store.files.forget(pack.path)
        descriptor = self._locks.get(pack)
        if sys.platform == "win32" and descriptor is not None:  # no file goes there while it is open, nor does one just begun
            os.close(descriptor)
            self._locks[pack] = None
        with contextlib.suppress(PermissionError):  # Windows: somebody reads it; the next time then
            pack.remove()

    def abandon(self) -> None:
        """Leave the old packs as they are."""
        if self._writer:
            self._writer.discard()
