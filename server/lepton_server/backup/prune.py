"""Old snapshots go, and then what no snapshot names any more: also what a backup left that never became one."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from lepton_server.backup.archive import Archive, pack_key, part_key
from lepton_server.backup.archive_lock import OneWriter
from lepton_server.backup.git_snapshots import bundles_of
from lepton_server.backup.parts import rows_of
from lepton_server.backup.snapshot import Snapshot


@dataclass(frozen=True)
class Pruned:
    snapshots: int
    files: int


def prune(archive: Archive, writer: OneWriter, server: str, keep: int) -> Pruned:
    """Leave the newest `keep` snapshots of this server, and all of other servers. Raises BadSnapshot, and then nothing has gone."""
    own = [snapshot for snapshot in archive.snapshots() if snapshot.server == server]
    return take_away(archive, writer, {snapshot.id for snapshot in own[: max(len(own) - keep, 0)]})


def take_away(archive: Archive, writer: OneWriter, doomed: Collection[str]) -> Pruned:
    """Leave all snapshots but those with these IDs. Raises BadSnapshot, and then nothing has gone."""
    keys = set(archive.store.keys())  # as they are now: what this run brought, too
    found = archive.snapshots(keys)
    named = {key for snapshot in found if snapshot.id not in doomed for key in named_by(archive, snapshot)}
    for snapshot in found:
        if snapshot.id in doomed:
            archive.forget(snapshot)
    useless = [key for key in keys if key.startswith(("parts/", "packs/")) and key not in named]
    for key in useless:
        writer.go_on()
        archive.store.delete(key)
    return Pruned(len(doomed), len(useless))


def named_by(archive: Archive, snapshot: Snapshot) -> Iterable[str]:
    """Every key that a snapshot needs."""
    yield from map(part_key, snapshot.parts)
    for row in rows_of(archive, snapshot.packs):
        yield pack_key(bytes.fromhex(row["name"]))
    for row in rows_of(archive, snapshot.git):
        yield from (part_key(part) for bundle in bundles_of(row) for part in bundle)
