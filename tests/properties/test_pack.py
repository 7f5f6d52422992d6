from __future__ import annotations

import struct

import xxhash
from hypothesis import given
from hypothesis import strategies as st

from git_lepton.errors import LeptonError
from git_lepton.format.identifiers import ChunkId, ObjectId
from git_lepton.format.pack import PACK_HEAD, TRAILER_BYTES, Kind, Record, end_record, index_bytes, parse_end, parse_record
from tests.properties.mutation import damaged

NAMES = st.binary(min_size=32, max_size=32)
CHECKSUMS = st.integers(0, 2**64 - 1)


@st.composite
def chunks(draw: st.DrawFn) -> Record:
    raw, depth = draw(st.integers(1, 500)), draw(st.integers(0, 3))
    base = ChunkId(b"\1" + draw(NAMES)[1:]) if depth else None
    stored = draw(st.integers(1, raw + 64))
    return Record(Kind.CHUNK, draw(st.integers(0, 255)), depth, stored, raw, ChunkId(draw(NAMES)), base, draw(CHECKSUMS))


@st.composite
def manifests(draw: st.DrawFn) -> Record:
    length = draw(st.integers(1, 500))
    return Record(Kind.MANIFEST, 0, 0, length, length, ObjectId(draw(NAMES)), None, draw(CHECKSUMS))


RECORDS = chunks() | manifests()


def with_check(header: bytes) -> bytes:
    blank = header[:12] + bytes(4) + header[16:]
    return header[:12] + struct.pack("<I", xxhash.xxh3_64_intdigest(blank) & 0xFFFFFFFF) + header[16:]


@given(RECORDS)
def test_a_record_is_read_as_it_was_written(record: Record) -> None:
    assert parse_record(record.encode()) == record


DAMAGED = RECORDS.flatmap(lambda record: damaged(record.encode()))


@given(st.binary(max_size=100) | DAMAGED | DAMAGED.map(with_check))
def test_other_headers_raise_our_error_or_are_canonical(data: bytes) -> None:
    try:
        record = parse_record(data)
    except LeptonError:
        return
    assert record.encode() == data


def tail_and_length(records: list[Record]) -> tuple[bytes, int]:
    tail = end_record([record.encode() for record in records])[1]
    return tail, len(PACK_HEAD) + sum(88 + record.stored_length for record in records) + len(tail)


@given(st.lists(RECORDS, max_size=4))
def test_an_index_is_read_as_it_was_written(records: list[Record]) -> None:
    tail, length = tail_and_length(records)
    assert index_bytes(tail[-TRAILER_BYTES:]) == len(tail)
    name, found = parse_end(tail, length)
    assert [record for _, record in found] == records
    assert end_record([record.encode() for _, record in found]) == (name, tail)


@given(st.lists(RECORDS, min_size=1, max_size=3).flatmap(lambda records: damaged(tail_and_length(records)[0])))
def test_a_damaged_end_raises_our_error(tail: bytes) -> None:
    try:
        name, found = parse_end(tail, 0)
    except LeptonError:
        return
    raise AssertionError(f"a pack of no bytes has {len(found)} records and the name {name}")
