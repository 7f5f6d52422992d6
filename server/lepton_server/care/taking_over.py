"""Lets a new pack take over, once it has been read back and every chunk in it decoded."""

from __future__ import annotations

from collections.abc import Iterable

from git_lepton.errors import CorruptData
from lepton_server import names
from lepton_server.care.pack_assembly import NewPack, as_it_is, verify_pack, write_packs
from lepton_server.care.switching import Switched, switch
from lepton_server.database import Database
from lepton_server.decoding import Decoder
from lepton_server.names import Encoding
from lepton_server.object_store import ObjectStore


def move_out(database: Database, store: ObjectStore, decoder: Decoder, tenant: int, live: Iterable[Encoding]) -> int:
    """Move chunks, as they are stored, into new packs; how many. Packs that are empty then are condemned. Raises CorruptData where one
    of them is damaged: some may have moved."""
    copies = ((encoding, as_it_is(store, encoding)) for encoding in live)
    return sum(len(put_in_place(database, store, decoder, tenant, new).taken) for new in write_packs(store, tenant, copies))


def put_in_place(database: Database, store: ObjectStore, decoder: Decoder, tenant: int, pack: NewPack) -> Switched:
    """Verify a new pack and let it take over its chunks. Raises CorruptData where it is not sound: it is dropped, old places stay."""
    with database.read() as connection:
        below = names.in_tenant(connection, tenant, {move.now.base for move in pack.moves if move.now.base})
        bases = names.with_bases(connection, tenant, below)
    try:
        verify_pack(store, decoder, pack, bases)
    except CorruptData:
        store.delete(pack.storage_key)
        raise
    with database.write() as connection:
        return switch(connection, tenant, pack)
