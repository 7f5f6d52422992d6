"""What the person who runs a server has done to the data, beside servers that serve: gc, scrub, expire, purge, unlink.

One of these (or a repack, or a backup) at a time, over all hosts. Each is noted in the audit log.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import select

from lepton_server import audit, held_objects, last_runs, tables
from lepton_server import repositories as known_repositories
from lepton_server.administration import known_repository, opened
from lepton_server.database import Database
from lepton_server.disk_store import DiskStore
from lepton_server.exclusive import exclusive
from lepton_server.object_store import ObjectStore
from lepton_server.places import open_store
from lepton_server.repositories import Repository
from lepton_server.settings import ServerSettings

if TYPE_CHECKING:
    from lepton_server.backup.archive import Archive
    from lepton_server.care.collecting import Collected
    from lepton_server.care.expiring import Expired, Expiry
    from lepton_server.care.purging import Purged
    from lepton_server.care.scrub_report import ScrubReport


def gc(settings: ServerSettings, repository: str | None, grace_s: float, *, dry_run: bool = False) -> Collected:
    """Let go of what nothing refers to, or look what that would be. Raises FolderBusy."""
    from lepton_server.care.collecting import Collected, Collector, note_run
    from lepton_server.care.dead_chunks import Scope

    total = Collected()
    with _caring(settings, "collects garbage") as (database, store):
        only = _repository(database, repository) if repository else None
        for tenant, found in _by_tenant(database, only).items():
            collector = Collector(database, store, settings, Scope(tenant, only.id if only else None, int(grace_s * 1000)))
            total += collector.preview(found) if dry_run else collector.run(found)
        if not dry_run:
            note_run(database, total)
    return total


def adopt_refs(settings: ServerSettings, repository: str) -> None:
    """From now on the refs that git has are those that keep weights alive. Raises WrongUse."""
    from lepton_server.care.collecting import adopt_refs as adopt

    with opened(settings) as database:
        adopt(database, settings, _repository(database, repository))


def scrub(
    settings: ServerSettings, *, resume: bool = False, repair_from: str | None = None, drop_lost: bool = False
) -> ScrubReport:
    """Read all that is stored; with `repair_from` (a place of backups) bring back what is damaged, and look at that again. With
    `drop_lost` what then is lost counts as stored no more, so that it can be pushed again."""
    from lepton_server.backup.restored import incomplete_files
    from lepton_server.care.giving_up import give_up
    from lepton_server.care.losses import find_losses
    from lepton_server.care.repairing import Repairer
    from lepton_server.care.scrub_report import ScrubReport
    from lepton_server.care.scrubbing import Scrubber

    archive = _archive(repair_from, settings) if repair_from else None
    with _caring(settings, "repairs") if archive or drop_lost else _watching(settings) as (database, store):
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
                give_up(database, tenant, chunks, files)
        with database.read() as connection:
            incomplete = [file.told() for file in incomplete_files(connection)]
        report = ScrubReport.of(found, repaired, lost, incomplete)
        with database.write() as connection:
            audit.note(connection, None, "scrub.run", **report.counts())
            last_runs.note(connection, "scrub")
    return report


def _archive(place: str, settings: ServerSettings) -> Archive:
    from lepton_server.backup.archive import open_archive

    return open_archive(place, settings.s3)


def expire(settings: ServerSettings, repository: str, expiry: Expiry, *, dry_run: bool = False) -> Expired:
    """Let go of the weights of old versions, or look which they would be. Raises what `expiring.expire` does."""
    from lepton_server.care.expiring import expire as run

    with opened(settings) as database, exclusive(database, settings, "lets versions expire"):
        done = run(database, settings, _repository(database, repository), expiry, dry_run=dry_run)
        if not dry_run:
            with database.write() as connection:
                last_runs.note(connection, "expire")
        return done


def unlink(settings: ServerSettings, repository: str, oids: Collection[bytes]) -> int:
    """Take these objects out of an external repository; how many it held. Raises WrongUse for a hosted one."""
    with opened(settings) as database:
        found = _repository(database, repository)
        with database.write() as connection:
            return held_objects.unlink(connection, None, found, oids)


def purge(settings: ServerSettings, target: str, reason: str, by: str, *, everywhere: bool = False) -> list[Purged]:
    """Make the object that `[OWNER/REPO@]REV:PATH` or an oid names be nowhere any more: in each tenant that has it.

    Raises HeldElsewhere unless only the repository that is named holds it, or `everywhere`; and what `purging` does.
    """
    from lepton_server.care.purge_target import find_target
    from lepton_server.care.purging import Purger

    with _caring(settings, "purges") as (database, store):
        found = find_target(database, settings, target, everywhere=everywhere)
        return [Purger(database, store, tenant, settings.decoders).run(found.oid, reason, by) for tenant in found.tenants]


@contextmanager
def _watching(settings: ServerSettings) -> Iterator[tuple[Database, ObjectStore]]:
    with opened(settings) as database:
        yield database, open_store(settings, database, "repacking")


@contextmanager
def _caring(settings: ServerSettings, does: str) -> Iterator[tuple[Database, ObjectStore]]:
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
        for number in connection.execute(select(tables.repositories.c.id).order_by(tables.repositories.c.id)).scalars().all():
            one = known_repositories.by_id(connection, number)
            found[one.tenant].append(one)
    return found
