"""A stored file's bytes, rebuilt from its chunks for whoever has no git-lepton: in windows, each rebuilt into a scratch file first.

However many slow readers there are, memory holds one block for each of them, and what a few windows at once take to decode; no reader
holds the database. Where a chunk is gone in the middle of it, the stream ends before its time, which the reader sees by the length.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import SpooledTemporaryFile, TemporaryFile
from typing import IO, TypeVar

from starlette.concurrency import run_in_threadpool

from git_lepton.errors import CorruptData, WeightsMissing
from git_lepton.format.manifest import CHECK_BYTES, ENTRY, HEAD_BYTES
from lepton_server.content import chunks, objects
from lepton_server.content.decoder import Decoder
from lepton_server.database.transactions import Database
from lepton_server.repositories.registry import Repository
from lepton_server.storage.object_store import ObjectStore

_WINDOW_BYTES = 8 * 1024 * 1024
_BLOCK_BYTES = 128 * 1024
_AT_ONCE = 2  # windows that are being rebuilt
_THREADS = 2  # that decode
_LISTED_BYTES = 256 * 1024  # of a file's list of chunks in memory
Result = TypeVar("Result")
_Chunk = tuple[bytes, int, int]
"""Its name, and which of its bytes are wanted: from (inclusive) and to (exclusive)."""


class ObjectBytes:
    """Rebuilds stored files; one for a process. Scratch files are made in `folder`, without a name."""

    def __init__(self, database: Database, store: ObjectStore, folder: Path) -> None:
        self._database = database
        self._decoder = Decoder(store, _THREADS)
        self._folder = folder
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self.readers = 0  # that have begun and not ended

    def close(self) -> None:
        self._decoder.close()

    async def blocks(self, repository: Repository, oid: bytes, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from `start` to `end` (exclusive) of a file that the repository holds. Raises WeightsMissing, CorruptData,
        StoreTrouble."""
        self.readers += 1
        try:
            listing = partial(self._chunk_list, repository, oid)
            with await self._in_turn(listing) as listed, TemporaryFile(dir=self._folder) as scratch:
                windows = _windows(listed, start, end)
                while window := await run_in_threadpool(next, windows, None):
                    await self._in_turn(partial(self._rebuild, repository, window, scratch))
                    while block := await run_in_threadpool(scratch.read, _BLOCK_BYTES):
                        yield block
        finally:
            self.readers -= 1

    async def _in_turn(self, work: Callable[[], Result]) -> Result:
        """In a thread, when not too many others are at it."""
        async with self._turns:
            return await run_in_threadpool(work)

    def _chunk_list(self, repository: Repository, oid: bytes) -> SpooledTemporaryFile[bytes]:
        """The entries of a file's manifest, one after the other; a long list on the disk."""
        with self._database.read() as connection:
            manifest = objects.manifests(connection, repository, [oid]).get(oid)
        if manifest is None:
            raise WeightsMissing(f"{repository.full_name} holds {oid.hex()} no longer")
        listed: SpooledTemporaryFile[bytes] = SpooledTemporaryFile(_LISTED_BYTES, dir=str(self._folder))  # noqa: SIM115 - outlives this
        listed.write(memoryview(manifest)[HEAD_BYTES:-CHECK_BYTES])
        listed.seek(0)
        return listed

    def _rebuild(self, repository: Repository, window: list[_Chunk], scratch: IO[bytes]) -> None:
        """Put the wanted bytes of these chunks into the scratch file, and nothing else."""
        wanted = {name for name, _, _ in window}
        with self._database.read() as connection:
            found = chunks.linked(connection, repository, wanted)
            chains = chunks.with_bases(connection, repository.tenant, found)
        if lacking := wanted - found.keys():
            raise WeightsMissing(f"{repository.full_name} holds chunk {min(lacking).hex()} no longer")
        scratch.seek(0)
        scratch.truncate()
        decoded = self._decoder.decoded([found[name] for name, _, _ in window], chains)
        for (_, first, last), (_, data) in zip(window, decoded, strict=True):
            if len(data) < last:
                raise CorruptData("a chunk is shorter than its file's manifest says")
            scratch.write(memoryview(data)[first:last])
        scratch.seek(0)


def _windows(listed: IO[bytes], start: int, end: int) -> Iterator[list[_Chunk]]:
    """The chunks that hold these bytes of a file, in order, as many together as make a window."""
    window: list[_Chunk] = []
    held = at = 0
    while at < end and (entry := listed.read(ENTRY.size)):
        name, length = ENTRY.unpack(entry)
        first, last = max(0, start - at), min(length, end - at)
        at += length
        if first < last:
            window.append((name, first, last))
            held += length
        if held >= _WINDOW_BYTES:
            yield window
            window, held = [], 0
    if window:
        yield window
