"""Unlinking: links that nothing needs any more go, first of objects that no ref reaches, then of the chunks that only they were made of.

Everything is looked at again in the transaction that drops it; no transaction is long, since others wait for it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, delete, exists, or_, select

from lepton_server.content.objects import last_counted_on, let_go
from lepton_server.database.tables import (
    chunk_links,
    encodings,
    object_links,
    objects,
    packs,
    share_files,
    shares,
    tombstones,
    upload_manifests,
    uploads,
)
from lepton_server.database.transactions import Database, clock, in_batches
from lepton_server.maintenance.dead_chunks import Scope, is_leased
from lepton_server.maintenance.live_chunks import Needed
from lepton_server.repositories import quotas
from lepton_server.repositories.registry import Repository

_CHUNKS_AT_ONCE = 1_000
_OBJECTS_AT_ONCE = 500


def unneeded_objects(
    connection: Connection, repository: Repository, reached: Collection[bytes], grace_ms: int
) -> dict[bytes, int]:
    """The objects (oid to size in bytes) that the repository holds and need not: no ref reaches them, no push has counted on them
    within the grace period, no upload that lives brings them, no link that somebody was given leads to them."""
    query = _loose_objects(connection, repository, grace_ms)
    return {oid: size for oid, size in connection.execute(query) if oid not in reached}


def unlink_objects(connection: Connection, repository: Repository, oids: Iterable[bytes], grace_ms: int) -> dict[bytes, int]:
    """Unlink those of these objects that still are not needed; their sizes in bytes by oid."""
    gone: dict[bytes, int] = {}
    query = _loose_objects(connection, repository, grace_ms)
    for batch in in_batches(oids):
        gone.update((oid, size) for oid, size in connection.execute(query.where(object_links.c.oid.in_(batch))))
    let_go(connection, repository, gone)
    return gone


def is_shared(connection: Connection, repository: Repository) -> ColumnElement[bool]:
    """For a query on object_links: a link that was given away, and is neither revoked nor over, leads to the object."""
    live = shares.c.revoked.is_(None) & or_(shares.c.expires.is_(None), shares.c.expires > clock(connection))
    leads = (share_files.c.share == shares.c.id) & (share_files.c.oid == object_links.c.oid)
    return exists().where(live, leads, shares.c.repository == repository.id).correlate(object_links)


def forget_objects(database: Database, tenant: int) -> None:
    """Drop the rows of objects that no repository holds, except of those whose purge has not come to its end: it needs them."""
    held = exists().where(object_links.c.object == objects.c.id).correlate(objects)
    purged = exists().where(tombstones.c.tenant == tenant, tombstones.c.oid == objects.c.oid, tombstones.c.repository.is_(None))
    lost = (objects.c.tenant == tenant) & ~held & ~purged.correlate(objects)
    with database.read() as connection:
        numbers = list(connection.execute(select(objects.c.id).where(lost)).scalars())
    for start in range(0, len(numbers), _OBJECTS_AT_ONCE):
        with database.write() as connection:
            connection.execute(delete(objects).where(lost, objects.c.id.in_(numbers[start : start + _OBJECTS_AT_ONCE])))


def unneeded_links(connection: Connection, scope: Scope, repository: Repository, needed: Needed) -> list[bytes]:
    """The chunks that a repository holds and need not. `needed` is of that repository, bases taken in."""
    query = _links(connection, scope, repository).execution_options(yield_per=10_000)
    found: list[bytes] = []
    for part in connection.execute(query).partitions():
        found += needed.lacks(chunk for (chunk,) in part)
    return found


def drop_links(database: Database, scope: Scope, repository: Repository, needed: Needed) -> int:
    """Take from a repository the chunks that it need not hold; how many."""
    with database.read() as connection:
        needed.update(connection)
        needed.add_bases(connection)
        candidates = unneeded_links(connection, scope, repository, needed)
    dropped = 0
    for start in range(0, len(candidates), _CHUNKS_AT_ONCE):
        with database.write() as connection:
            dropped += _drop_links(connection, scope, repository, needed, candidates[start : start + _CHUNKS_AT_ONCE])
    return dropped


def _loose_objects(connection: Connection, repository: Repository, grace_ms: int) -> Select[Any]:
    now = clock(connection)
    query = select(object_links.c.oid, objects.c.size).join(objects, objects.c.id == object_links.c.object)
    live = (uploads.c.id == upload_manifests.c.upload) & (uploads.c.expires > now) & uploads.c.state.in_(["open", "verifying"])
    coming = exists().where(live, uploads.c.repository == repository.id, upload_manifests.c.oid == object_links.c.oid)
    return query.where(
        object_links.c.repository == repository.id,
        last_counted_on() <= now - grace_ms,
        ~coming.correlate(object_links),
        ~is_shared(connection, repository),
    )


def _links(connection: Connection, scope: Scope, repository: Repository) -> Select[Any]:
    """Chunks that the repository holds, in packs that nobody counts on without saying so."""
    query = select(chunk_links.c.chunk).join(encodings, encodings.c.chunk == chunk_links.c.chunk)
    query = query.join(packs, packs.c.id == encodings.c.pack)
    everywhere = Scope(scope.tenant, None, scope.grace_ms).settled_packs(connection)
    return query.where(
        chunk_links.c.repository == repository.id, encodings.c.tenant == scope.tenant, everywhere, ~is_leased(connection)
    )


def _drop_links(connection: Connection, scope: Scope, repository: Repository, needed: Needed, candidates: list[bytes]) -> int:
    needed.update(connection)
    query = _links(connection, scope, repository)
    dead: set[bytes] = set()
    for batch in in_batches(sorted(needed.lacks(candidates))):
        dead.update(connection.execute(query.where(chunk_links.c.chunk.in_(batch))).scalars())
    while under := _under_others(connection, scope.tenant, repository, dead):
        dead -= under
    for batch in in_batches(sorted(dead)):
        mine = (chunk_links.c.repository == repository.id) & chunk_links.c.chunk.in_(batch)
        connection.execute(delete(chunk_links).where(mine))
    if dead:
        quotas.forget_count(connection, scope.tenant)
    return len(dead)


def _under_others(connection: Connection, tenant: int, repository: Repository, dead: set[bytes]) -> set[bytes]:
    """Those of these chunks on which something lies that the repository goes on holding."""
    columns = select(encodings.c.chunk, encodings.c.base).where(encodings.c.tenant == tenant)
    held = (chunk_links.c.chunk == encodings.c.chunk) & (chunk_links.c.repository == repository.id)
    found: set[bytes] = set()
    for batch in in_batches(sorted(dead)):
        rows = connection.execute(columns.join(chunk_links, held).where(encodings.c.base.in_(batch)))
        found.update(base for chunk, base in rows if chunk not in dead)
    return found
