"""Admission of a received pack: which of its encodings stand, whether the rules allow that, and, once it is verified, its place in the
database.

The first encoding of a chunk stands. There are two exceptions, both only for a solo encoding, so that chains only get shorter: where the
standing one depends on what the sender neither brings nor names as a base nor has in the repository, or is coded in a way that the
repository does not allow (this keeps the invariant of `content.chunks`); and where the sender codes others on a chunk that lies deep here.
Neither takes place where a repository that holds the chunk does not allow the new codec. Leases on what is replaced hold for what takes
its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from sqlalchemy import Connection, delete, insert, literal, select, update

from git_lepton.format.pack import MAX_DEPTH
from lepton_server.content import borrowed_bases, chains, chunks
from lepton_server.content.borrowed_bases import Push
from lepton_server.content.chunks import Encoding, Encodings
from lepton_server.content.pack_reader import PackRefused, ReceivedPack
from lepton_server.content.packs import forget_pack, keep_place
from lepton_server.database.tables import encodings, leases, packs, upload_packs
from lepton_server.database.transactions import in_batches, insert_new, insert_new_from
from lepton_server.observability.metrics import pushed_chunks
from lepton_server.repositories.quotas import EXCEEDED, QuotaExceeded
from lepton_server.repositories.registry import Repository

_MOST_MISSING = 256  # bases that a pack which waits for them remembers


class PackGone(Exception):
    """The pack that was verified is no longer one that waits for it: another session of it ended otherwise. Nothing is to be done."""


class BaseAbsent(PackRefused):
    """A base is not stored yet: it may be in a pack that is on its way. `missing` names it, and some others that the pack lacks."""

    def __init__(self, encoding: Encoding, missing: Iterable[bytes]) -> None:
        super().__init__("missing_chunks", encoding.chunk, f"the base of chunk {encoding.chunk.hex()} is not stored")
        self.missing = frozenset(islice(missing, _MOST_MISSING))


def place_bases(connection: Connection, push: Push, found: Sequence[Encoding]) -> tuple[list[Encoding], Encodings]:
    """The encodings of a pack with the depth that they have here, and where all bases lie. Raises PackRefused, or BaseAbsent for a base
    that may still come in another pack.

    A base comes earlier in the pack, or is one that this upload may use; what depth a client says is not believed.
    """
    own = {encoding.chunk for encoding in found}
    outside = {encoding.base for encoding in found if encoding.base and encoding.base not in own}
    bases = chunks.with_bases(connection, push.repository.tenant, borrowed_bases.usable(connection, push, outside))
    placed: list[Encoding] = []
    for encoding in found:
        if encoding.base and encoding.base not in bases:
            absent = BaseAbsent(encoding, (base for base in outside if base not in bases))
            raise PackRefused(absent.code, encoding.chunk, absent.message) if encoding.base in own else absent
        placed.append(_placed(encoding, bases))
        bases.setdefault(encoding.chunk, placed[-1])  # what is stored under another base goes on being read as it is stored
    return placed, bases


def record_pack(connection: Connection, push: Push, pack: ReceivedPack, found: Sequence[Encoding]) -> bool:
    """Make the verified encodings visible and link their chunks; whether the pack is of any use (else its row is gone).

    Raises PackRefused where a chunk can neither take the place of what stands nor be linked, BaseAbsent where it lies on part of a file
    that is not proven yet, and PackGone. Nothing of the transaction may then stay.
    """
    repository = push.repository
    check_still_there(connection, pack)
    holders = _holders(connection, pack.id)
    settled = _settle(connection, push, found)
    fresh = [encoding for encoding in settled.values() if encoding.pack == pack.id]
    _write(connection, repository.tenant, fresh)
    whole = chunks.with_bases(connection, repository.tenant, settled)
    lost = next((encoding for encoding in whole.values() if encoding.base and encoding.base not in whole), None)
    if lost:
        raise PackRefused("missing_chunks", lost.chunk, f"the base of chunk {lost.chunk.hex()} is no longer stored")
    unlent = borrowed_bases.note(connection, push, whole.keys() - settled.keys())
    try:
        chunks.link(connection, repository, whole)
        _lease(connection, {encoding.pack for encoding in whole.values()}, holders)
        if fresh:
            connection.execute(update(packs).where(packs.c.id == pack.id).values(state="verified"))
        else:
            forget_pack(connection, pack.id)
        absent = push.show_files(connection, unlent) if unlent else set()
    except QuotaExceeded as error:
        raise PackRefused(EXCEEDED, pack.name, error.message) from error
    if on_absent := next((encoding for encoding in whole.values() if encoding.base in absent), None):
        raise BaseAbsent(on_absent, absent)
    count_chunks(fresh)
    return bool(fresh)


def check_still_there(connection: Connection, pack: ReceivedPack) -> None:
    """See that a pack still waits to be verified, by its number and its key: SQLite gives the number of a pack that has gone to the
    next one. Raises PackGone."""
    same = (packs.c.id == pack.id) & (packs.c.storage_key == pack.storage_key)
    if connection.execute(select(packs.c.state).where(same)).scalar_one_or_none() not in ("received", "verified"):
        raise PackGone(f"pack {pack.name.hex()} was taken away while it was verified")


def _holders(connection: Connection, pack: int) -> set[str]:
    """The uploads that count on a pack."""
    sent = select(upload_packs.c.upload).where(upload_packs.c.pack == pack)
    return set(connection.execute(sent.union(select(leases.c.upload).where(leases.c.pack == pack))).scalars())


def _lease(connection: Connection, held: set[int], holders: set[str]) -> None:
    rows = [{"pack": pack, "upload": upload} for pack in sorted(held) for upload in sorted(holders)]
    insert_new(connection, leases, rows)


def _settle(connection: Connection, push: Push, found: Sequence[Encoding]) -> Encodings:
    """The encoding of each chunk of a pack that stands from now on, with its depth. Raises PackRefused."""
    repository = push.repository
    standing = chunks.in_tenant(connection, repository.tenant, [encoding.chunk for encoding in found])
    below = chunks.with_bases(connection, repository.tenant, standing)
    proven = {encoding.chunk for encoding in found}  # who sends a chunk's bytes may have them
    wanted = {encoding.base for encoding in found if encoding.base}
    under = borrowed_bases.usable(connection, push, wanted - proven)  # again: much may have changed since they were placed
    open_here = proven | under.keys() | chunks.linked(connection, repository, below.keys() - proven).keys()
    allowed = chunks.allowed_codecs(connection, repository.tenant, standing)
    settled: Encodings = {}
    for ours in found:
        theirs = standing.get(ours.chunk)
        closed = theirs is not None and not _may_stand(theirs, below, open_here, repository)
        if closed and ours.base:
            raise PackRefused("conflict", ours.chunk, f"chunk {ours.chunk.hex()} can only be taken without a base; push again")
        fits = ours.codec in allowed.get(ours.chunk, {ours.codec})
        if closed and not fits:
            message = f"chunk {ours.chunk.hex()} is held where its codec is not allowed; send it with an older one"
            raise PackRefused("conflict", ours.chunk, message)
        shortens = theirs is not None and theirs.base and not ours.base and ours.chunk in wanted and fits
        stands = theirs if theirs and not closed and not shortens else _placed(ours, under)
        settled[ours.chunk] = under[ours.chunk] = stands
    return settled


def _may_stand(theirs: Encoding, among: Encodings, open_here: set[bytes], repository: Repository) -> bool:
    """Whether the repository may hold a chunk as it is stored, with all that it lies on."""
    below = {base.chunk for base in chains.bases_of(theirs, among)}
    return below <= open_here and chunks.is_allowed(theirs, among, repository)


def _placed(ours: Encoding, bases: Encodings) -> Encoding:
    """The encoding with the depth that it has on one of these bases. Raises PackRefused."""
    if ours.base is None:
        return ours
    if ours.base not in bases:
        raise BaseAbsent(ours, [ours.base])
    depth = bases[ours.base].depth + 1
    if depth > MAX_DEPTH:
        message = f"chunk {ours.chunk.hex()} would lie on more than {MAX_DEPTH} bases here; send it without a base"
        raise PackRefused("conflict", ours.chunk, message)
    return ours._replace(depth=depth)


def _write(connection: Connection, tenant: int, fresh: Sequence[Encoding]) -> None:
    """Insert encodings; what stood for the same chunks (replaced, or condemned) goes, and depths above it follow."""
    rows = [
        {"tenant": tenant, **{column: value for column, value in encoding._asdict().items() if column != "storage_key"}}
        for encoding in fresh
    ]
    replaced = False
    for batch in in_batches(row["chunk"] for row in rows):
        stood = (encodings.c.tenant == tenant) & encodings.c.chunk.in_(batch)
        keep_place(connection, stood)
        left = select(encodings.c.pack).where(stood)
        held = select(literal(fresh[0].pack), leases.c.upload).where(leases.c.pack.in_(left)).distinct()
        insert_new_from(connection, leases, held)
        replaced |= connection.execute(delete(encodings).where(stood)).rowcount > 0
    if rows:
        connection.execute(insert(encodings), rows)
    if replaced:
        chains.recount(connection, tenant, {encoding.chunk for encoding in fresh})


def count_chunks(came: Iterable[Encoding]) -> None:
    """Chunks that a push brought, once they are verified and kept."""
    for encoding in came:
        pushed_chunks.labels("raw").inc(encoding.raw)
        pushed_chunks.labels("stored").inc(encoding.stored)
