"""Tombstones: notes of weights that were taken away, since when and why, for whoever comes with their pointers.

Expired: out of one repository; whoever pushes them again brings them back. Lost: out of one repository too, but by damage. Purged: out of
the whole tenant, and not taken again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, or_, select

from lepton_server.database.tables import tombstones
from lepton_server.database.transactions import clock, in_batches
from lepton_server.errors import Refusal
from lepton_server.repositories.registry import Repository
from lepton_server.wording import utc_day

EXPIRED, LOST, PURGED = "expired", "lost", "purged"


class Tombstone(NamedTuple):
    """What stands for an object: its size in bytes, what was done to it, by whom and when (milliseconds since 1970)."""

    oid: bytes
    size: int
    kind: str
    reason: str
    by: str
    created: int


_COLUMNS = [tombstones.c[name] for name in Tombstone._fields]


def of_objects(connection: Connection, repository: Repository, oids: Iterable[bytes]) -> dict[bytes, Tombstone]:
    """Those of these objects that were expired in the repository or purged in its tenant; the last word on each, a purge before all."""
    tenant, whose = tombstones.c.tenant == repository.tenant, tombstones.c.repository
    query = select(*_COLUMNS).where(tenant, or_(whose.is_(None), whose == repository.id)).order_by(tombstones.c.id)
    found: dict[bytes, Tombstone] = {}
    for batch in in_batches(oids):
        for row in connection.execute(query.where(tombstones.c.oid.in_(batch))):
            stone = Tombstone(*row)
            if stone.oid not in found or found[stone.oid].kind != PURGED:
                found[stone.oid] = stone
    return found


def purged(connection: Connection, tenant: int, oid: bytes) -> Tombstone | None:
    """The tombstone of an object that is not to be stored in this tenant again."""
    mine = (tombstones.c.tenant == tenant) & (tombstones.c.oid == oid) & tombstones.c.repository.is_(None)
    row = connection.execute(select(*_COLUMNS).where(mine).limit(1)).one_or_none()
    return Tombstone(*row) if row else None


def refuse_purged(connection: Connection, tenant: int, oid: bytes) -> None:
    """Raises Refusal (forbidden), in words for whoever sends the object."""
    if stone := purged(connection, tenant, oid):
        raise Refusal("forbidden", f"{oid.hex()} {told(stone)}.", "It is not taken again; ask whoever runs the server.")


def told(stone: Tombstone) -> str:
    """`was purged on 2026-11-27 by NAME: REASON`."""
    return f"was {stone.kind} on {utc_day(stone.created)} by {stone.by}: {stone.reason}"


def set_expired(
    connection: Connection, repository: Repository, sizes: dict[bytes, int], reason: str, by: str, kind: str = EXPIRED
) -> None:
    """From now on these objects (oid to size in bytes) count as expired, or as lost, in the repository."""
    row = {"tenant": repository.tenant, "repository": repository.id, "kind": kind, "reason": reason, "by": by}
    rows = [{**row, "oid": oid, "size": size, "created": clock(connection)} for oid, size in sizes.items()]
    if rows:
        connection.execute(insert(tombstones), rows)


def set_purged(connection: Connection, tenant: int, oid: bytes, size: int, reason: str, by: str) -> None:
    """From now on this object is nowhere in the tenant, and is not taken again. Nothing to do where that was so before."""
    if purged(connection, tenant, oid) is None:
        row = {"tenant": tenant, "repository": None, "kind": PURGED, "reason": reason, "by": by}
        connection.execute(insert(tombstones).values(**row, oid=oid, size=size, created=clock(connection)))


def lift_expired(connection: Connection, repository: Repository, oids: Iterable[bytes]) -> None:
    """Take the tombstones of these objects away, since they are stored in the repository again; a purge stays."""
    for batch in in_batches(oids):
        mine = (tombstones.c.repository == repository.id) & tombstones.c.kind.in_([EXPIRED, LOST])
        connection.execute(delete(tombstones).where(mine, tombstones.c.oid.in_(batch)))
