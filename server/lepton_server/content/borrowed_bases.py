"""Borrowed bases: chunks of other repositories that a push may code its own on. Nobody's weights are published by being a base.

A base is linked to the repository that what lies on it is pushed to, and so may be read there. A base that this repository does not hold
yet is therefore taken only from another repository that everybody may read who may read this one, or that the sender named and may read:
naming it allowed it for this upload, and the audit logs of both repositories say so. Any other base counts as missing, like what exists
nowhere. All is decided in the transaction that links. What was linked so is remembered, for whoever later lets more people read the
repository. A base that comes along as part of a pushed file needs nobody's leave, for that file is there to be seen: so it is linked only
where the file becomes visible.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, delete, func, select

from git_lepton.wire.messages import Borrowed
from lepton_server.content.chunks import Encodings, elsewhere, linked, resolve
from lepton_server.content.noted_bases import NotedBases
from lepton_server.database.tables import borrowed_chunks, chunk_links, encodings, upload_bases
from lepton_server.database.tables import repositories as rows
from lepton_server.database.transactions import clock, in_batches, insert_new
from lepton_server.errors import Refusal
from lepton_server.identity import audit_log
from lepton_server.identity.accounts import caller_by_id
from lepton_server.identity.caller import Caller
from lepton_server.repositories import registry
from lepton_server.repositories.permissions import Action, located, readable, require
from lepton_server.repositories.readership import at_least_as_readable
from lepton_server.repositories.registry import Repository


def _no_chunks(_: set[bytes]) -> set[bytes]:
    return set()


def _no_files(_: Connection, chunks: set[bytes]) -> set[bytes]:
    return chunks


class Push(NamedTuple):
    """Who pushes where, by which upload. `of_files` tells which of some chunks belong to files that the push may make visible now;
    `show_files` makes those files visible that some of these chunks belong to, and returns the chunks that belong to none."""

    caller: Caller
    repository: Repository
    upload: str = ""
    of_files: Callable[[set[bytes]], set[bytes]] = _no_chunks
    show_files: Callable[[Connection, set[bytes]], set[bytes]] = _no_files


def allow(
    connection: Connection, caller: Caller, repository: Repository, upload: str, named: Iterable[tuple[str, bool]]
) -> list[str]:
    """Those of the `named` repositories whose chunks may be bases in this upload. `named`: OWNER/NAME, and whether the caller allows that
    weights of it are published here. A repository that is not there, may not be read, or needs leave and has none, is left out."""
    usable: list[str] = []
    for name, is_allowed in named:
        source = _source(connection, caller, repository, name)
        if source is None:
            continue
        if at_least_as_readable(connection, repository, [source.id]):
            usable.append(name)
        elif is_allowed:
            _remember_consent(connection, caller, repository, upload, source)
            usable.append(name)
    return usable


def _source(connection: Connection, caller: Caller, repository: Repository, name: str) -> Repository | None:
    found = located(connection, caller, *(name.partition("/")[::2]))
    try:
        require(connection, caller, found, Action.READ)
    except Refusal:
        return None
    return found if found and found.tenant == repository.tenant and found.id != repository.id else None


def _remember_consent(connection: Connection, caller: Caller, repository: Repository, upload: str, source: Repository) -> None:
    before = select(upload_bases.c.repository).where(upload_bases.c.upload == upload, upload_bases.c.repository == source.id)
    if connection.execute(before).first() is None:
        insert_new(connection, upload_bases, [{"upload": upload, "repository": source.id}])
        audit_log.note(connection, caller, "base.allow", repository=source.full_name, subject=repository.full_name)


def usable(connection: Connection, push: Push, chunks: Iterable[bytes]) -> Encodings:
    """Those of these chunks that something which is pushed may lie on: what the repository holds, what it may borrow, and what it will
    hold by the files that are pushed."""
    wanted = set(chunks)
    bases = linked(connection, push.repository, wanted)
    absent = wanted - bases.keys()
    if absent and push.caller.tenant == push.repository.tenant:
        open_to_all, allowed = _lenders(connection, push, absent)
        bases |= elsewhere(connection, push.repository, absent, open_to_all | allowed)
        absent -= bases.keys()
    if absent and (coming := push.of_files(absent)):
        bases |= resolve(connection, push.caller, push.repository, coming)
    return bases


def note(connection: Connection, push: Push, chunks: Collection[bytes]) -> set[bytes]:
    """Remember where those of these chunks come from that the repository borrows; those that it neither holds yet nor may borrow, which
    it may hold only as part of a file. To be called before they are linked."""
    fresh = set(chunks) - linked(connection, push.repository, chunks).keys() if chunks else set()
    if not fresh:
        return fresh
    open_to_all, allowed = _lenders(connection, push, fresh)
    sources: dict[bytes, int] = {}
    for lenders in (open_to_all, allowed):
        for chunk, source in _holders(connection, fresh, lenders):
            sources.setdefault(chunk, source)
    row = {"upload": push.upload, "account": push.caller.name}
    lent = {chunk: {**row, "source": source, "allowed": source in allowed} for chunk, source in sources.items()}
    _remember(connection, push.repository, lent)
    return fresh - sources.keys()


def restore(connection: Connection, repository: Repository, noted: NotedBases, bases: Collection[bytes]) -> set[bytes]:
    """Remember again from whom the repository borrowed those of these chunks that it does not hold: as a note says, or from where everybody
    may read them who may read it. Those that it may not hold; then nothing is remembered. To be called before they are linked."""
    fresh = set(bases) - linked(connection, repository, bases).keys()
    nobodys = fresh - noted.held
    holders = list(_holders(connection, nobodys, select(rows.c.id).where(rows.c.tenant == repository.tenant)))
    open_to_all = at_least_as_readable(connection, repository, {source for _, source in holders})
    lent: dict[bytes, dict[str, Any]] = {
        chunk: {"source": source, "allowed": False, "account": "", "upload": ""}
        for chunk, source in holders
        if source in open_to_all
    }
    for one in noted.lent:
        row = {"source": one.still_from(connection), "allowed": one.allowed, "account": one.account, "upload": one.upload}
        lent |= dict.fromkeys(one.chunks & fresh, row)
    refused = nobodys - lent.keys()
    _remember(connection, repository, {} if refused else lent)
    return refused


def _remember(connection: Connection, repository: Repository, lent: Mapping[bytes, Mapping[str, Any]]) -> None:
    """What was borrowed once, and let go of since, is borrowed anew."""
    mine = borrowed_chunks.c.repository == repository.id
    for batch in in_batches(sorted(lent)):
        connection.execute(delete(borrowed_chunks).where(mine, borrowed_chunks.c.chunk.in_(batch)))
    row = {"repository": repository.id, "created": clock(connection)}
    insert_new(connection, borrowed_chunks, [{**row, "chunk": chunk, **whose} for chunk, whose in lent.items()])


def forget_own(connection: Connection, repository: Repository, upload: str, files: Iterable[set[bytes]]) -> None:
    """What these files consist of, which this upload makes visible, it brought as theirs and borrowed from nobody."""
    mine = (borrowed_chunks.c.repository == repository.id) & (borrowed_chunks.c.upload == upload)
    noted = set(connection.execute(select(borrowed_chunks.c.chunk).where(mine)).scalars())
    for chunks in files if noted else ():
        for batch in in_batches(sorted(noted & chunks)):
            connection.execute(delete(borrowed_chunks).where(mine, borrowed_chunks.c.chunk.in_(batch)))


def note_in_log(connection: Connection, caller: Caller, repository: Repository, upload: str) -> None:
    """Say in the audit logs of both repositories what the sender of this upload allowed to be published."""
    for source, chunks, size, is_allowed in _sums(connection, repository, upload):
        for name in registry.named(connection, [source]) if is_allowed else ():
            counts = {"chunks": chunks, "bytes": size}
            audit_log.note(connection, caller, "base.borrow", repository=repository.full_name, subject=name, **counts)
            audit_log.note(connection, caller, "base.lend", repository=name, subject=repository.full_name, **counts)


def borrowed(
    connection: Connection, repository: Repository, reader: Caller | None = None, upload: str | None = None
) -> list[Borrowed]:
    """What the repository (or one upload to it) holds only as bases, by the repositories that it came from. Those that `reader` (None:
    who runs the server) may not read, or that are gone, have no name."""
    sums = _sums(connection, repository, upload)
    sources = [row[0] for row in sums]
    as_readable = at_least_as_readable(connection, repository, sources) if sums else set()
    shown = set(sources) if reader is None else _within(connection, readable(reader), sources)
    return [
        Borrowed("".join(registry.named(connection, {source} & shown)), chunks, size, is_allowed, source not in as_readable)
        for source, chunks, size, is_allowed in sums
    ]


def shown_to_more(connection: Connection, repository: Repository) -> list[str]:
    """A sentence for each source of borrowed chunks that now has fewer readers than this repository."""
    return [
        f"{repository.full_name} shows {amount(base)} to people who may not read that: weights pushed here lie on them"
        for base in borrowed(connection, repository)
        if base.narrower
    ]


def shown_to_member(connection: Connection, account: int, organisation: int) -> list[str]:
    """A sentence as of `shown_to_more` for each repository of the organisation that this account may read: asked when the account gets a
    larger part in it."""
    reader = readable(caller_by_id(connection, account))
    concerned = select(borrowed_chunks.c.repository).join(rows, rows.c.id == borrowed_chunks.c.repository)
    concerned = concerned.where(rows.c.owner == organisation, rows.c.id.in_(reader))
    return [line for repository in registry.by_ids(connection, concerned) for line in shown_to_more(connection, repository)]


def amount(base: Borrowed) -> str:
    """How much is borrowed from one source, in words for whoever runs the server."""
    chunks = f"{base.chunks} chunk" if base.chunks == 1 else f"{base.chunks} chunks"
    return f"{chunks} ({base.bytes:,} bytes) of {base.repository or 'a repository that is gone'}"


def _sums(connection: Connection, repository: Repository, upload: str | None = None) -> list[tuple[int, int, int, bool]]:
    """Source, number of chunks, raw bytes and whether somebody had to allow it, of all that is borrowed and still held."""
    held = (chunk_links.c.repository == borrowed_chunks.c.repository) & (chunk_links.c.chunk == borrowed_chunks.c.chunk)
    coded = (encodings.c.tenant == repository.tenant) & (encodings.c.chunk == borrowed_chunks.c.chunk)
    sums = select(borrowed_chunks.c.source, func.count(), func.sum(encodings.c.raw), borrowed_chunks.c.allowed)
    query = sums.join(chunk_links, held).join(encodings, coded).where(borrowed_chunks.c.repository == repository.id)
    if upload is not None:
        query = query.where(borrowed_chunks.c.upload == upload)
    query = query.group_by(borrowed_chunks.c.source, borrowed_chunks.c.allowed).order_by(borrowed_chunks.c.source)
    return [(source, chunks, int(size), bool(allowed)) for source, chunks, size, allowed in connection.execute(query)]


def _lenders(connection: Connection, push: Push, chunks: Collection[bytes]) -> tuple[set[int], set[int]]:
    """Two sets of repositories that the sender may read and that hold some of these chunks: those that are open to all who may read this
    one, and those that are not but that the sender allowed."""
    holding = {source for _, source in _holders(connection, chunks, readable(push.caller))}
    open_to_all = at_least_as_readable(connection, push.repository, holding)
    allowed = _within(connection, select(upload_bases.c.repository).where(upload_bases.c.upload == push.upload), holding)
    return open_to_all, allowed - open_to_all


def _holders(
    connection: Connection, chunks: Collection[bytes], among: Select[int] | Collection[int]
) -> Iterator[tuple[bytes, int]]:
    """Chunk and repository, for each of these chunks and each of these repositories that holds it."""
    columns = select(chunk_links.c.chunk, chunk_links.c.repository)
    for batch in in_batches(sorted(chunks)):
        found = connection.execute(columns.where(chunk_links.c.chunk.in_(batch), chunk_links.c.repository.in_(among)))
        yield from ((chunk, source) for chunk, source in found)


def _within(connection: Connection, ids: Select[int], among: Collection[int]) -> set[int]:
    return set(connection.execute(ids).scalars()) & set(among)
