"""Dead chunks: encodings are dropped that nothing needs: no file of any repository of the tenant, no delta that is kept, no upload that was
told that they are stored.

Left alone, whatever they hold: packs that arrived within the grace period (a push that broke goes on with them), and packs that a
live upload has a lease on. Bytes stay where they are until their pack is written anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, exists, select

from git_lepton.format.pack import HEADER_BYTES
from lepton_server.content import chains
from lepton_server.database.tables import chunk_links, encodings, leases, packs, repositories, uploads
from lepton_server.database.transactions import Database, clock, in_batches
from lepton_server.maintenance.live_chunks import Needed

_AT_ONCE = 10_000  # looked at
_DROPPED_AT_ONCE = 1_000  # in one transaction: others wait for it


class Space(NamedTuple):
    """The bytes that a chunk takes in a pack, its headers counted."""

    pack: int
    size: int


@dataclass(frozen=True)
class Scope:
    """What a run may touch: one tenant, in it perhaps one repository's packs; nothing younger than `grace_ms`."""

    tenant: int
    repository: int | None
    grace_ms: int

    def settled_packs(self, connection: Connection) -> ColumnElement[bool]:
        """For a query on packs: verified, and old enough that nobody counts on them without a lease."""
        own = [packs.c.repository == self.repository] if self.repository is not None else []
        old = packs.c.received <= clock(connection) - self.grace_ms
        return and_(packs.c.tenant == self.tenant, packs.c.state == "verified", old, *own)


def is_leased(connection: Connection) -> ColumnElement[bool]:
    """For a query on packs: a live upload counts on the pack."""
    alive = (leases.c.pack == packs.c.id) & (uploads.c.id == leases.c.upload) & (uploads.c.expires > clock(connection))
    return exists().where(alive).correlate(packs)


def find_dead(connection: Connection, scope: Scope, needed: Needed) -> dict[bytes, Space]:
    """The chunks that may go, deepest first, and the space that each takes."""
    query = _in_scope(connection, scope).order_by(encodings.c.depth.desc()).execution_options(yield_per=_AT_ONCE)
    found: dict[bytes, Space] = {}
    for part in connection.execute(query).partitions():
        spaces = {chunk: Space(pack, stored + 2 * HEADER_BYTES) for chunk, pack, stored in part}
        lacking = needed.lacks(spaces)
        found |= {chunk: space for chunk, space in spaces.items() if chunk in lacking}
    return _not_under_others(connection, scope.tenant, found)


def drop_dead(database: Database, scope: Scope, needed: Needed) -> dict[bytes, Space]:
    """Drop the dead chunks of a scope; what was dropped. Every transaction looks again whether what it drops is still dead."""
    with database.read() as connection:
        candidates = list(find_dead(connection, scope, needed))
    dropped: dict[bytes, Space] = {}
    for start in range(0, len(candidates), _DROPPED_AT_ONCE):
        with database.write() as connection:
            dropped |= _drop(connection, scope, needed, candidates[start : start + _DROPPED_AT_ONCE])
    return dropped


def _in_scope(connection: Connection, scope: Scope) -> Select[Any]:
    columns = select(encodings.c.chunk, encodings.c.pack, encodings.c.stored).join(packs, packs.c.id == encodings.c.pack)
    return columns.where(scope.settled_packs(connection), ~is_leased(connection), encodings.c.tenant == scope.tenant)


def _drop(connection: Connection, scope: Scope, needed: Needed, candidates: list[bytes]) -> dict[bytes, Space]:
    needed.update(connection)
    query = _in_scope(connection, scope)
    spaces: dict[bytes, Space] = {}
    for batch in in_batches(sorted(needed.lacks(candidates))):
        rows = connection.execute(query.where(encodings.c.chunk.in_(batch)))
        spaces |= {chunk: Space(pack, stored + 2 * HEADER_BYTES) for chunk, pack, stored in rows}
    dead = _not_under_others(connection, scope.tenant, spaces)
    here = select(repositories.c.id).where(repositories.c.tenant == scope.tenant)
    for batch in in_batches(dead):
        connection.execute(delete(chunk_links).where(chunk_links.c.chunk.in_(batch), chunk_links.c.repository.in_(here)))
        connection.execute(delete(encodings).where(encodings.c.tenant == scope.tenant, encodings.c.chunk.in_(batch)))
    return dead


def _not_under_others(connection: Connection, tenant: int, spaces: dict[bytes, Space]) -> dict[bytes, Space]:
    """Those of these chunks on which nothing outside of them lies, over any number of steps."""
    dead = set(spaces)
    while kept := {base for chunk, base, _ in chains.lying_on(connection, tenant, dead) if chunk not in dead}:
        dead -= kept
    return {chunk: space for chunk, space in spaces.items() if chunk in dead}
