"""Brings objects from a server: takes manifests and a plan, fetches what the local store lacks in ranges, several at a time.

One plan names the chunks and those bases of theirs that are not here; they come in one pass, each base before its deltas and all as
near as can be to the order of the files, so that a file can be written while the rest of it is on its way. A chunk is checked and
stored as soon as it has arrived, so that what came before a break stays. Never more than one chunk for each stream is in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from git_lepton.errors import WeightsMissing
from git_lepton.transfer.fetching import Fetcher
from git_lepton.transfer.http.refusals import RangeGone
from git_lepton.transfer.progress import SILENT
from git_lepton.transfer.ranges import PlannedChunk, ordered_ranges, read_plan
from git_lepton.transfer.tombstones import WeightsTakenAway, taken_away

if TYPE_CHECKING:
    from collections.abc import Callable

    from git_lepton.format.identifiers import ChunkId, ObjectId
    from git_lepton.format.manifest import Manifest
    from git_lepton.format.pointer import Pointer
    from git_lepton.store.local_store import LocalStore
    from git_lepton.transfer.progress import Progress
    from git_lepton.transfer.remote_store import RemoteStore

    Announce = Callable[[Sequence[Manifest]], None]

_MANIFEST_BATCH = 8 * 1024 * 1024  # bytes of manifests in one answer, about
_SMALLEST_PIECE = 64 * 1024  # as many bytes of a file have one entry in its manifest, at least
_ENTRY_BYTES = 36
_PLANS = 3  # for one download


@dataclass(frozen=True)
class Downloaded:
    """What a download moved: objects that were not here before, and bytes of payloads that arrived."""

    objects: int
    bytes_received: int


class ObjectsAbsent(WeightsMissing):
    """The server does not have all that is wanted; all others were brought.

    `where` names the repository and its host, `objects` are the oids, `taken_away` says of which it is why; `bytes_received` of the
    others.
    """

    def __init__(
        self,
        objects: Sequence[ObjectId],
        where: str,
        taken_away: Mapping[ObjectId, WeightsTakenAway] = MappingProxyType({}),
        bytes_received: int = 0,
    ) -> None:
        known = list(taken_away.values())
        unknown = [oid for oid in objects if oid not in taken_away]
        told = [*(error.message for error in known), *map(str, unknown)]
        names = ", ".join(told[:3]) + (f" and {len(told) - 3} more" if len(told) > 3 else "")
        hint = "Somebody who has them has to run: git lepton push" if unknown else known[0].hint if known else ""
        super().__init__(f"{where} {'lack' if ' and ' in where else 'lacks'} weights: {names}", hint)
        self.objects = objects
        self.bytes_received = bytes_received
        self.taken_away = taken_away

    def about(self, oid: ObjectId) -> WeightsMissing:
        """What to say of one of the objects."""
        return self.taken_away.get(oid, self)


def download(
    store: LocalStore,
    remote: RemoteStore,
    objects: Sequence[Pointer],
    progress: Progress = SILENT,
    announce: Announce | None = None,
) -> Downloaded:
    """Bring these objects; durable on return. Raises ObjectsAbsent after all others were brought.

    `announce` hears, before chunks arrive, of the manifests of all that the server has whole.
    """
    pointers = list({pointer.oid: pointer for pointer in objects}.values())
    with store.pinned(), remote.connection.noting(progress.note):
        manifests = _manifests(store, remote, pointers)
        lengths = {entry.chunk: entry.length for manifest in manifests.values() for entry in manifest.entries}
        here = lengths.keys() - store.missing(lengths)
        fresh = [m for m in manifests.values() if store.manifest(m.oid) is None or not _is_whole(m, here)]
        names = [name for name in lengths if name not in here]
        planned, lacking = _plan(store, remote, names)
        whole = [manifest for manifest in manifests.values() if not any(entry.chunk in lacking for entry in manifest.entries)]
        if announce:
            announce(whole)
        received = _fetch(store, remote, names, planned, progress)
        for manifest in whole:
            store.add_manifest(manifest)
        store.sync()
    brought = {manifest.oid for manifest in whole}
    absent = [pointer.oid for pointer in pointers if pointer.oid not in brought]
    if absent:
        gone = {oid: WeightsTakenAway(stone) for oid, stone in taken_away(remote, absent).items()}
        raise ObjectsAbsent(absent, f"{remote.repository} on {remote.connection.host}", gone, received)
    return Downloaded(len(fresh), received)


def _is_whole(manifest: Manifest, here: Iterable[ChunkId]) -> bool:
    return all(entry.chunk in here for entry in manifest.entries)


def _manifests(store: LocalStore, remote: RemoteStore, pointers: Sequence[Pointer]) -> dict[ObjectId, Manifest]:
    """The manifests that are here or there, in the order of the pointers."""
    found = {pointer.oid: store.manifest(pointer.oid) for pointer in pointers}
    batch: list[ObjectId] = []
    expected = 0
    for pointer in pointers:
        if found[pointer.oid] is None:
            batch.append(pointer.oid)
            expected += pointer.size // _SMALLEST_PIECE * _ENTRY_BYTES
        if expected > _MANIFEST_BATCH:
            found.update((manifest.oid, manifest) for manifest in remote.manifests(batch))
            batch, expected = [], 0
    found.update((manifest.oid, manifest) for manifest in remote.manifests(batch))
    return {oid: manifest for oid, manifest in found.items() if manifest is not None}


def _plan(store: LocalStore, remote: RemoteStore, names: Sequence[ChunkId]) -> tuple[list[PlannedChunk], set[ChunkId]]:
    """How to fetch these chunks, none of which is here, with the bases that are not here either; and those that the server lacks."""
    planned: dict[ChunkId, PlannedChunk] = {}
    lacking: set[ChunkId] = set()
    for asked, plan in remote.plans(names):
        chunks, absent = read_plan(asked, plan)
        lacking |= absent
        planned.update((chunk.name, chunk) for chunk in chunks)
    needed: dict[ChunkId, PlannedChunk] = {}
    waiting = [name for name in reversed(names) if name not in lacking]
    while waiting:
        chunk = planned[waiting.pop()]
        if chunk.name not in needed:
            needed[chunk.name] = chunk
            waiting += store.missing([chunk.base]) if chunk.base else ()
    return list(needed.values()), lacking


def _fetch(
    store: LocalStore, remote: RemoteStore, names: Sequence[ChunkId], planned: Sequence[PlannedChunk], progress: Progress
) -> int:
    """Fetch and store these chunks, for which there is a plan; another is asked for where the server has moved some of them
    meanwhile. Returns the bytes of their payloads."""
    received = 0
    for attempt in range(1, _PLANS + 1):
        try:
            _fetch_planned(store, remote, planned, progress)
            return received + sum(chunk.length for chunk in planned)
        except RangeGone:
            if attempt == _PLANS:
                raise
        gone = store.missing(chunk.name for chunk in planned)
        received += sum(chunk.length for chunk in planned if chunk.name not in gone)
        planned, lacking = _plan(store, remote, [name for name in names if name in gone])
        if lacking:
            raise RangeGone(f"{remote.connection.host} has let go of weights while they were fetched", "Fetch again.")
    raise AssertionError("the last attempt returns or raises")


def _fetch_planned(store: LocalStore, remote: RemoteStore, planned: Sequence[PlannedChunk], progress: Progress) -> None:
    if not planned:
        return
    progress.start(sum(chunk.length for chunk in planned))
    try:
        Fetcher(store, remote, progress, ordered_ranges(planned)).run()
    finally:
        progress.finish()
