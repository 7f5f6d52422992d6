"""Takes a received pack apart: what is in it, whether the rules allow that, and, once it is verified, its place in the database.

The first encoding of a chunk stands. There are two exceptions, both only for a solo encoding, so that chains only get shorter:
where the standing one depends on what the sender neither brings nor names as a base nor has in the repository, or is coded in a way
that the repository does not allow (this keeps the invariant of `names`), and where the sender codes others on a chunk that lies deep
here. Neither takes place where a repository that holds the chunk does not allow the new codec. Leases on what is replaced hold for
what takes its place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import ColumnElement, Connection, delete, insert, literal, select, update

from git_lepton.errors import LeptonError
from git_lepton.format.identifiers import PackId
from git_lepton.format.pack import (
    HEADER_BYTES,
    MAX_DEPTH,
    PACK_HEAD,
    TRAILER_BYTES,
    BadPack,
    Kind,
    Record,
    check_pack_head,
    end_name,
    index_bytes,
    parse_end,
)
from lepton_server import chains, names
from lepton_server.accounts import Caller
from lepton_server.database import in_batches, insert_new, insert_new_from
from lepton_server.names import Encoding, Found
from lepton_server.object_store import ObjectStore
from lepton_server.quotas import EXCEEDED, QuotaExceeded
from lepton_server.repositories import Repository
from lepton_server.tables import encodings, former_places, leases, packs, upload_packs
from lepton_server.watching import metrics

_MOST_RECORDS = 65_536  # a full pack of the smallest pieces that a writer cuts out of a large region has a thousand
_MOST_MISSING = 256  # bases that a pack which waits for them remembers
ReadAt = Callable[[int, int], bytes]
"""Bytes of a pack: start and length."""


@dataclass(frozen=True)
class ReceivedPack:
    """A pack that lies in the store and is not verified yet."""

    id: int
    name: bytes
    storage_key: str
    size: int


class TooManyRecords(LeptonError):
    """A pack of so many tiny chunks that taking it apart would fill this server's memory."""


class PackRefused(LeptonError):
    """This pack is not taken, for the sake of `subject` (hex). `code` is one of the protocol's."""

    def __init__(self, code: str, subject: bytes, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.subject = subject.hex()


class PackGone(LeptonError):
    """The pack that was verified is no longer one that waits for it: another session of it ended otherwise. Nothing is to be done."""


class BaseAbsent(PackRefused):
    """A base is not stored yet: it may be in a pack that is on its way. `missing` names it, and some others that the pack lacks."""

    missing: frozenset[bytes] = frozenset()


def pack_name(read: ReadAt, size: int) -> PackId:
    """The name of a pack, from its end. Raises BadPack, UnknownPackVersion or TooManyRecords."""
    return end_name(_tail(read, size))


def read_pack(store: ObjectStore, pack: ReceivedPack, allowed: frozenset[int]) -> list[Encoding]:
    """The encodings that the pack holds, each once, in its order. Raises PackRefused, BadPack or UnknownPackVersion."""

    def read(start: int, length: int) -> bytes:
        return store.read(pack.storage_key, start, length)

    check_pack_head(read(0, len(PACK_HEAD)))
    found: Found = {}
    for offset, record in parse_end(_tail(read, pack.size), pack.size)[1]:
        _check_record(record, allowed, read(offset - HEADER_BYTES, HEADER_BYTES))
        found.setdefault(record.name.raw, _encoding(record, offset, pack))
    return list(found.values())


def place_bases(
    connection: Connection, caller: Caller, repository: Repository, found: Sequence[Encoding]
) -> tuple[list[Encoding], Found]:
    """The same encodings with the depth that they have here, and where all bases lie. Raises PackRefused, or BaseAbsent for a base
    that may still come in another pack.

    A base comes earlier in the pack, or resolves for the sender; what depth a client says is not believed.
    """
    own = {encoding.chunk for encoding in found}
    outside = {encoding.base for encoding in found if encoding.base and encoding.base not in own}
    bases = names.with_bases(connection, repository.tenant, names.resolve(connection, caller, repository, outside))
    placed: list[Encoding] = []
    for encoding in found:
        if encoding.base and encoding.base not in bases:
            late = PackRefused if encoding.base in own else BaseAbsent
            refused = late("missing_chunks", encoding.chunk, f"the base of chunk {encoding.chunk.hex()} is not stored")
            if isinstance(refused, BaseAbsent):
                refused.missing = frozenset(islice((base for base in outside if base not in bases), _MOST_MISSING))
            raise refused
        placed.append(_placed(encoding, bases))
        bases.setdefault(encoding.chunk, placed[-1])  # what is stored under another base goes on being read as it is stored
    return placed, bases


def record_pack(
    connection: Connection, caller: Caller, repository: Repository, pack: ReceivedPack, found: Sequence[Encoding]
) -> bool:
    """Make the verified encodings visible and link their chunks; whether the pack is of any use (else its row is gone).

    Raises PackRefused where a chunk can neither take the place of what stands nor be linked, and PackGone.
    """
    check_still_there(connection, pack)
    holders = _holders(connection, pack.id)
    settled = _settle(connection, caller, repository, found)
    fresh = [encoding for encoding in settled.values() if encoding.pack == pack.id]
    _write(connection, repository.tenant, fresh)
    whole = names.with_bases(connection, repository.tenant, settled)
    lost = next((encoding for encoding in whole.values() if encoding.base and encoding.base not in whole), None)
    if lost:
        raise PackRefused("missing_chunks", lost.chunk, f"the base of chunk {lost.chunk.hex()} is no longer stored")
    try:
        names.link(connection, repository, whole)
    except QuotaExceeded as error:
        raise PackRefused(EXCEEDED, pack.name, error.message) from error
    _lease(connection, {encoding.pack for encoding in whole.values()}, holders)
    if not fresh:
        forget_pack(connection, pack.id)
        return False
    connection.execute(update(packs).where(packs.c.id == pack.id).values(state="verified"))
    metrics.count_chunks(fresh)
    return True


def check_still_there(connection: Connection, pack: ReceivedPack) -> None:
    """Raises PackGone. A number alone is no pack's: SQLite gives that of a pack that has gone to the next one."""
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


def forget_pack(connection: Connection, pack: int) -> None:
    """Take a pack that no encoding lies in out of the database; its bytes may then be deleted."""
    connection.execute(update(upload_packs).where(upload_packs.c.pack == pack).values(pack=None))
    connection.execute(delete(leases).where(leases.c.pack == pack))
    connection.execute(delete(former_places).where(former_places.c.pack == pack))
    connection.execute(delete(packs).where(packs.c.id == pack))


def _settle(connection: Connection, caller: Caller, repository: Repository, found: Sequence[Encoding]) -> Found:
    """For each chunk of a pack the encoding that stands from now on, with its depth. Raises PackRefused."""
    standing = names.in_tenant(connection, repository.tenant, [encoding.chunk for encoding in found])
    below = names.with_bases(connection, repository.tenant, standing)
    proven = {encoding.chunk for encoding in found}  # who sends a chunk's bytes may have them
    bases = {encoding.base for encoding in found if encoding.base}
    under = names.resolve(connection, caller, repository, bases - proven)  # again: they may have changed since they were placed
    open_here = proven | under.keys() | names.linked(connection, repository, below.keys() - proven).keys()
    allowed = names.allowed_codecs(connection, repository.tenant, standing)
    settled: Found = {}
    for ours in found:
        theirs = standing.get(ours.chunk)
        closed = theirs is not None and not _may_stand(theirs, below, open_here, repository)
        if closed and ours.base:
            raise PackRefused("conflict", ours.chunk, f"chunk {ours.chunk.hex()} can only be taken without a base; push again")
        fits = ours.codec in allowed.get(ours.chunk, {ours.codec})
        if closed and not fits:
            message = f"chunk {ours.chunk.hex()} is held where its codec is not allowed; send it with an older one"
            raise PackRefused("conflict", ours.chunk, message)
        shortens = theirs is not None and theirs.base and not ours.base and ours.chunk in bases and fits
        stands = theirs if theirs and not closed and not shortens else _placed(ours, under)
        settled[ours.chunk] = under[ours.chunk] = stands
    return settled


def _may_stand(theirs: Encoding, among: Found, open_here: set[bytes], repository: Repository) -> bool:
    """Whether the repository may hold a chunk as it is stored, with all that it lies on."""
    below = {base.chunk for base in chains.bases_of(theirs, among)}
    return below <= open_here and names.is_allowed(theirs, among, repository)


def _placed(ours: Encoding, bases: Found) -> Encoding:
    """The encoding with the depth that it has on one of these bases. Raises PackRefused."""
    if ours.base is None:
        return ours
    if ours.base not in bases:
        raise PackRefused("missing_chunks", ours.chunk, f"the base of chunk {ours.chunk.hex()} is no longer stored")
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


def keep_place(connection: Connection, which: ColumnElement[bool]) -> None:
    """Note where these encodings lie before they move or go: plans that were made before go on working."""
    columns = encodings.c.pack, encodings.c.offset, encodings.c.stored, encodings.c.chunk, encodings.c.base
    insert_new_from(connection, former_places, select(*columns).where(which))


def _tail(read: ReadAt, size: int) -> bytes:
    if size < len(PACK_HEAD) + HEADER_BYTES + TRAILER_BYTES:
        raise BadPack("this pack is too short to be one")
    length = index_bytes(read(size - TRAILER_BYTES, TRAILER_BYTES))
    if length > size - len(PACK_HEAD):
        raise BadPack("this pack's index is longer than the pack")
    if length > (_MOST_RECORDS + 1) * HEADER_BYTES + TRAILER_BYTES:
        raise TooManyRecords(f"this pack has more than {_MOST_RECORDS:,} records", "Send smaller packs.")
    return read(size - length, length)


def _check_record(record: Record, allowed: frozenset[int], header: bytes) -> None:
    name = record.name.raw
    if record.kind is not Kind.CHUNK:
        raise PackRefused("bad_request", name, "a pack on the wire holds chunks only")
    if record.codec not in allowed:
        raise PackRefused("bad_request", name, f"codec {record.codec} of chunk {record.name} is not allowed in this repository")
    if header != record.encode():
        raise PackRefused("corrupt_data", name, f"the header of chunk {record.name} is not what the pack's index says")


def _encoding(record: Record, offset: int, pack: ReceivedPack) -> Encoding:
    base = record.base.raw if record.base else None
    lengths = record.stored_length, record.raw_length
    return Encoding(record.name.raw, pack.id, pack.storage_key, offset, *lengths, record.codec, 0, base, record.checksum)
