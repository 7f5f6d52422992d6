"""Takes what is lost out of the database, so that whoever has the files can push them again: until then it counts as stored."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import delete, select

from lepton_server import audit, chains, quotas
from lepton_server.care.losses import Loss
from lepton_server.care.switching import condemn_empty
from lepton_server.database import Database, in_batches
from lepton_server.tables import chunk_links, encodings, object_links, repositories


def give_up(database: Database, tenant: int, chunks: Collection[bytes], lost: Collection[Loss]) -> None:
    """Drop these chunks, none of which can be read, with all that lies on them, and unlink the files that need them, in whatever
    repository of the tenant: one may have been forked since it was found out who holds them."""
    with database.write() as connection:
        here = select(repositories.c.id).where(repositories.c.tenant == tenant)
        for loss in lost:
            audit.note(connection, None, "object.lost", repository=loss.repository, subject=loss.oid)
        for batch in in_batches({bytes.fromhex(loss.oid) for loss in lost}):
            mine = object_links.c.oid.in_(batch) & object_links.c.repository.in_(here)
            connection.execute(delete(object_links).where(mine))
        doomed = set(chunks)
        while more := {chunk for chunk, _, _ in chains.lying_on(connection, tenant, doomed)} - doomed:
            doomed |= more
        left: set[int] = set()
        for batch in in_batches(sorted(doomed)):
            stored = (encodings.c.tenant == tenant) & encodings.c.chunk.in_(batch)
            left.update(connection.execute(select(encodings.c.pack).where(stored)).scalars())
            connection.execute(delete(chunk_links).where(chunk_links.c.chunk.in_(batch), chunk_links.c.repository.in_(here)))
            connection.execute(delete(encodings).where(stored))
        condemn_empty(connection, left)  # or a push that makes the same pack again would be told that it is there
        quotas.forget_count(connection, tenant)
