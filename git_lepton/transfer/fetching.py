"""Several streams that empty one list of ranges, each chunk checked and stored as it arrives.

A stream that breaks goes on at the first chunk that was not stored; an address that expired is asked for anew; a chunk that
is not what the plan says is fetched once more. A delta waits for its base, which another stream may still bring: ranges come so
ordered (`ranges.ordered_ranges`) that the stream which waits is never the one that is waited for.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import xxhash

from git_lepton.errors import CorruptData, NetworkTrouble
from git_lepton.format.pack import HEADER_BYTES
from git_lepton.store.chunk_store import BaseRefused
from git_lepton.store.recoding import decoded_and_solo
from git_lepton.transfer.http.refusals import UrlExpired
from git_lepton.transfer.http.retries import Transient
from git_lepton.transfer.ranges import PackRange, PlannedChunk

if TYPE_CHECKING:
    from git_lepton.format.coding.encoded import EncodedChunk
    from git_lepton.format.identifiers import ChunkId
    from git_lepton.store.local_store import LocalStore
    from git_lepton.transfer.http.bodies import Stream
    from git_lepton.transfer.progress import Progress
    from git_lepton.transfer.remote_store import RemoteStore
    from git_lepton.wire.messages import RangeUrl

_URLS_AT_ONCE = 64
_SYNC_BYTES = 256 * 1024 * 1024
_EXPIRIES = 3  # in a row
_LOOK_S = 0.5  # between two looks whether all has stopped


class BadPayload(CorruptData):
    """A chunk arrived damaged, twice."""


class RangeIgnored(NetworkTrouble):
    """Whatever answered sent other bytes than the range that was asked for."""


@dataclass(frozen=True)
class _Address:
    """Where to get a range, until `ends` (of the monotonic clock)."""

    url: RangeUrl
    ends: float

    @property
    def is_fresh(self) -> bool:
        return time.monotonic() < self.ends


class Fetcher:
    """Fetches `ranges` from `remote` into `store`."""

    def __init__(self, store: LocalStore, remote: RemoteStore, progress: Progress, ranges: Sequence[PackRange]) -> None:
        self._store, self._remote, self._progress = store, remote, progress
        self._waiting = deque(ranges)
        self._addressed: deque[tuple[PackRange, _Address]] = deque()
        self._addressing = threading.Lock()
        self._arrived = threading.Condition()
        self._unsynced = 0
        self._stopped = False

    def run(self) -> None:
        """All ranges are fetched and stored on return; `store.sync` then makes the last of them durable."""
        with ThreadPoolExecutor(self._remote.streams) as pool:
            workers = [pool.submit(self._work) for _ in range(self._remote.streams)]
            try:
                for worker in workers:
                    worker.result()
            finally:
                self._stopped = True

    def _work(self) -> None:
        try:
            while (task := self._next()) is not None:
                damaged = self._bring(task[0].chunks, task[1])
                for chunk in damaged:
                    if self._bring([chunk], None):
                        raise BadPayload(
                            f"chunk {chunk.name} arrives damaged from {self._remote.connection.host}",
                            "Ask whoever runs the server to run: lepton-server scrub",
                        )
        except BaseException:
            self._stopped = True
            raise

    def _next(self) -> tuple[PackRange, _Address] | None:
        with self._addressing:
            if self._stopped:
                return None
            if not self._addressed and self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(_URLS_AT_ONCE, len(self._waiting)))]
                self._addressed.extend(zip(batch, self._addresses(batch), strict=True))
            return self._addressed.popleft() if self._addressed else None

    def _addresses(self, ranges: Sequence[PackRange]) -> list[_Address]:
        asked = time.monotonic()
        urls = self._remote.range_urls([item.request for item in ranges])
        return [_Address(url, asked + 0.9 * url.expires_in) for url in urls]

    def _bring(self, chunks: Sequence[PlannedChunk], address: _Address | None) -> list[PlannedChunk]:
        """Fetch adjoining chunks, however often the stream breaks. Returns those that arrived damaged."""
        left, damaged = deque(chunks), list[PlannedChunk]()
        attempts = self._remote.attempts()
        expired = 0
        while left and not self._stopped:
            wanted = PackRange(tuple(left))
            if address is None or not address.is_fresh:
                address = self._addresses([wanted])[0]
            try:
                with self._remote.open_range(address.url) as stream:
                    self._drain(stream, wanted, left, damaged)
            except Transient as trouble:
                if len(left) < len(wanted.chunks):
                    attempts.succeeded()
                attempts.failed(trouble)
            except UrlExpired:
                expired = expired + 1 if len(left) == len(wanted.chunks) else 1
                if expired > _EXPIRIES:
                    raise
            address = None  # it was for exactly these bytes
        return damaged

    def _drain(self, stream: Stream, wanted: PackRange, left: deque[PlannedChunk], damaged: list[PlannedChunk]) -> None:
        """Store chunk after chunk and take each from `left`. Raises Transient where the stream ends before."""
        if stream.length not in (None, wanted.length):
            raise RangeIgnored(
                f"{self._remote.connection.host} sent {stream.length} bytes for a range of {wanted.length}",
                "A proxy before the server may ignore the Range header.",
            )
        between = 0
        while left and not self._stopped:
            chunk = left[0]
            payload = memoryview(stream.read(between + chunk.length))[between:]
            whole = xxhash.xxh3_64_intdigest(payload) == chunk.checksum
            if whole and not any(chunk.base == other.name for other in damaged):  # its base comes again, and so must it
                self._keep(chunk, payload)
            else:
                damaged.append(chunk)
            left.popleft()
            between = HEADER_BYTES

    def _keep(self, chunk: PlannedChunk, payload: memoryview) -> None:
        from git_lepton.format.coding.encoded import EncodedChunk

        if chunk.base is not None and not self._await(chunk.base):
            return
        self._add(EncodedChunk(chunk.name, chunk.codec, chunk.depth, chunk.base, chunk.raw_length, payload, chunk.checksum))
        self._progress.advance(chunk.length)
        with self._arrived:
            self._arrived.notify_all()
            self._unsynced += chunk.length
            due = self._unsynced >= _SYNC_BYTES
            if due:
                self._unsynced = 0
        if due:
            self._store.sync()

    def _await(self, base: ChunkId) -> bool:
        """Wait until the base is stored; False where all has stopped before."""
        with self._arrived:
            while self._store.missing([base]) and not self._stopped:
                self._arrived.wait(_LOOK_S)
        return not self._store.missing([base])

    def _add(self, chunk: EncodedChunk) -> None:
        """Where its base lies so deep here that the delta may not be kept as it is, it is kept without a base."""
        from git_lepton.format.coding.encoded import RELEASED

        try:
            self._store.add(chunk)
        except BaseRefused:
            self._store.add(decoded_and_solo(self._store, chunk, RELEASED))
