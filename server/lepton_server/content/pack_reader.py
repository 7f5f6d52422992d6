"""Reading a pack: its name, its index within bounds, and the check of every byte. Which encodings stand: `uploads.admission`."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial

import xxhash

from git_lepton.errors import CorruptData, LeptonError, WrongUse
from git_lepton.format.identifiers import PackId
from git_lepton.format.pack import (
    HEADER_BYTES,
    PACK_HEAD,
    TRAILER_BYTES,
    BadPack,
    Kind,
    Record,
    check_pack_head,
    end_name,
    index_bytes,
    parse_end,
)
from lepton_server.content.chunks import Encoding, Encodings
from lepton_server.storage.object_store import ObjectStore, Readable

Records = list[tuple[int, Record]]
"""Each record of a pack, with the offset of its payload in bytes."""
ReadAt = Callable[[int, int], bytes]
"""Reads a pack: from which byte on, and how many."""
_MOST_RECORDS = (
    65_536  # bounds the memory that one upload takes; the smallest pieces of a large region fill a pack with a thousand
)


@dataclass(frozen=True)
class ReceivedPack:
    """A pack that lies in the store and is not verified yet."""

    id: int
    name: bytes
    storage_key: str
    size: int


class TooManyRecords(LeptonError):
    """A pack of so many tiny chunks that taking it apart would fill this server's memory."""


class PackRefused(LeptonError):
    """This pack is not taken, for the sake of `subject` (hex). `code` is one of the protocol's."""

    def __init__(self, code: str, subject: bytes, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.subject = subject.hex()


def pack_name(read: ReadAt, size: int) -> PackId:
    """The name of a pack that was sent, from its index alone: its first bytes and its records are looked at when it is verified.

    Raises BadPack, or TooManyRecords.
    """
    _check_size(size)
    return end_name(_index(read, size, _MOST_RECORDS))


def read_pack(store: ObjectStore, pack: ReceivedPack, allowed: frozenset[int]) -> list[Encoding]:
    """The encodings that a pack holds, each once, in its order. `allowed`: the codecs that it may use.

    Raises PackRefused, BadPack, UnknownPackVersion or TooManyRecords.
    """
    read = partial(store.read, pack.storage_key)
    encodings: Encodings = {}
    for offset, record in _name_and_records(read, pack.size, _MOST_RECORDS)[1]:
        _check_record(record, allowed, read(offset - HEADER_BYTES, HEADER_BYTES))
        encodings.setdefault(record.name.raw, _encoding(record, offset, pack))
    return list(encodings.values())


def read_index(store: Readable, key: str) -> tuple[bytes, Records]:
    """Name and records of a stored pack, however many. Raises CorruptData or WrongUse (a later version) where it has no sound index,
    StoreTrouble."""
    name, records = _name_and_records(partial(store.read, key), store.size(key))
    return name.raw, records


def tells_of(store: ObjectStore, key: str, chunks: Collection[bytes]) -> bool:
    """Whether one of these chunks, or a difference to one, lies in a pack. A pack without a sound index is searched for their names."""
    try:
        records = [record for _, record in read_index(store, key)[1]]
        return any(record.name.raw in chunks or (record.base is not None and record.base.raw in chunks) for record in records)
    except (CorruptData, WrongUse):
        data = store.read(key, 0, store.size(key))
        return any(chunk in data for chunk in chunks)


def check_whole_pack(data: bytes, name: bytes) -> None:
    """Raises BadPack or UnknownPackVersion unless these bytes are the pack of this name (32 bytes), all of it."""
    view = memoryview(data)
    found, records = _name_and_records(lambda start, length: data[start : start + length], len(data), called=f"pack {name.hex()}")
    if found.raw != name:
        raise BadPack(f"what lies there as pack {name.hex()} is pack {found}")
    for offset, record in records:
        if view[offset - HEADER_BYTES : offset] != record.encode():
            raise BadPack(f"the header of chunk {record.name} in pack {name.hex()} is not what the index says")
        if xxhash.xxh3_64_intdigest(view[offset : offset + record.stored_length]) != record.checksum:
            raise BadPack(f"the payload of chunk {record.name} in pack {name.hex()} is damaged: its checksum does not match")


def _name_and_records(
    read: ReadAt, size: int, most_records: int | None = None, called: str = "this pack"
) -> tuple[PackId, Records]:
    _check_size(size, called)
    check_pack_head(read(0, len(PACK_HEAD)))  # before the index, which may be another one in a later version
    return parse_end(_index(read, size, most_records, called), size)


def _check_size(size: int, called: str = "this pack") -> None:
    if size < len(PACK_HEAD) + HEADER_BYTES + TRAILER_BYTES:
        raise BadPack(f"{called} is too short to be one")


def _index(read: ReadAt, size: int, most_records: int | None = None, called: str = "this pack") -> bytes:
    """The end of a pack from its end record on. The bounds keep an index that claims too much from being read into memory."""
    length = index_bytes(read(size - TRAILER_BYTES, TRAILER_BYTES))
    if length > size - len(PACK_HEAD):
        raise BadPack(f"the index of {called} is longer than the pack")
    if most_records is not None and length > (most_records + 1) * HEADER_BYTES + TRAILER_BYTES:
        raise TooManyRecords(f"{called} has more than {most_records:,} records", "Send smaller packs.")
    return read(size - length, length)


def _check_record(record: Record, allowed: frozenset[int], header: bytes) -> None:
    name = record.name.raw
    if record.kind is not Kind.CHUNK:
        raise PackRefused("bad_request", name, "a pack on the wire holds chunks only")
    if record.codec not in allowed:
        raise PackRefused("bad_request", name, f"codec {record.codec} of chunk {record.name} is not allowed in this repository")
    if header != record.encode():
        raise PackRefused("corrupt_data", name, f"the header of chunk {record.name} is not what the pack's index says")


def _encoding(record: Record, offset: int, pack: ReceivedPack) -> Encoding:
    base = record.base.raw if record.base else None
    lengths = record.stored_length, record.raw_length
    return Encoding(record.name.raw, pack.id, pack.storage_key, offset, *lengths, record.codec, 0, base, record.checksum)
