"""Expiry (`lepton-server expire`): the weights of old versions are let go. Their pointers stay, and a tombstone says since when and why.

What one of the versions that stay has is not touched, nor what a link that was given away leads to. The bytes go with the next gc.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, select

from git_lepton.errors import WrongUse
from lepton_server.content import tombstones
from lepton_server.content.objects import let_go
from lepton_server.database.tables import object_links, objects
from lepton_server.database.transactions import Database, clock, in_batches
from lepton_server.git.history import RefsDiffer, open_history, settled_refs
from lepton_server.git.ref_lock import quiet_refs
from lepton_server.git.ref_mirror import mirrored_refs
from lepton_server.identity import audit_log
from lepton_server.maintenance.retention import Keep, versions, weights_of_expired
from lepton_server.maintenance.unlink import is_shared
from lepton_server.repositories.registry import Repository
from lepton_server.settings import ServerSettings

_OBJECTS_AT_ONCE = 500


@dataclass
class Expired:
    """What a run did, or would do; sizes in bytes of files."""

    versions: int = 0  # that are not kept, whether they had weights of their own or not
    objects: int = 0
    object_bytes: int = 0


class NoHistoryHere(WrongUse):
    """Versions of a repository whose git history is elsewhere cannot expire here."""


@dataclass(frozen=True)
class Expiry:
    """What is to go: versions that `keep` does not keep, at `path` only (a pattern; None: anywhere), for this reason."""

    keep: Keep
    path: str | None
    reason: str
    by: str


def expire(database: Database, settings: ServerSettings, repository: Repository, expiry: Expiry, *, dry_run: bool) -> Expired:
    """Expire, or say what would be. Raises NoHistoryHere, HistoryAbsent, and RefsDiffer where they move meanwhile: run it again."""
    if repository.kind != "hosted":
        raise NoHistoryHere(
            f"the git history of {repository.full_name} is not hosted here, so its versions are not known",
            "Let go of single objects: lepton-server unlink OWNER/REPO OID...",
        )
    git = open_history(settings, repository)
    refs = settled_refs(database, repository, git)
    with database.read() as connection:
        found = versions(git, refs, expiry.keep, clock(connection) / 1000)
    old = weights_of_expired(git, refs, found.kept, expiry.path)
    done = Expired(found.expired)
    with database.read() as connection:
        held = _held(connection, repository, old)
    names = sorted(held)
    for start in range(0, len(names), _OBJECTS_AT_ONCE):
        batch = names[start : start + _OBJECTS_AT_ONCE]
        if dry_run:
            gone = {oid: held[oid] for oid in batch}
        else:
            with quiet_refs(database, settings, repository), database.write() as connection:
                if mirrored_refs(connection, repository) != refs:
                    raise RefsDiffer(f"refs of {repository.full_name} moved meanwhile", "Run it again; what is done stays done.")
                gone = _let_go(connection, repository, batch, expiry)
        done.objects, done.object_bytes = done.objects + len(gone), done.object_bytes + sum(gone.values())
    return done


def _held(connection: Connection, repository: Repository, oids: Collection[bytes]) -> dict[bytes, int]:
    """Sizes by oid of those of these objects that the repository holds and that no share leads to."""
    query = select(object_links.c.oid, objects.c.size).join(objects, objects.c.id == object_links.c.object)
    query = query.where(object_links.c.repository == repository.id, ~is_shared(connection, repository))
    found: dict[bytes, int] = {}
    for batch in in_batches(oids):
        found.update((oid, size) for oid, size in connection.execute(query.where(object_links.c.oid.in_(batch))))
    return found


def _let_go(connection: Connection, repository: Repository, oids: Collection[bytes], expiry: Expiry) -> dict[bytes, int]:
    held = _held(connection, repository, oids)
    let_go(connection, repository, held)
    tombstones.set_expired(connection, repository, held, expiry.reason, expiry.by)
    if held:
        subject = ",".join(sorted(oid.hex() for oid in held))
        detail = {"objects": len(held), "bytes": sum(held.values()), "reason": expiry.reason}
        audit_log.note(connection, None, "objects.expire", repository=repository.full_name, subject=subject, **detail)
    return held
