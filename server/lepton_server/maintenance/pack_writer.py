"""Writes new packs out of encodings: whole, durable, and every chunk in them decoded and named before anybody hears of them.

The depth in a record's header is the one that the chunk had when the pack was written; the database's is the one that counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import xxhash

from git_lepton.errors import CorruptData
from git_lepton.format.coding.encoded import EncodedChunk
from git_lepton.format.identifiers import ChunkId
from git_lepton.format.pack import HEADER_BYTES, MAX_PACK_BYTES, PACK_HEAD, TRAILER_BYTES, end_record
from lepton_server.content.chunks import Encoding, Encodings
from lepton_server.content.decoder import Decoder
from lepton_server.content.pack_reader import ReceivedPack, read_pack
from lepton_server.storage.object_store import Incoming, ObjectStore, new_key

_ANY_CODEC = frozenset(range(256))  # what is stored was allowed; one that we do not know fails to decode


@dataclass(frozen=True)
class Move:
    """A chunk's encoding as it stands, and the one, in a new pack that has no row yet, that takes its place."""

    was: Encoding
    now: Encoding


@dataclass(frozen=True)
class NewPack:
    """A pack that lies durable in the store and that the database does not know yet. `size` is in bytes."""

    name: bytes
    storage_key: str
    size: int
    moves: tuple[Move, ...]


def as_it_is(store: ObjectStore, encoding: Encoding) -> EncodedChunk:
    """An encoding with its payload. Raises CorruptData where that is damaged."""
    payload = store.read(encoding.storage_key, encoding.offset, encoding.stored)
    if xxhash.xxh3_64_intdigest(payload) != encoding.checksum:
        raise CorruptData(f"the payload of chunk {encoding.chunk.hex()} is damaged: its checksum does not match")
    base = ChunkId(encoding.base) if encoding.base else None
    name = ChunkId(encoding.chunk)
    return EncodedChunk(name, encoding.codec, encoding.depth, base, encoding.raw, payload, encoding.checksum)


def write_packs(store: ObjectStore, tenant: int, chunks: Iterable[tuple[Encoding, EncodedChunk]]) -> Iterator[NewPack]:
    """New packs of a tenant that hold these chunks, in this order, one payload in memory at a time."""
    writer: _Writer | None = None
    try:
        for was, chunk in chunks:
            if writer and writer.size_with(chunk) > MAX_PACK_BYTES:
                yield writer.finish()
                writer = None
            writer = writer or _Writer(store, new_key(tenant))
            writer.add(was, chunk)
        if writer:
            yield writer.finish()
            writer = None
    finally:
        if writer:
            writer.abort()


class _Writer:
    def __init__(self, store: ObjectStore, key: str) -> None:
        self._key = key
        self._incoming: Incoming = store.begin(self._key)
        self._incoming.write(PACK_HEAD)
        self._at = len(PACK_HEAD)
        self._headers: list[bytes] = []
        self._moves: list[Move] = []

    def size_with(self, chunk: EncodedChunk) -> int:
        return self._at + len(chunk.payload) + HEADER_BYTES * (len(self._headers) + 3) + TRAILER_BYTES

    def add(self, was: Encoding, chunk: EncodedChunk) -> None:
        header = chunk.record().encode()
        self._incoming.write(header)
        self._incoming.write(chunk.payload)
        base = chunk.base.raw if chunk.base else None
        lengths = len(chunk.payload), chunk.raw_length
        place = Encoding(
            was.chunk, 0, self._key, self._at + HEADER_BYTES, *lengths, chunk.codec, chunk.depth, base, chunk.checksum
        )
        self._headers.append(header)
        self._moves.append(Move(was, place))
        self._at += HEADER_BYTES + len(chunk.payload)

    def finish(self) -> NewPack:
        name, end = end_record(self._headers)
        self._incoming.write(end)
        self._incoming.finish()
        return NewPack(name.raw, self._key, self._at + len(end), tuple(self._moves))

    def abort(self) -> None:
        self._incoming.abort()


def verify_pack(store: ObjectStore, decoder: Decoder, pack: NewPack, bases: Encodings) -> None:
    """Read a new pack back, and decode every chunk in it. `bases` tells where those lie that are not in it. Raises CorruptData."""
    read = read_pack(store, ReceivedPack(0, pack.name, pack.storage_key, pack.size), _ANY_CODEC)
    written = [move.now for move in pack.moves]
    if [encoding._replace(depth=0) for encoding in written] != read:
        raise CorruptData(f"the new pack {pack.name.hex()} does not hold what was written to it")
    for _ in decoder.decoded(written, bases | {encoding.chunk: encoding for encoding in written}):
        pass
