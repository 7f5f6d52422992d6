"""Brings objects to a server: asks what it lacks, sends that in packs made for this push, waits until all of it is verified.

Every step may be done again, so that resuming is doing it again. In memory are the packs under way, of which there are at most
`remote.streams`, and the one that is being filled; reading and coding for it goes on beside.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from git_lepton.errors import LeptonError, WeightsMissing
from git_lepton.settings.resources import cores, memory_budget
from git_lepton.store.ahead import Room
from git_lepton.transfer.admission import admit, admitted_chunks
from git_lepton.transfer.http.refusals import ChunksUnknown, Refuted, SessionGone, TooLarge, UrlExpired
from git_lepton.transfer.outcome import refusal, wait_until_verified
from git_lepton.transfer.packing import OutgoingPack, PackSizes, SentMeter, fill_packs
from git_lepton.transfer.progress import SILENT
from git_lepton.transfer.push_bases import BaseSources, PushBases
from git_lepton.transfer.tombstones import to_send
from git_lepton.wire.messages import PackOffer, Ticket

if TYPE_CHECKING:
    from git_lepton.format.identifiers import ChunkId, ObjectId
    from git_lepton.format.manifest import Manifest
    from git_lepton.format.pointer import Pointer
    from git_lepton.store.local_store import LocalStore
    from git_lepton.transfer.progress import Progress
    from git_lepton.transfer.remote_store import RemoteStore
    from git_lepton.wire.messages import Borrowed

_SESSIONS = 3  # a session that ends under way, or that lost what it had promised, is followed by another
_ADDRESSES = 3  # upload URLs asked for one pack before giving up
_OF_DELTAS = frozenset(
    {"conflict", "missing_chunks", "corrupt_data"}
)  # refusals that may go away when chunks are sent without a base
_SHARES = 2  # of the memory: one for packs, one for what is read and coded to fill them


@dataclass(frozen=True)
class Uploaded:
    """What a push moved: objects that the server did not have, bytes of packs sent, and raw bytes that needed no sending. `borrowed`:
    what is now held there since it lies under what was sent; `withheld`: repositories whose weights might not be bases there;
    `taken_away`: objects that the server had, and does not take again."""

    objects: int
    bytes_sent: int
    bytes_known: int
    borrowed: tuple[Borrowed, ...] = ()
    withheld: tuple[str, ...] = ()
    taken_away: int = 0


class WeightsNowhere(WeightsMissing):
    """Weights that are to be pushed are neither here nor on the server. `objects` are their oids."""

    def __init__(self, objects: Sequence[ObjectId], host: str) -> None:
        names = ", ".join(map(str, objects[:3])) + (f" and {len(objects) - 3} more" if len(objects) > 3 else "")
        super().__init__(
            f"weights are neither on this machine nor on {host}: {names}",
            "Run `git lepton fetch` from where they are, or `git add` the files again; then push again.",
        )
        self.objects = objects


def upload(
    store: LocalStore,
    remote: RemoteStore,
    objects: Sequence[Pointer],
    progress: Progress = SILENT,
    sources: BaseSources | None = None,
) -> Uploaded:
    """Send what the server lacks of these objects; all of them are verified, durable and visible there on return. What goes may lie on
    these objects and on what `sources` names, nothing else."""
    pointers = list({pointer.oid: pointer for pointer in objects}.values())
    total = sum(pointer.size for pointer in pointers)
    absent, taken = to_send(store, remote, [pointer.oid for pointer in pointers], progress) if pointers else ([], 0)
    if not absent:
        return Uploaded(0, 0, total, taken_away=taken)
    with store.pinned(), remote.connection.noting(progress.note):
        manifests = _manifests(store, absent, remote.connection.host)
        bases = PushBases(store, sources or BaseSources(), [pointer.oid for pointer in pointers])
        sizes = PackSizes()
        sessions = sent = missing = 0
        solo: Collection[ChunkId] = ()
        while True:
            push = _Push(store, remote, manifests, sizes, progress, solo, bases)
            try:
                push.run()
            except (SessionGone, ChunksUnknown):
                sessions += 1
                if sessions == _SESSIONS:
                    raise
            except _Refused as refused:
                sessions += 1
                if sessions == _SESSIONS or (solo and not refused.deltas):
                    raise refused.error from None
                progress.note(f"{remote.connection.host} {refused.what_next}")
                solo = refused.deltas
            except _PackTooLong as refused:
                if not sizes.reduced:
                    progress.note(f"{refused.error.message}; sending smaller packs. {refused.error.hint}")
                sizes.halve(refused.error.size)
            else:
                known = total - max(missing, push.raw_missing)
                return Uploaded(len(manifests), sent + push.bytes_sent, known, push.borrowed, tuple(bases.withheld), taken)
            sent, missing = sent + push.bytes_sent, max(missing, push.raw_missing)


def _manifests(store: LocalStore, oids: Sequence[ObjectId], host: str) -> list[Manifest]:
    found = {oid: store.manifest(oid) for oid in oids}
    if unknown := [oid for oid, manifest in found.items() if manifest is None]:
        raise WeightsNowhere(unknown, host)
    return [manifest for manifest in found.values() if manifest is not None]


class _PackTooLong(Exception):
    """A pack of several chunks is too long for something on the way: start again with smaller ones, so that the order holds."""

    def __init__(self, error: TooLarge) -> None:
        super().__init__(error.message)
        self.error = error


class _Refused(Exception):
    """The server did not take all. Where deltas were sent a base of theirs may have changed there, gone or rotted; else something was
    damaged on the way: what is sent was checked as it was read."""

    def __init__(self, error: LeptonError, deltas: Collection[ChunkId]) -> None:
        super().__init__(error.message)
        self.error = error
        self.deltas = deltas
        self.what_next = (
            "does not take some weights as differences to others; sending them whole"
            if deltas
            else "found damage in what arrived; sending it again"
        )


class _Stopped(Exception):
    """Another part of this push failed: what is being sent is of no use."""


class _Push:
    """One upload session, from opening it to its end."""

    def __init__(
        self,
        store: LocalStore,
        remote: RemoteStore,
        manifests: Sequence[Manifest],
        sizes: PackSizes,
        progress: Progress,
        solo: Collection[ChunkId],
        bases: PushBases,
    ) -> None:
        self._store, self._remote, self._progress = store, remote, progress
        self._manifests, self._sizes, self._solo, self._bases = manifests, sizes, solo, bases
        self._session = remote.open_upload()
        if self._session.warning:
            progress.note(self._session.warning)
        self._allowed = frozenset(self._session.codecs)
        share = memory_budget() // _SHARES
        sizes.limit(min(self._session.max_pack_bytes, remote.capabilities().max_pack_bytes, share // (remote.streams + 1)))
        self._room = Room(share)
        self._slots = threading.Semaphore(remote.streams)
        self._lock = threading.Lock()
        self._failure: BaseException | None = None
        self._deltas: set[ChunkId] = set()
        self.raw_missing = 0
        self.bytes_sent = 0
        self.borrowed: tuple[Borrowed, ...] = ()

    def run(self) -> None:
        """Raises SessionGone, ChunksUnknown or _PackTooLong where a new session may do better."""
        lengths = {entry.chunk: entry.length for manifest in self._manifests for entry in manifest.entries}
        names = list(lengths)
        self._remote.announce_all(self._session.session, self._manifests)
        have = self._remote.have(self._session.session, names)
        missing = [name for name in names if name not in have]
        self._check_here(missing)
        self.raw_missing = sum(lengths[name] for name in missing)
        if missing:
            self._progress.start(self.raw_missing)
            try:
                self._send_all(missing, have)
            finally:
                self._progress.finish()
        self._conclude()

    def _check_here(self, names: Sequence[ChunkId]) -> None:
        """Nothing is sent unless all can be: weights in part help nobody."""
        lacking = self._store.missing(names)
        if not lacking:
            return
        broken = [m.oid for m in self._manifests if any(entry.chunk in lacking for entry in m.entries)]
        raise WeightsNowhere(broken, self._remote.connection.host)

    # Sending

    def _send_all(self, names: Sequence[ChunkId], have: dict[ChunkId, int]) -> None:
        there = self._bases.there(self._remote, self._session.session, names, have)
        order = admit(self._store, names, self._allowed, there, self._solo)
        self._deltas = {admitted.name for admitted in order if admitted.base}
        ready = admitted_chunks(self._store, order, self._allowed, max(2, cores()), self._room)
        with closing(ready) as chunks, ThreadPoolExecutor(self._remote.streams) as pool:
            try:
                for number, pack in enumerate(fill_packs(chunks, self._sizes, self._take_slot)):
                    pool.submit(self._work, pack, number)
                    del pack  # whoever sends it has it; it is big
                for _ in range(self._remote.streams):
                    self._take_slot()  # all are sent when nobody holds one
            except _Stopped:
                pass
            except BaseException as error:
                self._fail(error)  # ends what is being sent: the user may have interrupted us
                raise
        if self._failure is not None:
            raise self._failure

    def _take_slot(self) -> None:
        self._slots.acquire()
        if self._failure is not None:
            raise _Stopped

    def _work(self, pack: OutgoingPack, number: int) -> None:
        try:
            self._deliver(pack, number)
        except _Stopped:
            pass
        except BaseException as error:
            self._fail(error)
        finally:
            self._slots.release()

    def _fail(self, error: BaseException) -> None:
        with self._lock:
            self._failure = self._failure or error

    def _deliver(self, pack: OutgoingPack, number: int) -> None:
        began = time.monotonic()
        try:
            if not self._put(pack, number):
                return
        except TooLarge as error:
            raise error if len(pack.chunks) == 1 else _PackTooLong(error) from None
        self._sizes.measured(pack.length, time.monotonic() - began)
        with self._lock:
            self.bytes_sent += pack.length

    def _put(self, pack: OutgoingPack, number: int) -> bool:
        """Whether anything was sent: the server may have the pack."""
        checksum = pack.sha256() if self._session.upload_checksum == "sha256" else ""
        offer = PackOffer(pack.name, pack.length, number, checksum)
        meter = SentMeter(pack, self.advance)
        for attempt in range(1, _ADDRESSES + 1):
            ticket = self._remote.tickets(self._session.session, [offer])[0]
            if not ticket.url:
                self._progress.advance(pack.raw)
                return False
            try:
                self._remote.put_pack(ticket, pack.buffers, meter.sent)
                self._confirm(ticket)
            except (UrlExpired, Refuted, ChunksUnknown):  # damaged or lost on the way: it was checked as it was read
                meter.sent(-meter.bytes)
                if attempt == _ADDRESSES:
                    raise
                continue
            return True
        raise AssertionError("the last attempt returns or raises")

    def _confirm(self, ticket: Ticket) -> None:
        if ticket.confirm:
            self._remote.confirm(self._session.session, ticket.pack)

    def advance(self, raw: int) -> None:
        """So many raw bytes have gone out (or must again). Raises _Stopped when there is no sense in sending more."""
        self._progress.advance(raw)
        if raw > 0 and self._failure is not None:
            raise _Stopped

    def _conclude(self) -> None:
        """Wait until all is verified. Raises what the server refused."""
        state = self._remote.commit(self._session.session)
        state = wait_until_verified(self._remote, self._session.session, state, self._progress)
        if state.state == "failed":
            error = refusal(state, self._remote.connection.host)
            codes = {failure.code for failure in state.failures}
            again = codes & _OF_DELTAS if self._deltas else codes & {"corrupt_data"}
            again -= codes if "quota_exceeded" in codes else set()
            raise _Refused(error, self._deltas) if again else error
        self.borrowed = tuple(state.bases)
