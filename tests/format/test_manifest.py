from __future__ import annotations

import struct

import pytest
import xxhash

from git_lepton.format.identifiers import ChunkId, ObjectId
from git_lepton.format.manifest import (
    CHECK_BYTES,
    ENTRY,
    HEAD_BYTES,
    MAX_CHUNK_BYTES,
    BadManifest,
    Manifest,
    ManifestEntry,
    UnknownManifestVersion,
    parse_manifest,
    size_of,
)

OID = ObjectId(b"\x01" * 32)
ONE = ManifestEntry(ChunkId(b"\x02" * 32), 5)
TWO = ManifestEntry(ChunkId(b"\x03" * 32), MAX_CHUNK_BYTES)
MANIFEST = Manifest(OID, 5 + MAX_CHUNK_BYTES, (ONE, TWO))


def sealed(body: bytes) -> bytes:
    return body + struct.pack("<Q", xxhash.xxh3_64_intdigest(body))


def test_the_bytes_are_those_of_the_specification() -> None:
    body = b"LMAN\x01\0\0\0" + OID.raw + struct.pack("<QII", MANIFEST.size, 2, 0)
    body += ONE.chunk.raw + struct.pack("<I", ONE.length) + TWO.chunk.raw + struct.pack("<I", TWO.length)
    assert MANIFEST.encode() == sealed(body)
    assert parse_manifest(sealed(body)) == MANIFEST


def test_whoever_reads_encoded_manifests_knows_where_their_parts_are() -> None:
    data = MANIFEST.encode()
    entries = list(ENTRY.iter_unpack(data[HEAD_BYTES:-CHECK_BYTES]))
    assert entries == [(ONE.chunk.raw, ONE.length), (TWO.chunk.raw, TWO.length)]
    assert size_of(data) == MANIFEST.size


def test_a_chunk_may_come_twice() -> None:
    manifest = Manifest(OID, 10, (ONE, ONE))
    assert parse_manifest(manifest.encode()) == manifest


@pytest.mark.parametrize(
    ("size", "entries"),
    [
        (0, ()),
        (6, (ONE,)),
        (4, (ONE,)),
        (5, (ONE, ManifestEntry(ONE.chunk, 0))),
        (MAX_CHUNK_BYTES + 1, (ManifestEntry(ONE.chunk, MAX_CHUNK_BYTES + 1),)),
        (4, (ONE, ManifestEntry(ONE.chunk, -1))),
    ],
)
def test_lengths_must_add_up_and_be_those_of_chunks(size: int, entries: tuple[ManifestEntry, ...]) -> None:
    with pytest.raises(BadManifest):
        Manifest(OID, size, entries)


def test_another_version_is_refused_and_said() -> None:
    body = bytearray(MANIFEST.encode()[:-8])
    body[4] = 9
    with pytest.raises(UnknownManifestVersion, match="version 9"):
        parse_manifest(sealed(bytes(body)))


@pytest.mark.parametrize("at", [5, 6, 7, 52, 55])
def test_bytes_that_must_be_zero_are_checked(at: int) -> None:
    body = bytearray(MANIFEST.encode()[:-8])
    body[at] = 1
    with pytest.raises(BadManifest):
        parse_manifest(sealed(bytes(body)))


def test_a_count_that_the_bytes_do_not_hold_is_refused_before_memory_is_taken() -> None:
    body = bytearray(MANIFEST.encode()[:-8])
    body[48:52] = b"\xff" * 4
    with pytest.raises(BadManifest, match="cut short"):
        parse_manifest(sealed(bytes(body)))


@pytest.mark.parametrize("data", [b"", b"LMAN", bytes(200), b"PAR1" + MANIFEST.encode()[4:]])
def test_other_bytes_are_no_manifest(data: bytes) -> None:
    with pytest.raises(BadManifest):
        parse_manifest(data)
