"""Cleaning, which is what `git add` does with a tracked file: its bytes become a pointer, and the weights are kept.

The answer is given only when the weights are durable. All names are hashes of the bytes that came, never of what a cache
remembers of the file (docs/decisions/0002). Work runs beside the reading: one thread hashes the whole, some name and encode
pieces that the store lacks, one appends them in order. A piece that the store has is neither encoded nor written; one that it
lacks is coded against an earlier version of it where `bases` knows one.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from git_lepton.errors import CorruptData
from git_lepton.format.pointer import MAX_POINTER_BYTES, NotAPointer, Pointer, claims_to_be_pointer, parse_pointer

if TYPE_CHECKING:
    from concurrent.futures import Future

    from git_lepton.format.chunking import Piece, Source
    from git_lepton.format.coding.encoded import Base, EncodedChunk
    from git_lepton.format.identifiers import ChunkId
    from git_lepton.format.manifest import Manifest, ManifestEntry
    from git_lepton.store.chunk_store import WritableChunkStore
    from git_lepton.workflow.bases.finder import Bases

SMALL_BYTES = 2 * 1024 * 1024  # up to here threads cost more than they bring


class StoredPieceDamaged(CorruptData):
    """A piece that was stored already, and so was not stored again, turned out to be damaged when it was read as a base."""

    def __init__(self) -> None:
        super().__init__("a stored piece of this file turned out to be damaged", "Repeat the command: the piece is stored anew.")


def clean(source: Source, store: WritableChunkStore, codecs: frozenset[int], bases: Bases | None = None) -> bytes:
    """The pointer for what `source` holds, when that is durably in the store, encoded by these codecs only.

    Empty content and content that is a pointer come back as they are. Raises BadPointer or UnknownPointerVersion for a pointer that
    is none of ours, StoredPieceDamaged, and what the source or the store raises; then the store shows nothing of it, and the source
    may not be at its end.
    """
    head = _head(source)
    if not head or _is_pointer(head):
        return head
    with store.pinned():
        manifest = _keep(_Resumed(head, source), store, codecs, bases)
        if store.missing(entry.chunk for entry in manifest.entries):
            raise StoredPieceDamaged
        store.add_manifest(manifest)
        store.sync()
    return Pointer(manifest.oid, manifest.size).encode()


def _is_pointer(head: bytes) -> bool:
    """Whether this is all of a valid pointer. What is longer than any pointer is ordinary content."""
    if not claims_to_be_pointer(head):
        return False
    try:
        parse_pointer(head)
    except NotAPointer:
        return False
    return True


def _head(source: Source) -> bytes:
    """The first bytes: enough to tell whether it is a pointer, and all of it if it may be one."""
    buffer, filled = memoryview(bytearray(MAX_POINTER_BYTES + 1)), 0
    while filled < len(buffer):
        got = source.readinto(buffer[filled:])
        if not got:
            break
        filled += got
    return bytes(buffer[:filled])


class _Resumed:
    """A source that begins with bytes already taken from it."""

    def __init__(self, head: bytes, source: Source) -> None:
        self._head, self._source = head, source

    def readinto(self, buffer: memoryview, /) -> int:
        if not self._head:
            return self._source.readinto(buffer)
        part, self._head = self._head[: len(buffer)], self._head[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


def _keep(source: Source, store: WritableChunkStore, codecs: frozenset[int], bases: Bases | None) -> Manifest:
    """Add the chunks of an object to the store; gives its manifest."""
    from git_lepton.format.chunking import pieces
    from git_lepton.format.identifiers import ObjectId
    from git_lepton.format.manifest import Manifest

    work = _Work(store, codecs, bases)
    cut = pieces(source)
    first = _up_to(SMALL_BYTES, cut)
    more = next(cut, None)
    entries = [work.do(piece) for piece in first] if more is None else list(work.beside(chain(first, [more], cut)))
    size = sum(entry.length for entry in entries)
    return Manifest(ObjectId(work.digest.digest()), size, tuple(entries))


def _up_to(length: int, cut: Iterator[Piece]) -> list[Piece]:
    """Pieces until they have more than `length` bytes together, or all."""
    taken: list[Piece] = []
    while length >= 0 and (piece := next(cut, None)) is not None:
        taken.append(piece)
        length -= len(piece.data)
    return taken


class _Encoded(NamedTuple):
    """What is to be added for a piece: nothing where the store has it. The piece itself, where it is coded against a base."""

    entry: ManifestEntry
    chunk: EncodedChunk | None = None
    piece: Piece | None = None


class _Work:
    """Hashes, names, encodes and adds pieces, in the calling thread or in threads beside it."""

    def __init__(self, store: WritableChunkStore, codecs: frozenset[int], bases: Bases | None) -> None:
        self.digest = hashlib.sha256()
        self._store = store
        self._codecs = codecs
        self._bases = bases

    def do(self, piece: Piece) -> ManifestEntry:
        self.digest.update(piece.data)
        return self._add(self._encode(piece))

    def _encode(self, piece: Piece) -> _Encoded:
        from git_lepton.format.identifiers import ChunkId
        from git_lepton.format.manifest import ManifestEntry

        name = ChunkId.of(piece.data)
        entry = ManifestEntry(name, len(piece.data))
        if not self._store.missing([name]):
            return _Encoded(entry)
        base = self._bases.base_for(piece, name) if self._bases else None
        chunk = self._coded(piece, name, base)
        return _Encoded(entry, chunk, piece if chunk.base else None)

    def _coded(self, piece: Piece, name: ChunkId, base: Base | None) -> EncodedChunk:
        from git_lepton.format.coding.codec import encode

        return encode(piece.data, piece.element, self._codecs, name, base)

    def _add(self, encoded: _Encoded) -> ManifestEntry:
        """A base may have gone bad since it was read, and been noted as missing: then its piece is coded by itself."""
        from git_lepton.store.chunk_store import BaseRefused

        entry, chunk, piece = encoded
        if chunk is not None:
            try:
                self._store.add(chunk)
            except BaseRefused:
                if piece is None:
                    raise
                self._store.add(self._coded(piece, entry.chunk, None))
        return entry

    def beside(self, cut: Iterator[Piece]) -> Iterator[ManifestEntry]:
        """The entries of all pieces, in order. What goes wrong in any thread comes out here."""
        from concurrent.futures import ThreadPoolExecutor

        from git_lepton.settings.resources import cores, memory_budget
        from git_lepton.store.ahead import coding_cost

        room = memory_budget()
        in_flight: deque[tuple[int, Future[None], Future[ManifestEntry]]] = deque()
        with ThreadPoolExecutor(1) as hashing, ThreadPoolExecutor(1) as adding, ThreadPoolExecutor(max(2, cores())) as encoding:
            for piece in cut:
                cost = coding_cost(len(piece.data), delta=self._bases is not None)
                room -= cost
                encoded = encoding.submit(self._encode, piece)
                added = adding.submit(self._add_when, encoded)
                in_flight.append((cost, hashing.submit(self.digest.update, piece.data), added))
                del piece, encoded, added  # the pieces in flight are to be all that is in memory
                while room <= 0 and len(in_flight) > 1:
                    freed, hashed, added = in_flight.popleft()
                    yield self._finished(hashed, added)
                    room += freed
            while in_flight:
                yield self._finished(*in_flight.popleft()[1:])

    def _add_when(self, encoded: Future[_Encoded]) -> ManifestEntry:
        return self._add(encoded.result())

    @staticmethod
    def _finished(hashed: Future[None], added: Future[ManifestEntry]) -> ManifestEntry:
        hashed.result()
        return added.result()
