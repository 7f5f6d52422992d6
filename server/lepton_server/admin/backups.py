"""Backups, as an operator handles them: make one, list, verify and prune them, and restore a server out of one."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from git_lepton.errors import CorruptData, WrongUse
from lepton_server.backends import open_store, opened
from lepton_server.backup.archive import Archive, open_archive
from lepton_server.backup.archive_lock import OneWriter
from lepton_server.backup.create import BackedUp, back_up
from lepton_server.backup.prune import Pruned, take_away
from lepton_server.backup.restore import Restored, Target, restore
from lepton_server.backup.snapshot import Snapshot
from lepton_server.backup.verify import problems
from lepton_server.coordination.maintenance_runs import exclusive
from lepton_server.settings import S3Settings, ServerSettings


class NoSuchBackup(WrongUse):
    """There is no snapshot of this name."""


class BadBackup(CorruptData):
    """A backup is damaged, or lacks something."""


def make(settings: ServerSettings, place: str, s3: S3Settings, keep: int | None = None) -> BackedUp:
    """A new snapshot in the archive at `place`, also while the server serves; nothing cleans up in the server meanwhile.

    Raises FolderBusy, ArchiveBusy, Damaged, HistoryLost, NotAnArchive, StoreTrouble.
    """
    with opened(settings) as database, exclusive(database, settings, "backs up") as held:
        store = open_store(settings, database)
        return back_up(database, store, open_archive(place, s3, make=True), settings, keep, held.check)


def listed(place: str, s3: S3Settings) -> list[Snapshot]:
    """The complete snapshots of an archive, oldest first."""
    return open_archive(place, s3).snapshots()


def verify(place: str, s3: S3Settings, snapshot: str | None = None) -> Sequence[str]:
    """Read all of an archive, or of one snapshot: what is wrong with it, in sentences."""
    archive = open_archive(place, s3)
    return list(problems(archive, archive.snapshots() if snapshot is None else [_chosen(archive, snapshot)]))


def drop(place: str, s3: S3Settings, snapshot: str) -> Pruned:
    """Take one snapshot away, whichever server it is of, and what no other one needs. Raises NoSuchBackup, ArchiveBusy, BadSnapshot."""
    archive = open_archive(place, s3)
    with OneWriter(archive, secrets.token_hex(16)) as writer:  # as a server of its own: it keeps out of the way of all that write
        return take_away(archive, writer, {_chosen(archive, snapshot).id})


def restore_server(
    settings: ServerSettings, place: str, s3: S3Settings, snapshot: str | None = None, *, deep: bool = False
) -> Restored:
    """The server of a snapshot (None: the newest) in an empty place. Raises NotEmpty, FolderInUse, CorruptData, ..."""
    archive = open_archive(place, s3)
    chosen = _chosen(archive, snapshot)
    with opened(settings) as database, exclusive(database, settings, "restores") as held:
        target = Target(database, open_store(settings, database), settings, settings.decoders, held.check)
        return restore(archive, chosen, target, deep=deep)


def _chosen(archive: Archive, snapshot: str | None) -> Snapshot:
    found = archive.snapshots()
    if snapshot is None and found:
        return found[-1]
    for one in found:
        if one.id == snapshot:
            return one
    names = ", ".join(one.id for one in found[-3:])
    raise NoSuchBackup(
        f"there is no complete backup {snapshot or ''} in {archive.place}", f"There are {names}." if names else "Make one first."
    )
