"""Takes the links of a refused push away again: what it alone brought is not held, not counted, and goes when packs are next cleaned.

Errs to the side of keeping: what another file here, a live upload, or a chunk that lies on it needs stays linked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import Connection, delete, exists, select

from git_lepton.format.identifiers import ObjectId
from lepton_server.content import chains
from lepton_server.content.rebuild import Rebuild
from lepton_server.database.tables import (
    chunk_links,
    encodings,
    former_places,
    object_links,
    objects,
    packs,
    upload_failures,
    upload_manifests,
    upload_packs,
    uploads,
)
from lepton_server.database.transactions import clock, in_batches
from lepton_server.repositories import quotas
from lepton_server.repositories.registry import Repository


def is_over_quota(connection: Connection, upload: str) -> bool:
    """Whether something of the upload was refused because there is no room for it: then all of it is."""
    refused = (upload_failures.c.upload == upload) & (upload_failures.c.code == quotas.EXCEEDED)
    return connection.execute(select(upload_failures.c.subject).where(refused).limit(1)).first() is not None


def withdraw(connection: Connection, repository: Repository, upload: str, kept: Collection[bytes]) -> int:
    """Unlink what the upload brought, but for `kept` (of `needed_already`); how many chunks."""
    brought = _brought(connection, repository, upload)
    brought -= _needed(connection, repository, upload) | set(kept)
    brought = _without_bases_of_others(connection, repository, brought)
    for batch in in_batches(sorted(brought)):
        mine = (chunk_links.c.repository == repository.id) & chunk_links.c.chunk.in_(batch)
        connection.execute(delete(chunk_links).where(mine))
    quotas.recount(connection, repository.id)
    return len(brought)


def needed_already(connection: Connection, repository: Repository, upload: str) -> set[bytes]:
    """Of the chunks that the upload brought, those that files which are visible here consist of: one that was stored otherwise before
    may have taken the place of an older encoding. Reads every manifest of the repository, so not while others wait."""
    brought = _brought(connection, repository, upload)
    found: set[bytes] = set()
    visible = select(objects.c.oid, objects.c.manifest).join(object_links, object_links.c.object == objects.c.id)
    query = visible.where(object_links.c.repository == repository.id).execution_options(yield_per=20)
    for oid, manifest in connection.execute(query) if brought else ():
        found.update(brought.intersection(Rebuild(ObjectId(oid), manifest).chunks()))
    return found


def _brought(connection: Connection, repository: Repository, upload: str) -> set[bytes]:
    """Chunks that lie in packs which only this upload sent, and that were not stored before."""
    opened = select(uploads.c.created).where(uploads.c.id == upload).scalar_subquery()
    theirs = upload_packs.alias("theirs")
    others = exists().where(theirs.c.pack == packs.c.id, theirs.c.upload != upload)
    query = (
        select(encodings.c.chunk)
        .join(packs, packs.c.id == encodings.c.pack)
        .join(upload_packs, upload_packs.c.pack == packs.c.id)
        .where(upload_packs.c.upload == upload, packs.c.repository == repository.id, packs.c.received >= opened)
        .where(~others)
    )
    found = set(connection.execute(query).scalars())
    for batch in in_batches(sorted(found)):
        before = select(former_places.c.chunk).where(former_places.c.chunk.in_(batch))
        found.difference_update(connection.execute(before).scalars())
    return found


def _needed(connection: Connection, repository: Repository, upload: str) -> set[bytes]:
    """Chunks of files that became visible here since the upload began, and of files that live uploads to here announce."""
    opened = select(uploads.c.created).where(uploads.c.id == upload).scalar_subquery()
    visible = select(objects.c.oid, objects.c.manifest).join(object_links, object_links.c.object == objects.c.id)
    visible = visible.where(object_links.c.repository == repository.id, object_links.c.created >= opened)
    alive = (uploads.c.repository == repository.id) & (uploads.c.id != upload) & (uploads.c.expires > clock(connection))
    coming = select(upload_manifests.c.oid, upload_manifests.c.manifest).join(uploads, uploads.c.id == upload_manifests.c.upload)
    coming = coming.where(alive, uploads.c.state.in_(["open", "verifying"]))
    found: set[bytes] = set()
    for query in (visible, coming):
        for oid, manifest in connection.execute(query):
            found.update(Rebuild(ObjectId(oid), manifest).chunks())
    return found


def _without_bases_of_others(connection: Connection, repository: Repository, chunks: set[bytes]) -> set[bytes]:
    """The chunks without those that a chunk which stays linked here lies on, over any number of steps."""
    left = set(chunks)
    while True:
        on_them = [(chunk, base) for chunk, base, _ in chains.lying_on(connection, repository.tenant, left) if chunk not in left]
        linked = _linked(connection, repository, {chunk for chunk, _ in on_them})
        held = {base for chunk, base in on_them if chunk in linked}
        if not held:
            return left
        left -= held


def _linked(connection: Connection, repository: Repository, chunks: Iterable[bytes]) -> set[bytes]:
    query = select(chunk_links.c.chunk).where(chunk_links.c.repository == repository.id)
    batches = in_batches(sorted(chunks))
    return {chunk for batch in batches for chunk in connection.execute(query.where(chunk_links.c.chunk.in_(batch))).scalars()}
