"""Objects that a repository holds: counted on by pushes, let go by those who may.

What somebody who pushes was told is stored need not be sent, so it must stay a while: each such answer renews the time from which gc
counts its grace period (docs/decisions/0012).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import ColumnElement, Connection, delete, func, select, update

from lepton_server import audit, names, tombstones
from lepton_server.accounts import Caller
from lepton_server.database import Database, clock, in_batches
from lepton_server.refusals import Refusal
from lepton_server.repositories import Repository
from lepton_server.tables import object_links

_FRESH_MS = 5_000  # what was renewed so lately is not written again


def last_counted_on() -> ColumnElement[int]:
    """For a query on object_links: the time from which the grace period counts."""
    return func.coalesce(object_links.c.counted_on, object_links.c.created)


def count_on(database: Database, repository: Repository, oids: Collection[bytes]) -> None:
    """A push has heard, or is about to, that these objects are stored. Those that no longer are stay so: look them up afterwards."""
    with database.read() as connection:
        stale = _stale(connection, repository, oids)
    if stale:
        with database.write() as connection:
            renew(connection, repository, stale)


def renew(connection: Connection, repository: Repository, oids: Iterable[bytes]) -> None:
    """The same inside a transaction."""
    now = clock(connection)
    for batch in in_batches(oids):
        mine = (object_links.c.repository == repository.id) & object_links.c.oid.in_(batch)
        connection.execute(update(object_links).where(mine).values(counted_on=now))


def let_go(connection: Connection, repository: Repository, oids: Iterable[bytes]) -> None:
    """From now on the repository does not hold these objects; their chunks stay until a caretaker looks."""
    for batch in in_batches(oids):
        mine = (object_links.c.repository == repository.id) & object_links.c.oid.in_(batch)
        connection.execute(delete(object_links).where(mine))


def unlink(connection: Connection, by: Caller | None, repository: Repository, oids: Iterable[bytes]) -> int:
    """Let an external repository let go of objects; how many it held. Raises Refusal (conflict) for one that is hosted here."""
    if repository.kind != "external":
        message = f"{repository.full_name} is hosted here: what it needs is what its refs reach."
        raise Refusal("conflict", message, "Delete the branches and tags that reach it; gc then lets go of it.")
    held = names.stored_objects(connection, repository, oids)
    let_go(connection, repository, held)
    subject = ",".join(sorted(oid.hex() for oid in held))
    audit.note(connection, by, "objects.unlink", repository=repository.full_name, subject=subject, objects=len(held))
    return len(held)


def sizes_for_push(database: Database, repository: Repository, oids: Iterable[bytes]) -> dict[bytes, int]:
    """Of those objects that a ref may land with: the size in bytes. They are stored here, or were taken away on the record."""
    asked = list(oids)
    count_on(database, repository, asked)
    with database.read() as connection:
        gone = {oid: stone.size for oid, stone in tombstones.of_objects(connection, repository, asked).items()}
        return gone | names.stored_sizes(connection, repository, asked)


def _stale(connection: Connection, repository: Repository, oids: Iterable[bytes]) -> list[bytes]:
    old = last_counted_on() <= clock(connection) - _FRESH_MS
    found: list[bytes] = []
    for batch in in_batches(oids):
        mine = (object_links.c.repository == repository.id) & object_links.c.oid.in_(batch)
        found += connection.execute(select(object_links.c.oid).where(mine, old)).scalars()
    return found
