"""Cuts what a push sends into packs, in its order, no longer than a link can carry in good time."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from git_lepton.format.pack import HEADER_BYTES, MAX_PACK_BYTES, PACK_HEAD, TRAILER_BYTES, end_record

if TYPE_CHECKING:
    from git_lepton.format.coding.encoded import EncodedChunk
    from git_lepton.transfer.http.bodies import Buffer

LEAST_BYTES = 1024 * 1024
FIRST_BYTES = 8 * 1024 * 1024
_SECONDS = 20.0
_OVERHEAD = len(PACK_HEAD) + HEADER_BYTES + TRAILER_BYTES  # of an empty pack
_RECORD_OVERHEAD = 2 * HEADER_BYTES  # before the payload, and in the index


@dataclass(frozen=True)
class OutgoingPack:
    """A whole pack in memory. `buffers` are its bytes in order, never joined; `length` is their sum; `raw` sums the raw bytes."""

    name: str
    chunks: tuple[EncodedChunk, ...]
    buffers: tuple[Buffer, ...]
    length: int
    raw: int

    def sha256(self) -> str:
        """The SHA-256 of the pack, in hex."""
        digest = hashlib.sha256()
        for buffer in self.buffers:
            digest.update(buffer)
        return digest.hexdigest()


def make_pack(chunks: Iterable[EncodedChunk]) -> OutgoingPack:
    """A pack of these chunks, in this order."""
    kept = tuple(chunks)
    headers = [chunk.record().encode() for chunk in kept]
    name, end = end_record(headers)
    body = [part for header, chunk in zip(headers, kept, strict=True) for part in (header, chunk.payload)]
    buffers: tuple[Buffer, ...] = (PACK_HEAD, *body, end)
    return OutgoingPack(str(name), kept, buffers, sum(map(len, buffers)), sum(chunk.raw_length for chunk in kept))


class SentMeter:
    """Turns bytes of a pack that were sent into raw bytes of files, which is what progress counts; `advance` gets the latter."""

    def __init__(self, pack: OutgoingPack, advance: Callable[[int], None]) -> None:
        self._raw, self._length, self._advance = pack.raw, pack.length, advance
        self.bytes = self._told = 0

    def sent(self, count: int) -> None:
        self.bytes += count
        reached = self._raw * self.bytes // self._length
        step, self._told = reached - self._told, reached
        self._advance(step)


class PackSizes:
    """How long the next pack may be: about 20 s at the measured rate, within what the server takes. Thread safe."""

    def __init__(self, first: int = FIRST_BYTES) -> None:
        self._lock = threading.Lock()
        self._limit = MAX_PACK_BYTES
        self._size = first
        self._reduced = False

    @property
    def next(self) -> int:
        """Bytes."""
        with self._lock:
            return self._size

    def measured(self, length: int, seconds: float) -> None:
        """A pack of this length took so long, among the others that travelled at the time."""
        with self._lock:
            carried = int(length * _SECONDS / max(seconds, 1e-3))
            self._size = max(LEAST_BYTES, min(self._limit, carried, 4 * self._size))

    @property
    def reduced(self) -> bool:
        """Whether `halve` was called."""
        with self._lock:
            return self._reduced

    def halve(self, length: int) -> None:
        """A pack of this length is too long for the server or something before it."""
        self.limit(length // 2)
        with self._lock:
            self._reduced = True

    def limit(self, length: int) -> None:
        """No pack may be longer than this from now on."""
        with self._lock:
            self._limit = max(1, min(self._limit, length))
            self._size = min(self._size, self._limit)


def fill_packs(chunks: Iterable[EncodedChunk], sizes: PackSizes, ready: Callable[[], None]) -> Iterator[OutgoingPack]:
    """Packs of at most `sizes.next` bytes (one chunk goes in any case). Before a pack's first payload is read `ready` is called,
    which may wait."""
    source = iter(chunks)
    ready()
    held: list[EncodedChunk] = []
    length = _OVERHEAD
    for chunk in source:
        needed = len(chunk.payload) + _RECORD_OVERHEAD
        if held and length + needed > sizes.next:
            yield make_pack(held)
            held, length = [], _OVERHEAD
            ready()
        held.append(chunk)
        length += needed
    if held:
        yield make_pack(held)
