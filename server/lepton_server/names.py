"""What a name of content means to whom. Every chunk name that a client sends goes through `linked` or `resolve`.

What resolves is what the repository holds (an upload links what it verified) and, for an upload, what the caller may read
elsewhere in the same tenant, coded as this repository allows and on nothing that the repository does not hold: a push publishes what
it names or brings, never what that happens to lie on. All else is missing, in the same way as what exists nowhere; so is what lies
in a condemned pack.

Invariant: wherever a chunk is linked the bases of its encoding are linked too, and their codecs are allowed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, exists, func, select

from git_lepton.format.pack import MAX_DEPTH
from lepton_server.accounts import Caller
from lepton_server.database import in_batches, insert_new
from lepton_server.permissions import readable
from lepton_server.repositories import Repository
from lepton_server.tables import chunk_links, encodings, object_links, objects, packs, repositories


class Encoding(NamedTuple):
    """Where a chunk's payload lies and how it is coded. Offset and lengths in bytes; `checksum` is the payload's XXH3."""

    chunk: bytes
    pack: int
    storage_key: str
    offset: int
    stored: int
    raw: int
    codec: int
    depth: int
    base: bytes | None
    checksum: int


Found = dict[bytes, Encoding]


def linked(connection: Connection, repository: Repository, chunks: Iterable[bytes]) -> Found:
    """Those of these chunks that the repository holds."""
    here = (chunk_links.c.repository == repository.id) & (chunk_links.c.chunk == encodings.c.chunk)
    query = _stored(repository.tenant).join(chunk_links, here)
    return _matching(connection, query, chunks)


def resolve(connection: Connection, caller: Caller, repository: Repository, chunks: Iterable[bytes]) -> Found:
    """Those that the repository holds, or may hold because the caller may read them elsewhere in its tenant."""
    asked = list(chunks)
    found = linked(connection, repository, asked)
    rest = [chunk for chunk in asked if chunk not in found]
    if rest and caller.tenant == repository.tenant:
        elsewhere = (chunk_links.c.chunk == encodings.c.chunk) & chunk_links.c.repository.in_(readable(caller))
        foreign = _matching(connection, _stored(repository.tenant).where(exists().where(elsewhere)), rest)
        chains = with_bases(connection, repository.tenant, foreign)
        held = {None, *linked(connection, repository, chains.keys() - foreign.keys())}
        found |= {
            chunk: encoding
            for chunk, encoding in foreign.items()
            if encoding.base in held and is_allowed(encoding, chains, repository)
        }
    return found


def is_allowed(encoding: Encoding | None, chains: Found, repository: Repository) -> bool:
    """Whether the repository allows the codecs of an encoding and of all bases under it."""
    for _ in range(MAX_DEPTH + 1):
        if encoding is None or encoding.codec not in repository.codecs:
            return False
        if encoding.base is None:
            return True
        encoding = chains.get(encoding.base)
    return False


def allowed_codecs(connection: Connection, tenant: int, chunks: Iterable[bytes]) -> dict[bytes, frozenset[int]]:
    """For each chunk that a repository holds the codecs that every repository allows that holds it."""
    columns = select(chunk_links.c.chunk, repositories.c.codecs).join(repositories, repositories.c.id == chunk_links.c.repository)
    found: dict[bytes, frozenset[int]] = {}
    for batch in in_batches(sorted(set(chunks))):
        here = columns.where(repositories.c.tenant == tenant, chunk_links.c.chunk.in_(batch))
        for chunk, text in connection.execute(here):
            codecs = frozenset(map(int, text.split(",")))
            found[chunk] = found.get(chunk, codecs) & codecs
    return found


def in_tenant(connection: Connection, tenant: int, chunks: Iterable[bytes]) -> Found:
    """Where these chunks are stored, whoever may read them: never for an answer to a client."""
    return _matching(connection, _stored(tenant), chunks)


def with_bases(connection: Connection, tenant: int, found: Found) -> Found:
    """`found` and all bases that decoding it needs, after it. By the invariant they are readable where `found` is."""
    whole = dict(found)
    wanted = {encoding.base for encoding in found.values() if encoding.base} - whole.keys()
    while wanted:
        bases = in_tenant(connection, tenant, wanted)
        whole |= bases
        wanted = {encoding.base for encoding in bases.values() if encoding.base} - whole.keys()
    return whole


def link(connection: Connection, repository: Repository, chunks: Iterable[bytes]) -> None:
    """From now on the repository holds these chunks. The caller sees to the invariant."""
    insert_new(connection, chunk_links, [{"repository": repository.id, "chunk": chunk} for chunk in chunks])


def stored_objects(connection: Connection, repository: Repository, oids: Iterable[bytes]) -> set[bytes]:
    """Those of these objects that are verified, durable and readable in the repository."""
    return set(stored_sizes(connection, repository, oids))


def stored_sizes(connection: Connection, repository: Repository, oids: Iterable[bytes]) -> dict[bytes, int]:
    """Of those objects that are stored in the repository: the size in bytes."""
    query = select(object_links.c.oid, objects.c.size).join(objects, objects.c.id == object_links.c.object)
    return dict(_of_objects(connection, query, repository, oids))


def manifests(connection: Connection, repository: Repository, oids: Iterable[bytes]) -> dict[bytes, bytes]:
    """Of those objects that are stored in the repository: the manifest."""
    query = select(object_links.c.oid, objects.c.manifest).join(objects, objects.c.id == object_links.c.object)
    return dict(_of_objects(connection, query, repository, oids))


def manifest_lengths(connection: Connection, repository: Repository, oids: Iterable[bytes]) -> dict[bytes, int]:
    """Of those objects that are stored in the repository: the length of the manifest in bytes."""
    query = select(object_links.c.oid, func.length(objects.c.manifest)).join(objects, objects.c.id == object_links.c.object)
    return dict(_of_objects(connection, query, repository, oids))


def _of_objects(
    connection: Connection, query: Select[Any], repository: Repository, oids: Iterable[bytes]
) -> Iterable[tuple[bytes, Any]]:
    for batch in in_batches(oids):
        mine = (object_links.c.repository == repository.id) & object_links.c.oid.in_(batch)
        yield from ((oid, value) for oid, value in connection.execute(query.where(mine)))


def _stored(tenant: int) -> Select[Any]:
    columns = encodings.c
    return (
        select(
            columns.chunk,
            columns.pack,
            packs.c.storage_key,
            columns.offset,
            columns.stored,
            columns.raw,
            columns.codec,
            columns.depth,
            columns.base,
            columns.checksum,
        )
        .join(packs, packs.c.id == columns.pack)
        .where(columns.tenant == tenant, packs.c.state == "verified")
    )


def _matching(connection: Connection, query: Select[Any], chunks: Iterable[bytes]) -> Found:
    found: Found = {}
    for batch in in_batches(sorted(set(chunks))):  # in the order of the index: half the time
        rows = connection.execute(query.where(encodings.c.chunk.in_(batch))).all()
        found |= {row[0]: Encoding._make(row) for row in rows}
    return found
