"""Brings objects to a server: asks what it lacks, sends that in packs made for this push, waits until all of it is verified.

Every step may be done again, so that resuming is doing it again. At most `remote.streams` packs are in memory.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from git_lepton.errors import LeptonError, NetworkTrouble, WeightsMissing
from git_lepton.transfer.packing import OutgoingPack, PackSizes, fill_packs, in_order
from git_lepton.transfer.progress import SILENT
from git_lepton.transfer.refusals import ChunksUnknown, NotFound, Refuted, SessionGone, TooLarge, UrlExpired, error_of_code
from git_lepton.wire.messages import PackOffer, Ticket, UploadState
from git_lepton.wire.protocol import MISSING, STORED

if TYPE_CHECKING:
    from git_lepton.format.coding.codec import EncodedChunk
    from git_lepton.format.identifiers import ChunkId, ObjectId
    from git_lepton.format.manifest import Manifest
    from git_lepton.format.pointer import Pointer
    from git_lepton.store.local_store import LocalStore
    from git_lepton.transfer.progress import Progress
    from git_lepton.transfer.remote_store import RemoteStore

_SESSIONS = 3  # a session that ends under way, or that lost what it had promised, is followed by another
_ADDRESSES = 3  # asked for one pack
_FIRST_POLL_S, _LONGEST_POLL_S = 0.05, 2.0
_WAIT_S = 2.0  # that the server may hold an answer back: long enough to be quick, short enough to show progress
_STUCK_S = 600.0  # a verification that does not go on for so long


@dataclass(frozen=True)
class Uploaded:
    """What a push moved: objects that the server did not have, bytes of packs sent, and raw bytes that needed no sending."""

    objects: int
    bytes_sent: int
    bytes_known: int


class WeightsNowhere(WeightsMissing):
    """Weights that are to be pushed are neither here nor on the server. `objects` are their oids."""

    def __init__(self, objects: Sequence[ObjectId], host: str) -> None:
        names = ", ".join(map(str, objects[:3])) + (f" and {len(objects) - 3} more" if len(objects) > 3 else "")
        super().__init__(
            f"weights are neither on this machine nor on {host}: {names}",
            "Run `git lepton fetch` from where they are, or `git add` the files again; then push again.",
        )
        self.objects = objects


def upload(store: LocalStore, remote: RemoteStore, objects: Sequence[Pointer], progress: Progress = SILENT) -> Uploaded:
    """Send what the server lacks of these objects; all of them are verified, durable and visible there on return."""
    pointers = list({pointer.oid: pointer for pointer in objects}.values())
    total = sum(pointer.size for pointer in pointers)
    absent = _not_stored(remote, [pointer.oid for pointer in pointers]) if pointers else []
    if not absent:
        return Uploaded(0, 0, total)
    with store.pinned(), remote.connection.noting(progress.note):
        manifests = _manifests(store, absent, remote.connection.host)
        sizes = PackSizes()
        sessions = sent = missing = 0
        while True:
            push = _Push(store, remote, manifests, sizes, progress)
            try:
                push.run()
            except (SessionGone, ChunksUnknown):
                sessions += 1
                if sessions == _SESSIONS:
                    raise
            except _PackTooLong as refused:
                if not sizes.reduced:
                    progress.note(f"{refused.error.message}; sending smaller packs. {refused.error.hint}")
                sizes.halve(refused.error.size)
            else:
                return Uploaded(len(manifests), sent + push.bytes_sent, total - max(missing, push.raw_missing))
            sent, missing = sent + push.bytes_sent, max(missing, push.raw_missing)


def _not_stored(remote: RemoteStore, oids: list[ObjectId]) -> list[ObjectId]:
    try:
        states = remote.check(oids)
    except NotFound:  # the first push makes the repository
        states = dict.fromkeys(oids, MISSING)
    return [oid for oid in oids if states[oid] != STORED]


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


class _Stopped(Exception):
    """Another part of this push failed: what is being sent is of no use."""


class _Push:
    """One upload session, from opening it to its end."""

    def __init__(
        self, store: LocalStore, remote: RemoteStore, manifests: Sequence[Manifest], sizes: PackSizes, progress: Progress
    ) -> None:
        self._store, self._remote, self._progress = store, remote, progress
        self._manifests, self._sizes = manifests, sizes
        self._session = remote.open_upload()
        self._allowed = frozenset(self._session.codecs)
        sizes.limit(min(self._session.max_pack_bytes, remote.capabilities().max_pack_bytes))
        self._slots = threading.Semaphore(remote.streams)
        self._lock = threading.Lock()
        self._failure: BaseException | None = None
        self._known: set[ChunkId] = set()
        self.raw_missing = 0
        self.bytes_sent = 0

    def run(self) -> None:
        """Raises SessionGone, ChunksUnknown or _PackTooLong where a new session may do better."""
        lengths = {entry.chunk: entry.length for manifest in self._manifests for entry in manifest.entries}
        names = list(lengths)
        self._remote.announce_all(self._session.session, self._manifests)
        have = self._remote.have(self._session.session, names)
        missing = [name for name in names if name not in have]
        self._check_here(missing)
        self._known = set(names)
        self.raw_missing = sum(lengths[name] for name in missing)
        if missing:
            self._progress.start(self.raw_missing)
            try:
                self._send_all(missing)
            finally:
                self._progress.finish()
        self._wait_until_verified(self._remote.commit(self._session.session))

    def _check_here(self, names: Sequence[ChunkId]) -> None:
        """Nothing is sent unless all can be: weights in part help nobody."""
        lacking = self._store.missing(names)
        if not lacking:
            return
        broken = [m.oid for m in self._manifests if any(entry.chunk in lacking for entry in m.entries)]
        raise WeightsNowhere(broken, self._remote.connection.host)

    # Sending

    def _send_all(self, names: Sequence[ChunkId]) -> None:
        chunks = map(self._admissible, in_order(names, set(names), self._store.encoded))
        with ThreadPoolExecutor(self._remote.streams) as pool:
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

    def _admissible(self, chunk: EncodedChunk) -> EncodedChunk:
        """The chunk as this repository may keep it: by an allowed codec, and with a base that is there or on its way."""
        if chunk.codec in self._allowed and (chunk.base is None or self._is_known(chunk.base)):
            return chunk
        from git_lepton.format.coding.codec import encode

        return encode(self._store.read(chunk.name), "", self._allowed, chunk.name)

    def _is_known(self, base: ChunkId) -> bool:
        if base not in self._known and self._remote.have(self._session.session, [base]):
            self._known.add(base)
        return base in self._known

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
        meter = _Meter(self, pack)
        for attempt in range(1, _ADDRESSES + 1):
            ticket = self._remote.tickets(self._session.session, [offer])[0]
            if not ticket.url:
                self._progress.advance(pack.raw)
                return False
            try:
                self._remote.put_pack(ticket, pack.buffers, meter.sent)
            except (UrlExpired, Refuted):  # what we send was checked as it was read: it was damaged on the way
                if attempt == _ADDRESSES:
                    raise
                continue
            self._confirm(ticket)
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

    # The end

    def _wait_until_verified(self, state: UploadState) -> None:
        delay, moved, told = _FIRST_POLL_S, time.monotonic(), False
        while state.state not in ("done", "failed"):
            asked = time.monotonic()
            before, state = state, self._remote.upload_state(self._session.session, wait=_WAIT_S)
            if time.monotonic() - asked < delay:  # a server that does not hold its answers back
                time.sleep(delay)
                delay = min(2 * delay, _LONGEST_POLL_S)
            moved = moved if state == before else time.monotonic()
            if time.monotonic() - moved > _STUCK_S:
                raise NetworkTrouble(f"{self._remote.connection.host} does not go on verifying", "Push again later.")
            if not told and state == before:
                told = True
                self._progress.note(f"{self._remote.connection.host} is verifying what arrived")
        if state.state == "failed":
            raise self._refused(state)

    def _refused(self, state: UploadState) -> LeptonError:
        failures = state.failures
        if not failures:
            return NetworkTrouble(f"{self._remote.connection.host} refused the upload without a reason", "Push again.")
        told = "; ".join(f"{failure.subject[:64]}: {failure.message}" for failure in failures[:3])
        more = f" (and {len(failures) - 3} more)" if len(failures) > 3 else ""
        return error_of_code(failures[0].code, f"{self._remote.connection.host} refused what was pushed: {told}{more}")


class _Meter:
    """Turns bytes of a pack that were sent into raw bytes of files, which is what progress counts."""

    def __init__(self, push: _Push, pack: OutgoingPack) -> None:
        self._push = push
        self._raw, self._length = pack.raw, pack.length
        self._sent = self._told = 0

    def sent(self, count: int) -> None:
        self._sent += count
        reached = self._raw * self._sent // self._length
        step, self._told = reached - self._told, reached
        self._push.advance(step)
