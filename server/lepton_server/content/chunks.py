"""Chunks by name: where they are stored, and who may use them. Every chunk name that a client sends goes through `linked` or `resolve`.

What resolves is what the repository holds (an upload links what it verified) and, for an upload, what the caller may read
elsewhere in the same tenant, coded as this repository allows and on nothing that the repository does not hold: a push publishes what
it names or brings, never what that happens to lie on. What a pushed chunk may be coded on is decided in
`borrowed_bases`. All else is missing, in the same way as what exists nowhere; so is what lies in a condemned pack.

Invariant: wherever a chunk is linked the bases of its encoding are linked too, and their codecs are allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, exists, select

from git_lepton.format.pack import MAX_DEPTH
from lepton_server.content.chunk_lookup import MOST_NAMES, all_rows, asked
from lepton_server.database.tables import chunk_links, encodings, facts, packs, repositories
from lepton_server.database.transactions import in_batches, insert_new
from lepton_server.identity.caller import Caller
from lepton_server.repositories import quotas
from lepton_server.repositories.permissions import readable
from lepton_server.repositories.registry import Repository


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


Encodings = dict[bytes, Encoding]
_PLACE = ("pack", *Encoding._fields[3:])
_ALL_BITS = 0xFFFFFFFFFFFFFFFF


def linked(connection: Connection, repository: Repository, chunks: Iterable[bytes]) -> Encodings:
    """Those of these chunks that the repository holds."""
    return _matching(connection, repository.tenant, chunks, partial(held_by, repository.id))


def resolve(connection: Connection, caller: Caller, repository: Repository, chunks: Iterable[bytes]) -> Encodings:
    """Those of these chunks that the repository holds, or may hold because the caller may read them elsewhere in its tenant. For the
    chunks of files that are pushed; what they may lie on is narrower (`borrowed_bases.usable`)."""
    wanted = list(chunks)
    found = linked(connection, repository, wanted)
    absent = [chunk for chunk in wanted if chunk not in found]
    if absent and caller.tenant == repository.tenant:
        found |= elsewhere(connection, repository, absent, readable(caller))
    return found


def elsewhere(
    connection: Connection, repository: Repository, chunks: Iterable[bytes], others: Select[int] | Collection[int]
) -> Encodings:
    """Those of these chunks that one of the `others` holds, as far as this repository may hold them as they are coded."""
    foreign = _matching(connection, repository.tenant, chunks, partial(_held_by_some, others))
    chains = with_bases(connection, repository.tenant, foreign)
    held = {None, *linked(connection, repository, chains.keys() - foreign.keys())}
    return {
        chunk: encoding
        for chunk, encoding in foreign.items()
        if encoding.base in held and is_allowed(encoding, chains, repository)
    }


def moves(connection: Connection) -> int:
    """A number that grows whenever a chunk goes or comes to lie elsewhere (the database counts)."""
    return int(connection.execute(select(facts.c.value).where(facts.c.name == "moves")).scalar_one())


def is_allowed(encoding: Encoding | None, chains: Encodings, repository: Repository) -> bool:
    """Whether the repository allows the codecs of an encoding and of all bases under it."""
    for _ in range(MAX_DEPTH + 1):
        if encoding is None or encoding.codec not in repository.codecs:
            return False
        if encoding.base is None:
            return True
        encoding = chains.get(encoding.base)
    return False


def allowed_codecs(connection: Connection, tenant: int, chunks: Iterable[bytes]) -> dict[bytes, frozenset[int]]:
    """The codecs that every repository allows which holds a chunk, for each of these chunks that one holds."""
    columns = select(chunk_links.c.chunk, repositories.c.codecs).join(repositories, repositories.c.id == chunk_links.c.repository)
    found: dict[bytes, frozenset[int]] = {}
    for batch in in_batches(sorted(set(chunks))):
        here = columns.where(repositories.c.tenant == tenant, chunk_links.c.chunk.in_(batch))
        for chunk, text in connection.execute(here):
            codecs = frozenset(map(int, text.split(",")))
            found[chunk] = found.get(chunk, codecs) & codecs
    return found


def in_tenant(connection: Connection, tenant: int, chunks: Iterable[bytes]) -> Encodings:
    """Where these chunks are stored, whoever may read them: never for an answer to a client."""
    return _matching(connection, tenant, chunks)


def with_bases(connection: Connection, tenant: int, found: Encodings) -> Encodings:
    """`found` and all bases that decoding it needs, after it. By the invariant they are readable where `found` is."""
    chains = dict(found)
    wanted = {encoding.base for encoding in found.values() if encoding.base} - chains.keys()
    while wanted:
        bases = in_tenant(connection, tenant, wanted)
        chains |= bases
        wanted = {encoding.base for encoding in bases.values() if encoding.base} - chains.keys()
    return chains


def link(connection: Connection, repository: Repository, chunks: Iterable[bytes]) -> None:
    """From now on the repository holds these chunks. The caller sees to the invariant. Raises QuotaExceeded."""
    held = list(chunks)
    quotas.added(connection, repository, held)
    insert_new(connection, chunk_links, [{"repository": repository.id, "chunk": chunk} for chunk in held])


Condition = Callable[[ColumnElement[bytes]], ColumnElement[bool]]


def held_by(repository: int, chunk: ColumnElement[bytes]) -> ColumnElement[bool]:
    """For a query on chunks: whether the repository holds the chunk."""
    return exists().where(chunk_links.c.repository == repository, chunk_links.c.chunk == chunk)


def _held_by_some(repositories: Select[int] | Collection[int], chunk: ColumnElement[bytes]) -> ColumnElement[bool]:
    return exists().where(chunk_links.c.chunk == chunk, chunk_links.c.repository.in_(repositories))


def _matching(connection: Connection, tenant: int, chunks: Iterable[bytes], condition: Condition | None = None) -> Encodings:
    found: Encodings = {}
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
    """Number and storage key of those of these packs that are verified."""
    columns = select(packs.c.id, packs.c.storage_key).where(packs.c.state == "verified")
    batches = (connection.execute(columns.where(packs.c.id.in_(some))) for some in in_batches(sorted(among)))
    return {pack: key for rows in batches for pack, key in rows}
