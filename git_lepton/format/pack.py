"""A pack: a head, records, and at its end an index of all of them (docs/format.md, section 5).

Pure: this module lays out and reads heads, record headers and end records. Reading and writing files is the stores' work.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import xxhash

from git_lepton.errors import CorruptData, WrongUse
from git_lepton.format.identifiers import ChunkId, Digest, ObjectId, PackId
from git_lepton.format.manifest import MAX_CHUNK_BYTES

MAX_PACK_BYTES = 64 * 1024 * 1024
MAX_DEPTH = 3
VERSION = 1
PACK_HEAD = b"LPAK" + bytes([VERSION, 0, 0, 0])
HEADER_BYTES = 88
TRAILER_BYTES = 8
# kind, codec, depth, 0, stored length, raw length, check, id, base, XXH3 of the payload
_HEADER = struct.Struct("<BBBxIII32s32sQ")
_TRAILER = struct.Struct("<I4s")  # number of records in the index, magic
_TRAILER_MAGIC = b"KAPL"
_NO_BASE = bytes(32)
_CHECK_OFFSET = 12


class BadPack(CorruptData):
    """These bytes are not part of a pack, or are damaged."""


class UnknownPackVersion(WrongUse):
    """A pack of a version, or with a kind of record, that this program does not know."""


class Kind(IntEnum):
    CHUNK = 1
    MANIFEST = 2
    END = 3


@dataclass(frozen=True, slots=True)
class Record:
    """What a record's header says. `name` is a ChunkId, an ObjectId (manifest) or a PackId (end), lengths are in bytes,
    `checksum` is the XXH3 of the payload, `depth` the number of bases under a chunk (0: none)."""

    kind: Kind
    codec: int
    depth: int
    stored_length: int
    raw_length: int
    name: Digest
    base: ChunkId | None
    checksum: int

    def encode(self) -> bytes:
        base = self.base.raw if self.base else _NO_BASE
        lengths = self.stored_length, self.raw_length
        header = bytearray(_HEADER.pack(self.kind, self.codec, self.depth, *lengths, 0, self.name.raw, base, self.checksum))
        struct.pack_into("<I", header, _CHECK_OFFSET, xxhash.xxh3_64_intdigest(header) & 0xFFFFFFFF)
        return bytes(header)


def check_pack_head(head: bytes) -> None:
    """Raises BadPack or UnknownPackVersion unless these 8 bytes begin a pack of our version."""
    if len(head) != len(PACK_HEAD) or head[:4] != PACK_HEAD[:4]:
        raise BadPack("these bytes are not a pack")
    if head[4] != VERSION:
        raise UnknownPackVersion(
            f"this pack has version {head[4]}; this git-lepton knows {VERSION}", "Install a newer git-lepton."
        )
    if head != PACK_HEAD:
        raise BadPack("this pack's head is damaged")


def parse_record(header: bytes) -> Record:
    """The record that these 88 bytes head. Raises BadPack, or UnknownPackVersion for an unknown kind."""
    if len(header) != HEADER_BYTES:
        raise BadPack("a record's header is cut short")
    kind, codec, depth, stored, raw, check, name, base, checksum = _HEADER.unpack(header)
    blank = bytearray(header)
    struct.pack_into("<I", blank, _CHECK_OFFSET, 0)
    if xxhash.xxh3_64_intdigest(blank) & 0xFFFFFFFF != check:
        raise BadPack("a record's header is damaged: its checksum does not match")
    if kind not in (Kind.CHUNK, Kind.MANIFEST, Kind.END):
        raise UnknownPackVersion(f"this pack has a record of kind {kind}, which is unknown", "Install a newer git-lepton.")
    types = {Kind.CHUNK: ChunkId, Kind.MANIFEST: ObjectId, Kind.END: PackId}
    base_id = None if base == _NO_BASE else ChunkId(base)
    record = Record(Kind(kind), codec, depth, stored, raw, types[Kind(kind)](name), base_id, checksum)
    _check_record(record)
    if record.encode() != header:
        raise BadPack("a record's header is not in its canonical encoding")
    return record


def _check_record(record: Record) -> None:
    if record.kind is Kind.CHUNK:
        if not 0 < record.raw_length <= MAX_CHUNK_BYTES or not 0 < record.stored_length <= record.raw_length + 64:
            raise BadPack(f"chunk {record.name} has lengths that no chunk may have")
        if record.depth > MAX_DEPTH or (record.base is None) != (record.depth == 0):
            raise BadPack(f"chunk {record.name} has depth {record.depth}, which its base does not allow")
    elif record.codec or record.depth or record.base or record.raw_length != record.stored_length:
        raise BadPack("a record that is no chunk has a codec or a base")


def end_record(headers: Sequence[bytes]) -> tuple[PackId, bytes]:
    """The pack's name and its last bytes (end record and trailer) for these record headers, in order."""
    from blake3 import blake3

    index = b"".join(headers)
    name = PackId(blake3(index).digest())
    end = Record(Kind.END, 0, 0, len(index), len(index), name, None, xxhash.xxh3_64_intdigest(index))
    return name, end.encode() + index + _TRAILER.pack(len(headers), _TRAILER_MAGIC)


def index_bytes(trailer: bytes) -> int:
    """How many bytes at a pack's end hold end record, index and trailer, read from its last 8. Raises BadPack."""
    if len(trailer) != TRAILER_BYTES or trailer[4:] != _TRAILER_MAGIC:
        raise BadPack("this pack has no end")
    return HEADER_BYTES + int(_TRAILER.unpack(trailer)[0]) * HEADER_BYTES + TRAILER_BYTES


def end_name(tail: bytes) -> PackId:
    """The name that the last `index_bytes` bytes of a pack give it, all of them checked but the records. Raises BadPack."""
    if index_bytes(tail[-TRAILER_BYTES:]) != len(tail):
        raise BadPack("this pack's end is cut short")
    end = parse_record(tail[:HEADER_BYTES])
    index = tail[HEADER_BYTES:-TRAILER_BYTES]
    if end.kind is not Kind.END or end.stored_length != len(index) or end.checksum != xxhash.xxh3_64_intdigest(index):
        raise BadPack("this pack's index is damaged: its checksum does not match")
    if end_record([index])[0] != end.name:
        raise BadPack("this pack's name is not that of its records")
    return PackId(end.name.raw)


def parse_end(tail: bytes, pack_length: int) -> tuple[PackId, list[tuple[int, Record]]]:
    """Name of a pack and, for each record, the offset of its payload, out of the pack's last `index_bytes` bytes.

    Raises BadPack unless the index is whole and its lengths fill the pack exactly.
    """
    name, index = end_name(tail), tail[HEADER_BYTES:-TRAILER_BYTES]
    headers = (index[start : start + HEADER_BYTES] for start in range(0, len(index), HEADER_BYTES))
    records, offset = [], len(PACK_HEAD)
    for record in map(parse_record, headers):
        if record.kind is Kind.END:
            raise BadPack("this pack has a second end")
        records.append((offset + HEADER_BYTES, record))
        offset += HEADER_BYTES + record.stored_length
    if offset + len(tail) != pack_length:
        raise BadPack("this pack's records do not fill it")
    return name, records
