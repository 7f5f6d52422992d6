"""What a name of content means to whom. Every chunk name that a client sends goes through `linked` or `resolve`.

What resolves is what the repository holds (an upload links what it verified) and, for an upload, what the caller may read
elsewhere in the same tenant, coded as this repository allows and on nothing that the repository does not hold: a push publishes what
it names or brings, never what that happens to lie on. All else is missing, in the same way as what exists nowhere; so is what lies
in a condemned pack.

Invariant: wherever a chunk is linked the bases of its encoding are linked too, and their codecs are allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, exists, func, select

from git_lepton.format.pack import MAX_DEPTH
from lepton_server import quotas
from lepton_server.accounts import Caller
from lepton_server.database import in_batches, insert_new
from lepton_server.lookup import MOST_NAMES, all_rows, asked
from lepton_server.permissions import readable
from lepton_server.repositories import Repository
from lepton_server.tables import chunk_links, encodings, facts, object_links, objects, packs, repositories


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
_PLACE = ("pack", *Encoding._fields[3:])
_ALL_BITS = 0xFFFFFFFFFFFFFFFF


def linked(connection: Connection, repository: Repository, chunks: Iterable[bytes]) -> Found:
    """Those of these chunks that the repository holds."""
    return _matching(connection, repository.tenant, chunks, partial(held_by, repository.id))


def resolve(connection: Connection, caller: Caller, repository: Repository, chunks: Iterable[bytes]) -> Found:
    """Those that the repository holds, or may hold because the caller may read them elsewhere in its tenant."""
    wanted = list(chunks)
    found = linked(connection, repository, wanted)
    rest = [chunk for chunk in wanted if chunk not in found]
    if rest and caller.tenant == repository.tenant:
        foreign = _matching(connection, repository.tenant, rest, partial(_readable_by, caller))
        chains = with_bases(connection, repository.tenant, foreign)
        held = {None, *linked(connection, repository, chains.keys() - foreign.keys())}
        found |= {
            chunk: encoding
            for chunk, encoding in foreign.items()
            if encoding.base in held and is_allowed(encoding, chains, repository)
        }
    return found


def moves(connection: Connection) -> int:
    """A number that grows whenever a chunk goes or comes to lie elsewhere (the database counts)."""
    return int(connection.execute(select(facts.c.value).where(facts.c.name == "moves")).scalar_one())


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
    return _matching(connection, tenant, chunks)


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
    """From now on the repository holds these chunks. The caller sees to the invariant. Raises QuotaExceeded."""
    held = list(chunks)
    quotas.added(connection, repository, held)
    insert_new(connection, chunk_links, [{"repository": repository.id, "chunk": chunk} for chunk in held])


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


Condition = Callable[[ColumnElement[bytes]], ColumnElement[bool]]


def held_by(repository: int, chunk: ColumnElement[bytes]) -> ColumnElement[bool]:
    return exists().where(chunk_links.c.repository == repository, chunk_links.c.chunk == chunk)


def _readable_by(caller: Caller, chunk: ColumnElement[bytes]) -> ColumnElement[bool]:
    return exists().where(chunk_links.c.chunk == chunk, chunk_links.c.repository.in_(readable(caller)))


def _matching(connection: Connection, tenant: int, chunks: Iterable[bytes], condition: Condition | None = None) -> Found:
    found: Found = {}
    wanted = sorted(set(chunks))
    for start in range(0, len(wanted), MOST_NAMES):
        portion = wanted[start : start + MOST_NAMES]
        rows = located(connection, tenant, b"".join(portion), condition)
        keys = _storage_keys(connection, {row[1] for row in rows})
        for n, pack, offset, stored, raw, codec, depth, base, checksum in rows:
            if pack in keys:
                place = keys[pack], offset, stored, raw, codec, depth, base, checksum & _ALL_BITS
                found[portion[n]] = Encoding(portion[n], pack, *place)
    return found


def located(
    connection: Connection, tenant: int, names: bytes, condition: Condition | None = None, columns: Sequence[str] = _PLACE
) -> list[tuple[Any, ...]]:
    """Where these chunks (sorted names, one after the other) are stored: rows of their place in the list and these columns, as the
    database has them; also those in packs that are not verified. `condition` is on the chunk's name."""
    wanted = asked(connection, names)
    here = (encodings.c.tenant == tenant) & (encodings.c.chunk == wanted.c.chunk)
    query = select(wanted.c.n, *(encodings.c[name] for name in columns)).select_from(wanted).join(encodings, here)
    return all_rows(connection, query if condition is None else query.where(condition(wanted.c.chunk)))


def verified_packs(connection: Connection, among: Iterable[int]) -> set[int]:
    """Those of these packs that what lies in counts as stored."""
    return set(_storage_keys(connection, among))


def _storage_keys(connection: Connection, among: Iterable[int]) -> dict[int, str]:
    """Of those of these packs that are verified."""
    columns = select(packs.c.id, packs.c.storage_key).where(packs.c.state == "verified")
    batches = (connection.execute(columns.where(packs.c.id.in_(some))) for some in in_batches(sorted(among)))
    return {number: key for rows in batches for number, key in rows}
