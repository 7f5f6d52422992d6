from __future__ import annotations

import struct

import xxhash
from hypothesis import given
from hypothesis import strategies as st

from git_lepton.errors import LeptonError
from git_lepton.format.identifiers import ChunkId, ObjectId
from git_lepton.format.manifest import MAX_CHUNK_BYTES, Manifest, ManifestEntry, parse_manifest
from tests.properties.mutation import damaged

NAMES = st.binary(min_size=32, max_size=32)
ENTRIES = st.builds(ManifestEntry, st.builds(ChunkId, NAMES), st.integers(1, MAX_CHUNK_BYTES))


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    entries = tuple(draw(st.lists(ENTRIES, min_size=1, max_size=5)))
    return Manifest(ObjectId(draw(NAMES)), sum(entry.length for entry in entries), entries)


def sealed(body: bytes) -> bytes:
    return body + struct.pack("<Q", xxhash.xxh3_64_intdigest(body))


@given(manifests())
def test_a_manifest_is_read_as_it_was_written(manifest: Manifest) -> None:
    assert parse_manifest(manifest.encode()) == manifest


DAMAGED = manifests().flatmap(lambda manifest: damaged(manifest.encode()))
DAMAGED_AND_SEALED = manifests().flatmap(lambda manifest: damaged(manifest.encode()[:-8])).map(sealed)


@given(st.binary(max_size=300) | DAMAGED | DAMAGED_AND_SEALED)
def test_other_bytes_raise_our_error_or_are_canonical(data: bytes) -> None:
    try:
        manifest = parse_manifest(data)
    except LeptonError:
        return
    assert manifest.encode() == data
