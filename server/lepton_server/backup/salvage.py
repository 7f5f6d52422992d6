"""Chunks out of backups, for a server that has lost them: read from the archive's packs, decoded with the bases that lie there."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from git_lepton.errors import CorruptData
from lepton_server.backup.archive import Archive, pack_key
from lepton_server.backup.parts import rows_of
from lepton_server.backup.snapshot import Snapshot
from lepton_server.backup.table_dump import parsed
from lepton_server.content.chunks import Encoding, Encodings
from lepton_server.content.decoder import Decoder
from lepton_server.database.tables import encodings
from lepton_server.storage.object_store import StoreTrouble


def salvage(
    archive: Archive, server: str, tenant: int, chunks: Collection[bytes], threads: int = 2
) -> Iterator[tuple[bytes, bytes | bytearray]]:
    """Name and raw bytes, checked against the name, of those of these chunks that a snapshot of this server (its identity) holds for
    this tenant, the newest first. What no backup holds, or only a damaged one, is left out."""
    lost = set(chunks)
    decoder = Decoder(archive.store, threads)
    try:
        for snapshot in reversed(archive.snapshots()):
            if not lost:
                return
            if snapshot.server == server:
                for name, data in _from(archive, snapshot, decoder, tenant, lost):
                    lost.discard(name)
                    yield name, data
    finally:
        decoder.close()


def _from(
    archive: Archive, snapshot: Snapshot, decoder: Decoder, tenant: int, chunks: set[bytes]
) -> Iterator[tuple[bytes, bytes | bytearray]]:
    try:
        found = _located(archive, snapshot, tenant, chunks)
    except CorruptData:
        return  # an older snapshot may still be good
    for name in sorted(chunks & found.keys()):
        try:
            yield name, decoder.read(found[name], found)
        except (CorruptData, StoreTrouble):
            continue


def _located(archive: Archive, snapshot: Snapshot, tenant: int, chunks: set[bytes]) -> Encodings:
    """The encodings of these chunks in the archive, and the bases under them. Reads the rows again for each step down a chain."""
    packs = {row["id"]: pack_key(bytes.fromhex(row["name"])) for row in rows_of(archive, snapshot.tables["packs"])}
    found: Encodings = {}
    wanted = {chunk.hex() for chunk in chunks}
    while wanted:
        fresh = [
            row for row in rows_of(archive, snapshot.tables["encodings"]) if row["tenant"] == tenant and row["chunk"] in wanted
        ]
        placed = [_encoding(parsed(encodings, row), packs[row["pack"]]) for row in fresh]
        found |= {encoding.chunk: encoding for encoding in placed}
        wanted = {encoding.base.hex() for encoding in placed if encoding.base and encoding.base not in found}
    return found


def _encoding(row: dict[str, object], key: str) -> Encoding:
    return Encoding._make({**row, "storage_key": key}[name] for name in Encoding._fields)
