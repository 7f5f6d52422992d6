"""The interface of a chunk store: what it promises, and the errors that it raises.

A store keeps encodings of chunks and the manifests that order them. Its promises:

- A chunk has one encoding: the first that was added. Adding what is there changes nothing. A base is added before its deltas; the
  depth of a delta is what it has in this store, whatever the delta says, and at most 3.
- What was added can be read at once by the same process, and after `sync` it survives a loss of power.
- `read` gives bytes of exactly that name or raises; damage of one chunk never hides another.
- `missing` is as of the last `refresh`; reading looks again by itself before it says that something is missing.
- While `pinned`, nothing that the store holds is pruned, by whatever process.
- All methods may be called by several threads at once, and the store be open in several processes.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from git_lepton.errors import CorruptData, LeptonError, NotAllowed, WeightsMissing, WrongUse

if TYPE_CHECKING:
    from pathlib import Path

    from git_lepton.format.coding.encoded import EncodedChunk
    from git_lepton.format.identifiers import ChunkId, Digest, ObjectId
    from git_lepton.format.manifest import Manifest

_FULL = frozenset(getattr(errno, name) for name in ("ENOSPC", "EDQUOT", "EFBIG") if hasattr(errno, name))
_NOT_WRITABLE = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


class ChunkMissing(WeightsMissing):
    """The store lacks a chunk that is needed."""

    def __init__(self, chunk: ChunkId) -> None:
        super().__init__(f"the local store lacks chunk {chunk}", "Run `git lepton fetch` to bring the weights here.")
        self.chunk = chunk


class ManifestMissing(WeightsMissing):
    """The store does not know of which chunks an object consists."""

    def __init__(self, oid: ObjectId) -> None:
        super().__init__(f"the weights {oid} are not on this machine", "Run `git lepton pull` to bring them here.")
        self.oid = oid


class DamagedChunk(CorruptData):
    """The stored bytes of one chunk or manifest are not those that were written."""

    def __init__(self, name: Digest, why: str) -> None:
        hint = "Run `git lepton fetch`, then repeat; or, where the file is still whole: git add --renormalize FILE"
        super().__init__(f"the stored bytes of {name} are damaged: {why}", hint)
        self.name = name


class BaseRefused(CorruptData):
    """A delta whose base is not stored, or lies so deep that the delta would be too deep."""


class StoreFull(WrongUse):
    """No room for more weights. Whatever was stored before is whole."""


class StoreNotWritable(NotAllowed):
    """The file system or its permissions do not let us store weights."""


class StoreBusy(WrongUse):
    """Another process is using what would have to be changed."""


class DiskTrouble(CorruptData):
    """The file system could not do what it was asked for."""


def explained(error: OSError, place: Path) -> LeptonError:
    """The error to show instead of this one, met while using the store in `place`."""
    reason = (error.strerror or str(error)).lower()
    if error.errno in _FULL:
        hint = "Free disk space (`git lepton prune` may help), then repeat."
        return StoreFull(f"there is no room to store weights in {place}: {reason}", hint)
    if error.errno in _NOT_WRITABLE:
        hint = "Check who owns the folder and how its disk is mounted."
        return StoreNotWritable(f"the weights stored in {place} cannot be used or added to: {reason}", hint)
    return DiskTrouble(f"the weights stored in {place} cannot be used: {reason}", "Check the disk, then repeat.")


@contextmanager
def disk_errors(place: Path) -> Iterator[None]:
    """OS errors inside come out as StoreFull, StoreNotWritable or DiskTrouble."""
    try:
        yield
    except OSError as error:
        raise explained(error, place) from error


@dataclass(frozen=True, slots=True)
class Usage:
    """`stored_bytes` on disk, in how many packs, with the manifests of how many objects."""

    stored_bytes: int
    packs: int
    objects: int


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many objects (manifests) went, and by how many bytes the store shrank (or would)."""

    objects: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a store. `subject` is a chunk, an oid or a pack file's name."""

    subject: str
    message: str


@dataclass(frozen=True, slots=True)
class Unreferenced:
    """An object that nothing names. `own_bytes`: stored bytes that would go with it and with those before it; `age_s`: since
    it was added or last asked for."""

    oid: ObjectId
    own_bytes: int
    age_s: float


class ChunkStore(Protocol):
    """Reads chunks and manifests."""

    def missing(self, names: Iterable[ChunkId]) -> set[ChunkId]: ...

    def encoded(self, name: ChunkId) -> EncodedChunk:
        """As it is stored, checksum checked. Raises ChunkMissing or DamagedChunk."""

    def read(self, name: ChunkId) -> bytes | bytearray:
        """The raw bytes, name checked. Raises ChunkMissing or a CorruptData that names the chunk."""

    def manifest(self, oid: ObjectId) -> Manifest | None: ...

    def manifests(self) -> Iterator[Manifest]: ...

    def refresh(self) -> None:
        """See what other processes added or dropped."""


class WritableChunkStore(ChunkStore, Protocol):
    """A ChunkStore that keeps what it is given. Adding raises StoreFull, StoreNotWritable or DiskTrouble; nothing is half-visible then."""

    def add(self, chunk: EncodedChunk) -> None:
        """No-op if there. Raises BaseRefused for a delta whose base is not there yet, or lies too deep already."""

    def add_manifest(self, manifest: Manifest) -> None: ...

    def sync(self) -> None:
        """All that was added, and all that `missing` said was there, is durable."""

    def pinned(self) -> AbstractContextManager[None]:
        """Refreshes; until it is left, nothing that is there goes away."""

    def close(self) -> None: ...
