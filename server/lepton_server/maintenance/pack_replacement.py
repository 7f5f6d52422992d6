"""The moment at which new packs take the place of old ones: one transaction, which takes nothing for granted.

A chunk whose encoding has changed since it was copied keeps the one that it has, and so does one that may no longer be coded as the
copy is: on a base that is not under it any more, or with a codec that a repository which holds it does not allow. Whoever was told
"have" keeps that promise: leases on the old packs hold for the new one. Old places stay good for reading (`former_places`) until the
old packs go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, insert, literal, select, update

from git_lepton.errors import CorruptData
from git_lepton.format.pack import MAX_DEPTH
from lepton_server.content import chains, chunks
from lepton_server.content.chains import ChainBroken
from lepton_server.content.chunks import Encoding
from lepton_server.content.decoder import Decoder
from lepton_server.content.packs import condemn_empty, keep_place
from lepton_server.database.tables import encodings, leases, packs
from lepton_server.database.transactions import Database, in_batches, insert_new_from
from lepton_server.maintenance.pack_writer import Move, NewPack, as_it_is, verify_pack, write_packs
from lepton_server.storage.object_store import ObjectStore

_CHANGING = ("offset", "stored", "codec", "base", "checksum")


class Switched(NamedTuple):
    """The chunks that a new pack took over, and how many packs hold nothing since."""

    taken: set[bytes]
    condemned: int


def switch(connection: Connection, tenant: int, pack: NewPack) -> Switched:
    """Let a verified new pack take over its chunks. Raises ChainBroken, and nothing may then be kept."""
    sources = {move.was.pack for move in pack.moves}
    number = _insert_row(connection, tenant, pack, sources)
    taken = _take_places(connection, tenant, number, _unchanged(connection, tenant, pack.moves))
    _check_chains(connection, tenant, taken)
    held = select(literal(number), leases.c.upload).where(leases.c.pack.in_(sources)).distinct()
    insert_new_from(connection, leases, held)
    return Switched(taken, condemn_empty(connection, sources | {number}))


def _insert_row(connection: Connection, tenant: int, pack: NewPack, sources: set[int]) -> int:
    """The new pack is as old as the youngest that it comes from."""
    columns = packs.c.repository, packs.c.uploader, packs.c.received
    youngest = connection.execute(
        select(*columns).where(packs.c.id.in_(sources)).order_by(packs.c.received.desc()).limit(1)
    ).one()
    row = {"tenant": tenant, "name": pack.name, "storage_key": pack.storage_key, "size": pack.size, "state": "verified"}
    done = connection.execute(insert(packs).values({**row, **youngest._mapping}))
    assert done.inserted_primary_key is not None
    return int(done.inserted_primary_key[0])


def _unchanged(connection: Connection, tenant: int, moves: Sequence[Move]) -> list[Move]:
    """Those whose chunk still is stored as it was when it was copied, and may be stored as the copy is."""
    standing = chunks.in_tenant(connection, tenant, [move.was.chunk for move in moves])
    same = [
        move for move in moves if (now := standing.get(move.was.chunk)) and now._replace(depth=0) == move.was._replace(depth=0)
    ]
    recoded = [move.was.chunk for move in same if _is_recoded(move)]
    below = chunks.with_bases(connection, tenant, {chunk: standing[chunk] for chunk in recoded})
    allowed = chunks.allowed_codecs(connection, tenant, recoded)
    return [move for move in same if not _is_recoded(move) or _may_lie(move.now, below, allowed)]


def _is_recoded(move: Move) -> bool:
    return (move.was.codec, move.was.base) != (move.now.codec, move.now.base)


def _may_lie(now: Encoding, among: chunks.Encodings, allowed: dict[bytes, frozenset[int]]) -> bool:
    """Whether a base still lies under the chunk, so that it is linked wherever the chunk is, and all those repositories allow the
    codec."""
    below = {None, *(base.chunk for base in chains.bases_of(among[now.chunk], among))}
    return now.base in below and now.codec in allowed.get(now.chunk, {now.codec})


def _take_places(connection: Connection, tenant: int, number: int, moves: Sequence[Move]) -> set[bytes]:
    taken = {move.was.chunk for move in moves}
    for batch in in_batches(sorted(taken)):
        keep_place(connection, (encodings.c.tenant == tenant) & encodings.c.chunk.in_(batch))
    if moves:
        here = (encodings.c.tenant == tenant) & (encodings.c.chunk == bindparam("which"))
        rows = [{"which": move.now.chunk, **{f"new_{name}": getattr(move.now, name) for name in _CHANGING}} for move in moves]
        connection.execute(
            update(encodings).where(here).values(pack=number, **{name: bindparam(f"new_{name}") for name in _CHANGING}), rows
        )
    return taken


def _check_chains(connection: Connection, tenant: int, taken: set[bytes]) -> None:
    """Every chain that goes through one of these ends in an encoding without a base, and all depths are right."""
    found = chunks.in_tenant(connection, tenant, taken)
    whole = chunks.with_bases(connection, tenant, found)
    for encoding in found.values():
        _check_chain(encoding, whole)
    right = {chunk: len(chains.bases_of(one, whole)) for chunk, one in found.items()}
    wrong = [{"which": chunk, "now": depth} for chunk, depth in right.items() if depth != found[chunk].depth]
    if wrong:
        here = (encodings.c.tenant == tenant) & (encodings.c.chunk == bindparam("which"))
        connection.execute(update(encodings).where(here).values(depth=bindparam("now")), wrong)
        chains.recount(connection, tenant, right.keys())


def _check_chain(encoding: Encoding, whole: chunks.Encodings) -> None:
    last = ([encoding, *chains.bases_of(encoding, whole)])[-1]
    if last.base is not None:
        raise ChainBroken(f"the chain under chunk {encoding.chunk.hex()} has no end")
    if len(chains.bases_of(encoding, whole)) > MAX_DEPTH:
        raise ChainBroken(f"chunk {encoding.chunk.hex()} would lie on more than {MAX_DEPTH} bases")


def move_out(database: Database, store: ObjectStore, decoder: Decoder, tenant: int, live: Iterable[Encoding]) -> int:
    """Move chunks, as they are stored, into new packs; how many. Packs that are empty then are condemned. Raises CorruptData where one
    of them is damaged: some may have moved."""
    copies = ((encoding, as_it_is(store, encoding)) for encoding in live)
    return sum(len(put_in_place(database, store, decoder, tenant, new).taken) for new in write_packs(store, tenant, copies))


def put_in_place(database: Database, store: ObjectStore, decoder: Decoder, tenant: int, pack: NewPack) -> Switched:
    """Verify a new pack and let it take over its chunks. Raises CorruptData where it is not sound: it is dropped, old places stay."""
    with database.read() as connection:
        below = chunks.in_tenant(connection, tenant, {move.now.base for move in pack.moves if move.now.base})
        bases = chunks.with_bases(connection, tenant, below)
    try:
        verify_pack(store, decoder, pack, bases)
    except CorruptData:
        store.delete(pack.storage_key)
        raise
    with database.write() as connection:
        return switch(connection, tenant, pack)
