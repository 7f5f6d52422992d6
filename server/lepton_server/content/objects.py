"""Objects that a repository holds: counted on by pushes, let go by those who may.

What somebody who pushes was told is stored need not be sent, so it must stay a while: each such answer renews the time from which gc
counts its grace period (docs/decisions/0012).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, delete, func, select, update

from lepton_server.content import tombstones
from lepton_server.database.tables import object_links, objects
from lepton_server.database.transactions import Database, clock, in_batches
from lepton_server.errors import Refusal
from lepton_server.identity import audit_log
from lepton_server.identity.caller import Caller
from lepton_server.repositories.registry import Repository

_FRESH_MS = 5_000  # what was renewed so lately is not written again


def last_counted_on() -> ColumnElement[int]:
    """For a query on object_links: the time from which the grace period counts."""
    return func.coalesce(object_links.c.counted_on, object_links.c.created)


def count_on(database: Database, repository: Repository, oids: Collection[bytes]) -> None:
    """Note that a push has heard, or is about to, that these objects are stored. Objects that are no longer stored do not come back by
    that: look them up afterwards."""
    with database.read() as connection:
        stale = _stale(connection, repository, oids)
    if stale:
        with database.write() as connection:
            renew(connection, repository, stale)


def renew(connection: Connection, repository: Repository, oids: Iterable[bytes]) -> None:
    """Count the grace period of these objects anew from now on, in a transaction of the caller's."""
    now = clock(connection)
    for batch in in_batches(oids):
        mine = (object_links.c.repository == repository.id) & object_links.c.oid.in_(batch)
        connection.execute(update(object_links).where(mine).values(counted_on=now))


def let_go(connection: Connection, repository: Repository, oids: Iterable[bytes]) -> None:
    """From now on the repository does not hold these objects; their chunks stay until gc finds them dead."""
    for batch in in_batches(oids):
        mine = (object_links.c.repository == repository.id) & object_links.c.oid.in_(batch)
        connection.execute(delete(object_links).where(mine))


def unlink(connection: Connection, by: Caller | None, repository: Repository, oids: Iterable[bytes]) -> int:
    """Let an external repository let go of objects; how many it held. Raises Refusal (conflict) for one that is hosted here."""
    if repository.kind != "external":
        message = f"{repository.full_name} is hosted here: what it needs is what its refs reach."
        raise Refusal("conflict", message, "Delete the branches and tags that reach it; gc then lets go of it.")
    held = stored_objects(connection, repository, oids)
    let_go(connection, repository, held)
    subject = ",".join(sorted(oid.hex() for oid in held))
    audit_log.note(connection, by, "objects.unlink", repository=repository.full_name, subject=subject, objects=len(held))
    return len(held)


def not_counted_on(connection: Connection, repository: Repository, for_ms: int) -> list[bytes]:
    """The objects that no push has counted on for so long."""
    old = (object_links.c.repository == repository.id) & (last_counted_on() <= clock(connection) - for_ms)
    return list(connection.execute(select(object_links.c.oid).where(old)).scalars())


def sizes_for_push(database: Database, repository: Repository, oids: Iterable[bytes]) -> dict[bytes, int]:
    """Sizes in bytes of those of these objects that a ref may land with: stored here, or with a tombstone."""
    asked = list(oids)
    count_on(database, repository, asked)
    with database.read() as connection:
        sizes = {oid: stone.size for oid, stone in tombstones.of_objects(connection, repository, asked).items()}
        return sizes | stored_sizes(connection, repository, asked)


def _stale(connection: Connection, repository: Repository, oids: Iterable[bytes]) -> list[bytes]:
    old = last_counted_on() <= clock(connection) - _FRESH_MS
    found: list[bytes] = []
    for batch in in_batches(oids):
        mine = (object_links.c.repository == repository.id) & object_links.c.oid.in_(batch)
        found += connection.execute(select(object_links.c.oid).where(mine, old)).scalars()
    return found


def stored_objects(connection: Connection, repository: Repository, oids: Iterable[bytes]) -> set[bytes]:
    """Those of these objects that are verified, durable and readable in the repository."""
    return set(stored_sizes(connection, repository, oids))


def stored_sizes(connection: Connection, repository: Repository, oids: Iterable[bytes]) -> dict[bytes, int]:
    """Sizes in bytes of those of these objects that are stored in the repository."""
    query = select(object_links.c.oid, objects.c.size).join(objects, objects.c.id == object_links.c.object)
    return dict(_of_objects(connection, query, repository, oids))


def manifests(connection: Connection, repository: Repository, oids: Iterable[bytes]) -> dict[bytes, bytes]:
    """Encoded manifests of those of these objects that are stored in the repository."""
    query = select(object_links.c.oid, objects.c.manifest).join(objects, objects.c.id == object_links.c.object)
    return dict(_of_objects(connection, query, repository, oids))


def manifest_lengths(connection: Connection, repository: Repository, oids: Iterable[bytes]) -> dict[bytes, int]:
    """Lengths in bytes of the encoded manifests of those of these objects that are stored in the repository."""
    query = select(object_links.c.oid, func.length(objects.c.manifest)).join(objects, objects.c.id == object_links.c.object)
    return dict(_of_objects(connection, query, repository, oids))


def _of_objects(
    connection: Connection, query: Select[Any], repository: Repository, oids: Iterable[bytes]
) -> Iterable[tuple[bytes, Any]]:
    for batch in in_batches(oids):
        mine = (object_links.c.repository == repository.id) & object_links.c.oid.in_(batch)
        yield from ((oid, value) for oid, value in connection.execute(query.where(mine)))
