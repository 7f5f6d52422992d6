"""What lies in a pack's bytes, whatever the database says of it."""

from __future__ import annotations

from collections.abc import Collection

from git_lepton.errors import CorruptData, WrongUse
from git_lepton.format.pack import (
    HEADER_BYTES,
    PACK_HEAD,
    TRAILER_BYTES,
    BadPack,
    Record,
    check_pack_head,
    index_bytes,
    parse_end,
)
from lepton_server.object_store import ObjectStore, Readable

Records = list[tuple[int, Record]]
"""For each record of a pack the offset of its payload."""


def read_index(store: Readable, key: str) -> tuple[bytes, Records]:
    """Name and records of a pack. Raises CorruptData or WrongUse (a later version) where it has no sound index, StoreTrouble."""
    size = store.size(key)
    if size < len(PACK_HEAD) + HEADER_BYTES + TRAILER_BYTES:
        raise BadPack("this pack is too short to be one")
    check_pack_head(store.read(key, 0, len(PACK_HEAD)))
    length = index_bytes(store.read(key, size - TRAILER_BYTES, TRAILER_BYTES))
    if length > size - len(PACK_HEAD):
        raise BadPack("this pack's index is longer than the pack")
    name, records = parse_end(store.read(key, size - length, length), size)
    return name.raw, records


def tells_of(store: ObjectStore, key: str, chunks: Collection[bytes]) -> bool:
    """Whether one of these chunks lies in a pack, or a difference to one. One without a sound index is searched for their names."""
    try:
        records = [record for _, record in read_index(store, key)[1]]
        return any(record.name.raw in chunks or (record.base is not None and record.base.raw in chunks) for record in records)
    except (CorruptData, WrongUse):
        size = store.size(key)
        data = store.read(key, 0, size)
        return any(chunk in data for chunk in chunks)
