"""Stored chunks as raw bytes: read, checked against checksum and name, decoded with their bases, a few ahead on a thread pool."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

import xxhash

from git_lepton.errors import CorruptData
from git_lepton.format.coding.codec import EncodedChunk, decode
from git_lepton.format.identifiers import ChunkId
from git_lepton.format.pack import MAX_DEPTH
from lepton_server.names import Encoding
from lepton_server.object_store import ObjectStore

Decoded = bytes | bytearray


class Decoder:
    """Decodes on `threads` threads. At most `threads + 2` chunks of one caller are in memory at once, their bases not counted."""

    def __init__(self, store: ObjectStore, threads: int) -> None:
        self._store = store
        self._ahead = threads + 2
        self._pool = ThreadPoolExecutor(threads, "decode")

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def decoded(self, encodings: Iterable[Encoding], bases: Mapping[bytes, Encoding]) -> Iterator[tuple[bytes, Decoded]]:
        """Name and raw bytes of each, in order; `bases` tells where bases lie. Raises CorruptData, WrongUse or StoreTrouble."""
        rest = iter(encodings)
        pending: deque[tuple[bytes, Future[Decoded]]] = deque()
        try:
            while True:
                for encoding in islice(rest, self._ahead - len(pending)):
                    pending.append((encoding.chunk, self._pool.submit(self.read, encoding, bases)))
                if not pending:
                    return
                name, future = pending.popleft()
                yield name, future.result()
        finally:
            for _, future in pending:
                future.cancel()

    def read(self, encoding: Encoding, bases: Mapping[bytes, Encoding], depth: int = 0) -> Decoded:
        """One chunk's raw bytes."""
        name = ChunkId(encoding.chunk)
        base_id = ChunkId(encoding.base) if encoding.base else None
        base = None
        if base_id is not None:
            if depth == MAX_DEPTH or base_id.raw not in bases:
                raise CorruptData(f"the base of chunk {name} is not there")
            base = bytes(self.read(bases[base_id.raw], bases, depth + 1))
        payload = self._payload(encoding)
        return decode(EncodedChunk(name, encoding.codec, encoding.depth, base_id, encoding.raw, payload, encoding.checksum), base)

    def _payload(self, encoding: Encoding) -> bytes:
        payload = self._store.read(encoding.storage_key, encoding.offset, encoding.stored)
        if xxhash.xxh3_64_intdigest(payload) != encoding.checksum:
            raise CorruptData(f"the payload of chunk {encoding.chunk.hex()} is damaged: its checksum does not match")
        return payload
