"""Maintenance that an operator starts, beside servers that serve: gc, scrub, expire, purge, unlink.

One of these (or a repack, or a backup) at a time, over all hosts. Each is noted in the audit log.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import select

from lepton_server.backends import open_store, opened
from lepton_server.content import journal, objects
from lepton_server.coordination import maintenance_runs
from lepton_server.coordination.maintenance_runs import exclusive
from lepton_server.database import tables
from lepton_server.database.transactions import Database
from lepton_server.identity import audit_log, tenants
from lepton_server.repositories import registry
from lepton_server.repositories.naming import known_repository
from lepton_server.repositories.registry import Repository
from lepton_server.settings import ServerSettings
from lepton_server.storage.disk import DiskStore
from lepton_server.storage.object_store import ObjectStore

if TYPE_CHECKING:
    from lepton_server.maintenance.dead_chunks import Scope
    from lepton_server.maintenance.repack import Repacked

if TYPE_CHECKING:
    from lepton_server.backup.archive import Archive
    from lepton_server.maintenance.expire import Expired, Expiry
    from lepton_server.maintenance.gc import Collected
    from lepton_server.maintenance.purge import Purged
    from lepton_server.maintenance.scrub_report import ScrubReport


KEEP_DELETED_S = 30 * 86_400.0


def gc(
    settings: ServerSettings,
    repository: str | None,
    grace_s: float,
    *,
    dry_run: bool = False,
    keep_deleted_s: float = KEEP_DELETED_S,
) -> Collected:
    """Let go of what nothing refers to, and of what was deleted so long ago, or look what that would be. Raises FolderBusy,
    DatabaseOlder."""
    from lepton_server.maintenance.dead_chunks import Scope
    from lepton_server.maintenance.gc import Collected, Collector, delete_strays, note_run

    total = Collected()
    with _maintaining(settings, "collects garbage") as (database, store):
        journal.refuse_older(database, store)
        only = _repository(database, repository) if repository else None
        if not only:
            total = _buried(database, settings, int(keep_deleted_s * 1000), dry_run=dry_run)
        for tenant, found in _by_tenant(database, only).items():
            collector = Collector(database, store, settings, Scope(tenant, only.id if only else None, int(grace_s * 1000)))
            total += collector.preview(found) if dry_run else collector.run(found)
        if not dry_run:
            if only is None:
                delete_strays(database, store, settings, int(grace_s * 1000), total)
            note_run(database, total)
    return total


def _buried(database: Database, settings: ServerSettings, keep_ms: int, *, dry_run: bool) -> Collected:
    from lepton_server.maintenance import final_deletion
    from lepton_server.maintenance.gc import Collected

    if dry_run:
        with database.read() as connection:
            gone, people = (len(found) for found in final_deletion.due(connection, keep_ms))
    else:
        gone, people = final_deletion.bury(database, settings, keep_ms)
    return Collected(repositories_gone=gone, accounts_gone=people)


def adopt_refs(settings: ServerSettings, repository: str) -> None:
    """From now on the refs that git has are those that keep weights alive. Raises WrongUse."""
    from lepton_server.maintenance.gc import adopt_refs as adopt

    with opened(settings) as database:
        adopt(database, settings, _repository(database, repository))


def scrub(
    settings: ServerSettings,
    *,
    resume: bool = False,
    repair_from: str | None = None,
    drop_lost: bool = False,
    adopt: bool = False,
) -> ScrubReport:
    """Read all that is stored, and compare it with what refs reach. With `adopt` packs that the database does not know of are read back in
    first. With `repair_from` (a place of backups) bring back what is damaged, and look at that again. With `drop_lost` what then is lost
    counts as stored no more, so that it can be pushed again."""
    from lepton_server.backup.restored_checks import incomplete_files
    from lepton_server.maintenance import losses, reconcile
    from lepton_server.maintenance.losses import find_losses
    from lepton_server.maintenance.repair import Repairer
    from lepton_server.maintenance.scrub import Scrubber
    from lepton_server.maintenance.scrub_report import ScrubReport

    archive = _archive(repair_from, settings) if repair_from else None
    changes = bool(archive or drop_lost or adopt)
    with _maintaining(settings, "repairs") if changes else _looking_at(settings) as (database, store):
        if drop_lost and not adopt:
            journal.refuse_older(database, store)
        adopted = reconcile.adopt(database, store, settings) if adopt else None
        scrubber = Scrubber(database, store, settings.decoders)
        try:
            found = scrubber.run(resume=resume)
        finally:
            scrubber.close()
        repaired = Repairer(database, store, archive, settings.decoders).run(found) if archive and found.bad else None
        left = repaired.left if repaired else found
        lost = []
        for tenant, chunks in left.unreadable().items():
            files = find_losses(database, settings, tenant, chunks)
            lost += files
            if drop_lost:
                losses.give_up(database, tenant, chunks, files)
        compared = reconcile.compare(database, store, settings)
        if drop_lost:
            losses.say_lost(database, compared.missing)
        with database.read() as connection:
            incomplete = [file.told() for file in incomplete_files(connection)]
        report = ScrubReport.of(found, repaired, lost, incomplete, adopted, compared)
        with database.write() as connection:
            audit_log.note(connection, None, "scrub.run", **report.counts())
            maintenance_runs.note(connection, "scrub")
    return report


def _archive(place: str, settings: ServerSettings) -> Archive:
    from lepton_server.backup.archive import open_archive

    return open_archive(place, settings.s3)


def expire(settings: ServerSettings, repository: str, expiry: Expiry, *, dry_run: bool = False) -> Expired:
    """Let go of the weights of old versions, or look which they would be. Raises what `expiring.expire` does."""
    from lepton_server.maintenance.expire import expire as run

    with opened(settings) as database, exclusive(database, settings, "lets versions expire"):
        done = run(database, settings, _repository(database, repository), expiry, dry_run=dry_run)
        if not dry_run:
            with database.write() as connection:
                maintenance_runs.note(connection, "expire")
        return done


def unlink(settings: ServerSettings, repository: str, oids: Collection[bytes], older_than_s: float | None = None) -> int:
    """Take these objects out of an external repository, or all that no push has counted on for so long; how many it held. Raises WrongUse
    for a hosted one."""
    with opened(settings) as database:
        found = _repository(database, repository)
        with database.write() as connection:
            if older_than_s is not None:
                oids = objects.not_counted_on(connection, found, int(older_than_s * 1000))
            return objects.unlink(connection, None, found, oids)


def purge(settings: ServerSettings, target: str, reason: str, by: str, *, everywhere: bool = False) -> list[Purged]:
    """Make the object that `[OWNER/REPO@]REV:PATH` or an oid names be nowhere any more: in each tenant that has it.

    Raises HeldElsewhere unless only the repository that is named holds it, or `everywhere`; and what `purging` does.
    """
    from lepton_server.maintenance.purge import Purger
    from lepton_server.maintenance.purge_target import find_target

    with _maintaining(settings, "purges") as (database, store):
        journal.refuse_older(database, store)
        found = find_target(database, settings, target, everywhere=everywhere)
        return [Purger(database, store, tenant, settings.decoders).run(found.oid, reason, by) for tenant in found.tenants]


def preview_purge(settings: ServerSettings, target: str) -> list[Purged]:
    """What `purge` would do, in all repositories that hold the object. Changes nothing. Raises as `purge`, HeldElsewhere aside."""
    from lepton_server.maintenance.purge import Purger
    from lepton_server.maintenance.purge_target import find_target

    with _looking_at(settings) as (database, store):
        found = find_target(database, settings, target, everywhere=True)
        return [Purger(database, store, tenant, settings.decoders).preview(found.oid) for tenant in found.tenants]


@contextmanager
def _looking_at(settings: ServerSettings) -> Iterator[tuple[Database, ObjectStore]]:
    with opened(settings) as database:
        yield database, open_store(settings, database, "repacking")


@contextmanager
def _maintaining(settings: ServerSettings, does: str) -> Iterator[tuple[Database, ObjectStore]]:
    with opened(settings) as database, exclusive(database, settings, does):
        store = open_store(settings, database, "repacking")
        if isinstance(store, DiskStore):
            store.clear_incoming()
        yield database, store


def _repository(database: Database, name: str) -> Repository:
    with database.read() as connection:
        return known_repository(connection, name)


def _by_tenant(database: Database, only: Repository | None) -> dict[int, list[Repository]]:
    """The repositories of each tenant, or only this one."""
    if only:
        return {only.tenant: [only]}
    with database.read() as connection:
        found: dict[int, list[Repository]] = {tenant: [] for tenant in connection.execute(select(tables.tenants.c.id)).scalars()}
        there = select(tables.repositories.c.id).where(tables.repositories.c.kind != "gone").order_by(tables.repositories.c.id)
        for number in connection.execute(there).scalars().all():
            repository = registry.by_id(connection, number)
            found[repository.tenant].append(repository)
    return found


def repack(settings: ServerSettings, repository: str | None, grace_s: float, *, dry_run: bool = False) -> Repacked:
    """Make the packs of a data folder, or one repository's, fewer and smaller. Raises FolderBusy while another does,
    DatabaseOlder."""
    from lepton_server.maintenance.repack import repack as run

    with opened(settings) as database, exclusive(database, settings, "repacks"):
        scopes = _scopes(database, repository, int(grace_s * 1000))
        store = open_store(settings, database, "repacking")
        journal.refuse_older(database, store)
        if isinstance(store, DiskStore):
            store.clear_incoming()
        done = run(database, store, scopes, settings.decoders, dry_run=dry_run)
        if not dry_run:
            with database.write() as connection:
                maintenance_runs.note(connection, "repack")
        return done


def _scopes(database: Database, repository: str | None, grace_ms: int) -> list[Scope]:
    from lepton_server.maintenance.dead_chunks import Scope

    with database.read() as connection:
        if repository is not None:
            found = known_repository(connection, repository)
            return [Scope(found.tenant, found.id, grace_ms)]
        return [Scope(tenant, None, grace_ms) for tenant in tenants.listed(connection).values()]
