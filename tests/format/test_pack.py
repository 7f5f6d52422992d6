from __future__ import annotations

import struct

import pytest
import xxhash
from blake3 import blake3

from git_lepton.errors import WrongUse
from git_lepton.format.identifiers import ChunkId, ObjectId
from git_lepton.format.manifest import MAX_CHUNK_BYTES
from git_lepton.format.pack import (
    HEADER_BYTES,
    PACK_HEAD,
    TRAILER_BYTES,
    BadPack,
    Kind,
    Record,
    UnknownPackVersion,
    check_pack_head,
    end_record,
    index_bytes,
    parse_end,
    parse_record,
)

CHUNK = Record(Kind.CHUNK, 2, 0, 7, 10, ChunkId(b"\x01" * 32), None, 0x1122334455667788)
DELTA = Record(Kind.CHUNK, 9, 3, 5, 10, ChunkId(b"\x02" * 32), ChunkId(b"\x01" * 32), 5)
MANIFEST = Record(Kind.MANIFEST, 0, 0, 100, 100, ObjectId(b"\x03" * 32), None, 6)


def with_check(header: bytes) -> bytes:
    """This header with a check that fits what it says."""
    blank = header[:12] + bytes(4) + header[16:]
    return header[:12] + struct.pack("<I", xxhash.xxh3_64_intdigest(blank) & 0xFFFFFFFF) + header[16:]


def changed(record: Record, at: int, value: bytes) -> bytes:
    header = record.encode()
    return with_check(header[:at] + value + header[at + len(value) :])


def pack_of(*records: Record) -> bytes:
    body = b"".join(record.encode() + bytes(record.stored_length) for record in records)
    return PACK_HEAD + body + end_record([record.encode() for record in records])[1]


def test_a_header_is_laid_out_as_specified() -> None:
    header = CHUNK.encode()
    assert len(header) == HEADER_BYTES
    assert header[:12] == bytes([1, 2, 0, 0, 7, 0, 0, 0, 10, 0, 0, 0])
    assert header[16:] == b"\x01" * 32 + bytes(32) + struct.pack("<Q", CHUNK.checksum)
    assert with_check(header) == header


@pytest.mark.parametrize("record", [CHUNK, DELTA, MANIFEST])
def test_a_header_is_read_as_it_was_written(record: Record) -> None:
    assert parse_record(record.encode()) == record


@pytest.mark.parametrize(
    "header",
    [
        changed(CHUNK, 2, b"\x01"),  # a depth without a base
        changed(CHUNK, 48, b"\x01"),  # a base without a depth
        changed(DELTA, 2, b"\x04"),
        changed(CHUNK, 3, b"\x01"),
        changed(CHUNK, 4, bytes(4)),  # no payload
        changed(CHUNK, 8, bytes(4)),  # no raw bytes
        changed(CHUNK, 4, struct.pack("<I", 10 + 65)),
        changed(CHUNK, 8, struct.pack("<I", MAX_CHUNK_BYTES + 1)),
        changed(MANIFEST, 1, b"\x01"),
        changed(MANIFEST, 2, b"\x01"),
        changed(MANIFEST, 48, b"\x01"),
        changed(MANIFEST, 8, b"\x01"),
        CHUNK.encode()[:-1],
        b"",
        bytes(HEADER_BYTES),
    ],
)
def test_a_header_that_breaks_the_rules_is_refused(header: bytes) -> None:
    with pytest.raises(BadPack):
        parse_record(header)


def test_an_unknown_kind_is_refused_and_named() -> None:
    with pytest.raises(UnknownPackVersion, match="kind 77") as caught:
        parse_record(changed(CHUNK, 0, bytes([77])))
    assert isinstance(caught.value, WrongUse)


def test_the_head_of_a_pack() -> None:
    check_pack_head(PACK_HEAD)
    with pytest.raises(UnknownPackVersion, match="version 7"):
        check_pack_head(b"LPAK\x07\0\0\0")
    for head in (b"", PACK_HEAD[:-1], b"PACK" + PACK_HEAD[4:], b"LPAK\x01\0\0\x01"):
        with pytest.raises(BadPack):
            check_pack_head(head)


@pytest.mark.parametrize("records", [(), (CHUNK,), (CHUNK, DELTA, MANIFEST)])
def test_the_end_tells_where_each_payload_is(records: tuple[Record, ...]) -> None:
    pack = pack_of(*records)
    tail = pack[-index_bytes(pack[-TRAILER_BYTES:]) :]
    name, found = parse_end(tail, len(pack))
    assert name.raw == blake3(b"".join(record.encode() for record in records)).digest()
    assert [record for _, record in found] == list(records)
    for offset, record in found:
        assert parse_record(pack[offset - HEADER_BYTES : offset]) == record


@pytest.mark.parametrize("length", [-1, 1])
def test_records_must_fill_the_pack(length: int) -> None:
    pack = pack_of(CHUNK)
    tail = pack[-index_bytes(pack[-TRAILER_BYTES:]) :]
    with pytest.raises(BadPack):
        parse_end(tail, len(pack) + length)


def test_an_end_inside_the_index_is_refused() -> None:
    inner = parse_record(end_record([])[1][:HEADER_BYTES])
    pack = pack_of(inner)
    with pytest.raises(BadPack, match="second end"):
        parse_end(pack[len(PACK_HEAD) + HEADER_BYTES :], len(pack))


def test_a_name_that_is_not_that_of_the_records_is_refused() -> None:
    pack = pack_of(CHUNK)
    tail = pack[-index_bytes(pack[-TRAILER_BYTES:]) :]
    wrong = changed(parse_record(tail[:HEADER_BYTES]), 16, b"\0" * 32)
    with pytest.raises(BadPack, match="name"):
        parse_end(wrong + tail[HEADER_BYTES:], len(pack))


@pytest.mark.parametrize("tail", [b"", b"KAPL", b"\1\0\0\0KAPX", bytes(8), b"\0\0\0\0KAPL", b"\xff\xff\xff\xffKAPL"])
def test_a_tail_that_is_none_is_refused(tail: bytes) -> None:
    with pytest.raises(BadPack):
        parse_end(tail, len(tail))
