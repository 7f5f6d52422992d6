"""The ordered chunks that rebuild one object (docs/format.md, section 4)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import xxhash

from git_lepton.errors import CorruptData, WrongUse
from git_lepton.format.identifiers import ChunkId, ObjectId

MAX_CHUNK_BYTES = 16 * 1024 * 1024
_MAGIC = b"LMAN"
_VERSION = 1
_HEAD = struct.Struct("<4sB3x32sQI4x")  # magic, version, oid, size, count
_CHECK = struct.Struct("<Q")  # XXH3 of all before it
HEAD_BYTES = _HEAD.size
"""Length of what comes before the entries."""
ENTRY = struct.Struct("<32sI")
"""One entry: a chunk's name and its raw length in bytes."""
CHECK_BYTES = _CHECK.size
"""Length of what comes after the entries."""


class BadManifest(CorruptData):
    """These bytes are no manifest."""


class UnknownManifestVersion(WrongUse):
    """A manifest of a version that this program does not know."""


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """One chunk of an object: its name and its raw length in bytes."""

    chunk: ChunkId
    length: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """The chunks of one object, in file order. Raises BadManifest if they do not add up to `size`."""

    oid: ObjectId
    size: int
    entries: tuple[ManifestEntry, ...]

    def __post_init__(self) -> None:
        if any(not 0 < entry.length <= MAX_CHUNK_BYTES for entry in self.entries):
            raise BadManifest(f"the manifest of {self.oid} has a chunk of a length outside 1 to {MAX_CHUNK_BYTES} bytes")
        if not self.entries or sum(entry.length for entry in self.entries) != self.size:
            raise BadManifest(f"the chunks in the manifest of {self.oid} do not add up to its {self.size} bytes")

    def encode(self) -> bytes:
        parts = [_HEAD.pack(_MAGIC, _VERSION, self.oid.raw, self.size, len(self.entries))]
        parts += [ENTRY.pack(entry.chunk.raw, entry.length) for entry in self.entries]
        body = b"".join(parts)
        return body + _CHECK.pack(xxhash.xxh3_64_intdigest(body))


@dataclass(frozen=True, slots=True)
class ManifestHead:
    """What a manifest says before its chunks: the object and its size in bytes."""

    oid: ObjectId
    size: int


def check_manifest(data: bytes) -> ManifestHead:
    """The head of a manifest, all of which is as sound as `parse_manifest` wants it; no object is made for any of its chunks.

    Raises BadManifest or UnknownManifestVersion.
    """
    if len(data) < HEAD_BYTES + ENTRY.size + CHECK_BYTES or data[:4] != _MAGIC:
        raise BadManifest("these bytes are not a manifest")
    if data[4] != _VERSION:
        raise UnknownManifestVersion(
            f"this manifest has version {data[4]}; this git-lepton knows {_VERSION}", "Install a newer git-lepton."
        )
    _, _, name, size, count = _HEAD.unpack_from(data)
    oid, end = ObjectId(name), HEAD_BYTES + count * ENTRY.size
    if len(data) != end + CHECK_BYTES:
        raise BadManifest("this manifest is cut short or too long")
    if _CHECK.unpack_from(data, end)[0] != xxhash.xxh3_64_intdigest(memoryview(data)[:end]):
        raise BadManifest("this manifest is damaged: its checksum does not match")
    if _HEAD.pack(_MAGIC, _VERSION, name, size, count) != data[:HEAD_BYTES]:
        raise BadManifest("this manifest is not in its canonical encoding")
    total = 0
    for _, length in _entries(data):
        if not 0 < length <= MAX_CHUNK_BYTES:
            raise BadManifest(f"the manifest of {oid} has a chunk of a length outside 1 to {MAX_CHUNK_BYTES} bytes")
        total += length
    if total != size:
        raise BadManifest(f"the chunks in the manifest of {oid} do not add up to its {size} bytes")
    return ManifestHead(oid, size)


def parse_manifest(data: bytes) -> Manifest:
    """The manifest these bytes are; `encode` gives them back. Raises BadManifest or UnknownManifestVersion."""
    head = check_manifest(data)
    return Manifest(head.oid, head.size, tuple(ManifestEntry(ChunkId(chunk), length) for chunk, length in _entries(data)))


def size_of(manifest: bytes) -> int:
    """The size in bytes of the object that this manifest rebuilds. `manifest` is one that `check_manifest` accepted."""
    return int(_HEAD.unpack_from(manifest)[3])


def _entries(data: bytes) -> Iterator[tuple[bytes, int]]:
    return ENTRY.iter_unpack(memoryview(data)[HEAD_BYTES:-CHECK_BYTES])
