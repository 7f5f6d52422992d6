"""Decoding of stored chunks to raw bytes: read, checked against checksum and name, decoded with their bases, a few ahead on a thread pool.

Memory is bounded whatever comes in: what all threads decode at once, what each caller has not taken yet, and the bases kept.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import xxhash

from git_lepton.errors import CorruptData
from git_lepton.format.coding.codec import decode
from git_lepton.format.coding.encoded import EncodedChunk
from git_lepton.format.identifiers import ChunkId
from git_lepton.format.pack import MAX_DEPTH
from lepton_server.content.chunks import Encoding
from lepton_server.storage.object_store import Readable

_AHEAD_BYTES = 40 * 1024 * 1024  # raw, that one caller has not taken yet
_WORKING_BYTES = 32 * 1024 * 1024  # raw, that are being decoded at once; decoding takes a few times as much
_BASE_BYTES = 32 * 1024 * 1024  # raw, of bases that may be used again


class Decoder:
    """Decodes on `threads` threads, as many at once as memory allows."""

    def __init__(self, store: Readable, threads: int) -> None:
        self._store = store
        self._most_ahead = threads + 2
        self._pool = ThreadPoolExecutor(threads, "decode")
        self._room = _Room(_WORKING_BYTES)
        self._bases = BaseCache(_BASE_BYTES)

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def decoded(self, encodings: Iterable[Encoding], bases: Mapping[bytes, Encoding]) -> Iterator[tuple[bytes, Decoded]]:
        """Name and raw bytes of each, in order; `bases` tells where bases lie. Raises CorruptData, WrongUse or StoreTrouble."""
        pending: deque[tuple[Encoding, Future[Decoded]]] = deque()
        ahead = 0
        try:
            for encoding in encodings:
                while pending and (len(pending) >= self._most_ahead or ahead + encoding.raw > _AHEAD_BYTES):
                    ahead -= pending[0][0].raw
                    yield _taken(pending)
                pending.append((encoding, self._pool.submit(self.read, encoding, bases)))
                ahead += encoding.raw
            while pending:
                yield _taken(pending)
        finally:
            for _, future in pending:
                future.cancel()

    def read_base(self, encoding: Encoding, bases: Mapping[bytes, Encoding]) -> Decoded:
        """One chunk's raw bytes, kept for a while since others may lie on it. Raises as `decoded`."""
        with self._room.of(_widest(encoding, bases)):
            return self._bases.get(encoding.chunk, lambda: self._read(encoding, bases))

    def read(self, encoding: Encoding, bases: Mapping[bytes, Encoding]) -> Decoded:
        """One chunk's raw bytes. Raises as `decoded`."""
        with self._room.of(_widest(encoding, bases)):
            return self._read(encoding, bases)

    def _read(self, encoding: Encoding, bases: Mapping[bytes, Encoding]) -> Decoded:
        base_id, base = None, None
        if encoding.base is not None:
            base_id, below = ChunkId(encoding.base), bases[encoding.base]
            base = self._bases.get(encoding.base, lambda: self._read(below, bases))
        payload, name = self._payload(encoding), ChunkId(encoding.chunk)
        return decode(EncodedChunk(name, encoding.codec, encoding.depth, base_id, encoding.raw, payload, encoding.checksum), base)

    def _payload(self, encoding: Encoding) -> bytes:
        payload = self._store.read(encoding.storage_key, encoding.offset, encoding.stored)
        if xxhash.xxh3_64_intdigest(payload) != encoding.checksum:
            raise CorruptData(f"the payload of chunk {encoding.chunk.hex()} is damaged: its checksum does not match")
        return payload


def _widest(encoding: Encoding, bases: Mapping[bytes, Encoding]) -> int:
    """Raw bytes of the largest chunk of a chain. Raises CorruptData unless the chain ends within `MAX_DEPTH` bases."""
    widest, base = encoding.raw, encoding.base
    for _ in range(MAX_DEPTH):
        if base is None:
            break
        if base not in bases:
            raise CorruptData(f"the base of chunk {encoding.chunk.hex()} is not there")
        widest, base = max(widest, bases[base].raw), bases[base].base
    if base is not None:
        raise CorruptData(f"chunk {encoding.chunk.hex()} lies on more than {MAX_DEPTH} bases")
    return widest


def _taken(pending: deque[tuple[Encoding, Future[Decoded]]]) -> tuple[bytes, Decoded]:
    encoding, future = pending.popleft()
    return encoding.chunk, future.result()


class _Room:
    """A bound on bytes that are worked on at once. Whoever needs more than are free waits; more than `most` counts as `most`."""

    def __init__(self, most: int) -> None:
        self._most = self._free = most
        self._changed = threading.Condition()

    @contextmanager
    def of(self, size: int) -> Iterator[None]:
        wanted = min(size, self._most)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= wanted)
            self._free -= wanted
        try:
            yield
        finally:
            with self._changed:
                self._free += wanted
                self._changed.notify_all()


Decoded = bytes | bytearray


class BaseCache:
    """At most `most_bytes` of raw bytes, those not counted that somebody decodes right now. Safe to use from any thread."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._held = 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, Decoded] = OrderedDict()

    def get(self, name: bytes, decode: Callable[[], Decoded]) -> Decoded:
        """The raw bytes of this chunk: kept, or decoded here. `decode` checks their name. Raises what it raises."""
        with self._lock:
            if name in self._kept:
                self._kept.move_to_end(name)
                return self._kept[name]
        data = decode()
        self._keep(name, data)
        return data

    def _keep(self, name: bytes, data: Decoded) -> None:
        with self._lock:
            if name in self._kept or len(data) > self._most:
                return
            self._kept[name] = data
            self._held += len(data)
            while self._held > self._most:
                self._held -= len(self._kept.popitem(last=False)[1])
