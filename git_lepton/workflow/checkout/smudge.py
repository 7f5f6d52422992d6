"""Rebuilds an object from the store: what `git checkout` does with a pointer. Chunks are decoded ahead, in threads."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Callable, Generator, Iterator
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from git_lepton.errors import CorruptData, WrongUse

if TYPE_CHECKING:
    from concurrent.futures import Future

    from git_lepton.format.manifest import Manifest
    from git_lepton.format.pointer import Pointer
    from git_lepton.store.ahead import Room
    from git_lepton.store.chunk_store import ChunkStore

TEMPORARY_PREFIX = ".git-lepton-"
SMALL_BYTES = 2 * 1024 * 1024
_MOST_WORKERS = 16


class WrongObject(CorruptData):
    """The chunks are sound, but what they rebuild is not the object of that name."""


class CannotWriteFile(WrongUse):
    """A file of the work tree could not be written. What was there before is untouched."""


def write_object(pointer: Pointer, store: ChunkStore, write: Callable[[bytes | bytearray], object]) -> None:
    """Hand the object's bytes to `write`, in order and in pieces of at most 16 MiB.

    Raises ManifestMissing or ChunkMissing before the first byte, CorruptData at any time: only when this returns, what was
    written is the object. What `write` raises comes out as it is.
    """
    manifest = whole_manifest(pointer, store)
    digest = hashlib.sha256()
    if pointer.size <= SMALL_BYTES:
        for entry in manifest.entries:
            data = store.read(entry.chunk)
            digest.update(data)
            write(data)
    else:
        _write_ahead(manifest, store, digest, write)
    if digest.digest() != pointer.oid.raw:
        raise WrongObject(
            f"what is stored as {pointer.oid} has another sha256", "Run `git lepton fsck`, then `git lepton fetch`."
        )


def whole_manifest(pointer: Pointer, store: ChunkStore) -> Manifest:
    """The object's manifest, when all its chunks are here. Raises ManifestMissing, ChunkMissing, WrongObject."""
    from git_lepton.store.chunk_store import ChunkMissing, ManifestMissing

    manifest = store.manifest(pointer.oid)
    if manifest is None:
        raise ManifestMissing(pointer.oid)
    if manifest.size != pointer.size:
        raise WrongObject(f"{pointer.oid} has {manifest.size} bytes, its pointer says {pointer.size}", "Restore the pointer.")
    chunks = [entry.chunk for entry in manifest.entries]
    if store.missing(chunks):
        store.refresh()
        for chunk in store.missing(chunks):
            raise ChunkMissing(chunk)
    return manifest


def _write_ahead(
    manifest: Manifest, store: ChunkStore, digest: hashlib._Hash, write: Callable[[bytes | bytearray], object]
) -> None:
    """Decode in threads, hash in another, write in this one."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as hashing:
        hashed: Future[None] | None = None
        with contextlib.closing(_decoded(manifest, store)) as chunks:
            for data in chunks:
                before, hashed = hashed, hashing.submit(digest.update, data)
                write(data)
                if before:
                    before.result()
        if hashed:
            hashed.result()


def _decoded(manifest: Manifest, store: ChunkStore) -> Generator[bytes | bytearray, None, None]:
    """The object's chunks in order, some of them decoded ahead; all files of a process share the memory for that."""
    from git_lepton.settings.resources import cores
    from git_lepton.store.ahead import Job, coding_cost, run_ahead

    jobs = (
        Job(partial(store.read, entry.chunk), coding_cost(entry.length, delta=True), entry.length) for entry in manifest.entries
    )
    return run_ahead(jobs, max(2, min(_MOST_WORKERS, cores())), _room())


@cache
def _room() -> Room:
    from git_lepton.settings.resources import memory_budget
    from git_lepton.store.ahead import Room

    return Room(memory_budget())


def write_file(pointer: Pointer, store: ChunkStore, path: Path, *, durably: bool = False) -> str:
    """Make `path` the file that the pointer names, all at once: until then it is what it was, and it keeps its mode. Gives the
    XXH3 (128 bits, in hex) of what was written.

    Written beside it under a name that begins with ".git-lepton-". A work tree's files need not be `durably` there: the store
    has them, durably. Raises what `write_object` raises, and CannotWriteFile (disk full, no permission).
    """
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{os.urandom(8).hex()}")
    try:
        with file_errors(path):
            written = _write_new(pointer, store, temporary, durably)
            _copy_mode(path, temporary)
            temporary.replace(path)
            if durably:
                from git_lepton.store.durable import sync_folder

                sync_folder(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    return written


def _write_new(pointer: Pointer, store: ChunkStore, path: Path, durably: bool) -> str:
    import xxhash

    written = xxhash.xxh3_128()
    with path.open("xb") as file:

        def write(data: bytes | bytearray) -> None:
            file.write(data)
            written.update(data)

        write_object(pointer, store, write)
        file.flush()
        if durably:
            os.fsync(file.fileno())
    return written.hexdigest()


def _copy_mode(existing: Path, new: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        status = existing.lstat()
        if stat.S_ISREG(status.st_mode):
            new.chmod(stat.S_IMODE(status.st_mode))


@contextlib.contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """What the system says against writing this file comes out as CannotWriteFile."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise CannotWriteFile(f"cannot write {path}: {reason}", "Make room or change the permissions, then repeat.") from error
