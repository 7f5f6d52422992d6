"""Objects for tests of transfer: bytes cut into chunks and kept in a local store, as `git add` would."""

from __future__ import annotations

import random
from collections.abc import Sequence
from hashlib import sha256

import xxhash

from git_lepton.format.coding.codec import encode
from git_lepton.format.coding.encoded import EncodedChunk
from git_lepton.format.identifiers import ChunkId, ObjectId
from git_lepton.format.manifest import Manifest, ManifestEntry
from git_lepton.format.pointer import Pointer
from git_lepton.store.local_store import LocalStore

RAW = frozenset({0})
MIB = 1 << 20


def noise(length: int, seed: int) -> bytes:
    """Bytes that no codec makes smaller."""
    return random.Random(seed).randbytes(length)


def add_object(store: LocalStore, data: bytes, piece: int = MIB, codecs: frozenset[int] = RAW) -> Pointer:
    """Keep these bytes in pieces, durably. Gives their pointer."""
    chunks = [encode(data[start : start + piece], "", codecs) for start in range(0, len(data), piece)]
    return add_chunks(store, data, chunks)


def add_chunks(store: LocalStore, data: bytes, chunks: Sequence[EncodedChunk]) -> Pointer:
    """Keep an object of these chunks."""
    for chunk in chunks:
        store.add(chunk)
    oid = ObjectId(sha256(data).digest())
    store.add_manifest(Manifest(oid, len(data), tuple(ManifestEntry(chunk.name, chunk.raw_length) for chunk in chunks)))
    store.sync()
    return Pointer(oid, len(data))


def read_object(store: LocalStore, pointer: Pointer) -> bytes:
    """The bytes of an object that the store has."""
    manifest = store.manifest(pointer.oid)
    assert manifest is not None
    return b"".join(store.read(entry.chunk) for entry in manifest.entries)


def holds(store: LocalStore, pointer: Pointer) -> bool:
    """Whether exactly this object can be rebuilt from the store."""
    return sha256(read_object(store, pointer)).digest() == pointer.oid.raw


def fake_delta(data: bytes, base: EncodedChunk, codec: int = 9) -> EncodedChunk:
    """An encoding with a base. Its payload is the raw bytes: what matters to transfer is only that it has a base."""
    return EncodedChunk(ChunkId.of(data), codec, base.depth + 1, base.name, len(data), data, xxhash.xxh3_64_intdigest(data))
