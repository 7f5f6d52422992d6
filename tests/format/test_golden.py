"""What released versions wrote is read for ever, and written again where the format has one canonical encoding."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest
import xxhash

from git_lepton.format.coding.codec import decode
from git_lepton.format.coding.encoded import RELEASED, EncodedChunk
from git_lepton.format.identifiers import ChunkId
from git_lepton.format.manifest import parse_manifest
from git_lepton.format.pack import (
    HEADER_BYTES,
    MAX_DEPTH,
    PACK_HEAD,
    TRAILER_BYTES,
    Record,
    check_pack_head,
    end_record,
    index_bytes,
    parse_end,
    parse_record,
)
from git_lepton.format.pointer import parse_pointer

FOLDER = Path(__file__).parent / "golden"
PACKS = sorted(FOLDER.glob("pack-*"))


def read_pack(path: Path) -> list[tuple[Record, bytes]]:
    """Header and payload of every record."""
    pack = path.read_bytes()
    check_pack_head(pack[: len(PACK_HEAD)])
    _, records = parse_end(pack[-index_bytes(pack[-TRAILER_BYTES:]) :], len(pack))
    return [(record, pack[offset : offset + record.stored_length]) for offset, record in records]


def decoded(records: list[tuple[Record, bytes]]) -> dict[ChunkId, bytes]:
    """The raw bytes of a pack's chunks, by name. A base comes before its deltas."""
    raw: dict[ChunkId, bytes] = {}
    for record, payload in records:
        assert isinstance(record.name, ChunkId)
        assert xxhash.xxh3_64_intdigest(payload) == record.checksum
        chunk = EncodedChunk(record.name, record.codec, record.depth, record.base, record.raw_length, payload, record.checksum)
        raw[record.name] = bytes(decode(chunk, raw[record.base] if record.base else None))
    return raw


def test_there_is_a_chunk_of_every_released_codec() -> None:
    assert {record.codec for path in PACKS for record, _ in read_pack(path)} == RELEASED


@pytest.mark.parametrize("path", PACKS, ids=lambda path: path.name)
def test_every_chunk_is_decoded_to_what_its_name_says(path: Path) -> None:
    assert all(ChunkId.of(raw) == name for name, raw in decoded(read_pack(path)).items())


def test_there_is_a_delta_of_every_depth() -> None:
    assert {record.depth for path in PACKS for record, _ in read_pack(path)} == set(range(MAX_DEPTH + 1))


@pytest.mark.parametrize("path", PACKS, ids=lambda path: path.name)
def test_a_pack_is_written_again(path: Path) -> None:
    pack = path.read_bytes()
    found = read_pack(path)
    headers = [record.encode() for record, _ in found]
    body = b"".join(header + payload for header, (_, payload) in zip(headers, found, strict=True))
    assert PACK_HEAD + body + end_record(headers)[1] == pack
    assert [parse_record(header) for header in headers] == [record for record, _ in found]
    assert all(len(header) == HEADER_BYTES for header in headers)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("manifest-*")), ids=lambda path: path.name)
def test_a_manifest_is_read_and_written_again_and_its_chunks_rebuild_the_object(path: Path) -> None:
    manifest = parse_manifest(path.read_bytes())
    assert manifest.encode() == path.read_bytes()
    found = {name: raw for pack in PACKS for name, raw in decoded(read_pack(pack)).items()}
    whole = b"".join(found[entry.chunk] for entry in manifest.entries)
    assert (sha256(whole).digest(), len(whole)) == (manifest.oid.raw, manifest.size)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("pointer-*")), ids=lambda path: path.name)
def test_a_pointer_is_read_and_written_again(path: Path) -> None:
    assert parse_pointer(path.read_bytes()).encode() == path.read_bytes()
