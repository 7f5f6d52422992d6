"""Unused packs are deleted: condemned ones, those of uploads that broke long ago, and files without a row.

Rows go first, then files: a crash in between leaves a file without a row, which the next run finds. A file counts as without a row
only when two runs, the grace period between them, have seen it so: a pack that just arrives has none for a moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, func, or_, select

from lepton_server.content.packs import condemn_empty, forget_pack
from lepton_server.database.tables import encodings, packs, pending_packs, stray_files, upload_packs, uploads
from lepton_server.database.transactions import Database, clock, insert_new
from lepton_server.maintenance.dead_chunks import Scope, is_leased
from lepton_server.storage.object_store import ObjectStore
from lepton_server.uploads import records

_AT_ONCE = 1000
_LEAST_GRACE_MS = 60_000  # for files: longer than any pack needs from its rename to its row


def useless_packs(connection: Connection, tenant: int, grace_ms: int) -> list[tuple[int, str, int]]:
    """Number, key and bytes of packs that may go: condemned, or received by no upload that lives, for as long as the grace period."""
    rows = connection.execute(
        select(packs.c.id, packs.c.storage_key, packs.c.size).where(_is_useless(connection, tenant, grace_ms))
    )
    return [(number, key, size) for number, key, size in rows]


def delete_useless(database: Database, store: ObjectStore, tenant: int, grace_ms: int) -> tuple[int, int]:
    """Delete a tenant's useless packs; how many they were, and their bytes."""
    with database.read() as connection:
        rest = iter(useless_packs(connection, tenant, grace_ms))
    count = total = 0
    while batch := list(islice(rest, _AT_ONCE)):
        with database.write() as connection:
            still = _is_useless(connection, tenant, grace_ms) & packs.c.id.in_([number for number, _, _ in batch])
            gone = set(connection.execute(select(packs.c.id).where(still)).scalars())
            for number in gone:
                forget_pack(connection, number)
        for number, key, size in batch:
            if number in gone:
                store.delete(key)
                count, total = count + 1, total + size
    return count, total


def condemn_empty_packs(database: Database, scope: Scope) -> int:
    """Condemn the packs of a scope in which no chunk lies; how many."""
    empty = ~exists().where(encodings.c.pack == packs.c.id).correlate(packs)
    with database.read() as connection:
        numbers = iter(list(connection.execute(select(packs.c.id).where(scope.settled_packs(connection), empty)).scalars()))
    count = 0
    while batch := list(islice(numbers, _AT_ONCE)):
        with database.write() as connection:
            count += condemn_empty(connection, batch)
    return count


def forget_ended_uploads(database: Database) -> None:
    """Drop what is known of uploads that ended long ago. Keys that one was promised and did not use become stray files."""
    with database.write() as connection:
        connection.execute(delete(pending_packs).where(~_is_on_its_way(connection)))
        records.forget_old(connection)


def delete_stray_files(database: Database, store: ObjectStore, grace_ms: int) -> int:
    """Delete files that had no row at an earlier run already; how many. Those seen for the first time are noted."""
    strays = [key for batch in _batches(store.keys()) for key in _without_row(database, batch)]
    with database.write() as connection:
        before = set(connection.execute(select(stray_files.c.storage_key)).scalars())
        _forget(connection, before - set(strays))
        now = clock(connection)
        insert_new(connection, stray_files, [{"storage_key": key, "noticed": now} for key in strays])
        old = stray_files.c.noticed <= now - max(grace_ms, _LEAST_GRACE_MS)
        gone = list(connection.execute(select(stray_files.c.storage_key).where(old)).scalars())
    for key in gone:
        store.delete(key)
    with database.write() as connection:
        _forget(connection, set(gone))
    return len(gone)


def _is_useless(connection: Connection, tenant: int, grace_ms: int) -> ColumnElement[bool]:
    then = clock(connection) - grace_ms
    lies_there = exists().where(encodings.c.pack == packs.c.id).correlate(packs)
    condemned = (packs.c.state == "condemned") & (packs.c.condemned_at <= then) & ~lies_there & ~is_leased(connection)
    counts = (upload_packs.c.pack == packs.c.id) & (uploads.c.id == upload_packs.c.upload)
    alive = exists().where(counts, or_(uploads.c.state == "verifying", uploads.c.expires > clock(connection))).correlate(packs)
    broken = (packs.c.state == "received") & (packs.c.received <= then) & ~alive & ~is_leased(connection)
    return and_(packs.c.tenant == tenant, or_(condemned, broken))


def _is_on_its_way(connection: Connection) -> ColumnElement[bool]:
    """For a query on pending_packs: the upload that the pack belongs to still takes packs."""
    alive = (uploads.c.state == "open") & (uploads.c.expires > clock(connection))
    return exists().where(uploads.c.id == pending_packs.c.upload, alive).correlate(pending_packs)


def _batches(keys: Iterator[str]) -> Iterator[list[str]]:
    while batch := list(islice(keys, _AT_ONCE)):
        yield batch


def _without_row(database: Database, keys: list[str]) -> list[str]:
    with database.read() as connection:
        known = set(connection.execute(select(packs.c.storage_key).where(packs.c.storage_key.in_(keys))).scalars())
        coming = pending_packs.c.storage_key.in_(keys) & _is_on_its_way(connection)
        known.update(connection.execute(select(pending_packs.c.storage_key).where(coming)).scalars())
    return [key for key in keys if key not in known]


def _forget(connection: Connection, keys: set[str]) -> None:
    names = sorted(keys)
    for start in range(0, len(names), _AT_ONCE):
        batch = names[start : start + _AT_ONCE]
        connection.execute(delete(stray_files).where(stray_files.c.storage_key.in_(batch)))


def stray_count(connection: Connection) -> int:
    """Files without a row that earlier runs have noted."""
    return int(connection.execute(select(func.count()).select_from(stray_files)).scalar_one())
