"""Arrival of packs, either way: streamed through this server, or brought by the client to the storage itself, to a key promised for it.

A key is promised to one pack of one upload, and stays the same when the client asks again, so that what arrived before a break counts. The
promise ends when the pack is received, or was found to be another than was offered. Nothing is believed of what a client brought: size and
name are checked before the pack is received, all the rest when it is verified.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select

from git_lepton.errors import LeptonError
from git_lepton.wire.messages import PackOffer
from lepton_server.content.pack_reader import ReadAt, pack_name
from lepton_server.database.tables import pending_packs, upload_packs
from lepton_server.database.transactions import Database, clock
from lepton_server.errors import Refusal
from lepton_server.identity.accounts import caller_by_id
from lepton_server.identity.caller import Caller
from lepton_server.repositories import registry
from lepton_server.repositories.permissions import Action, require
from lepton_server.repositories.registry import Repository
from lepton_server.storage.object_store import Incoming, ObjectMissing, ObjectStore, StoreTrouble, new_key
from lepton_server.uploads import sessions

_INDEXES = threading.BoundedSemaphore(2)  # packs whose index is in memory at once: it may have several MB


class Bearer(NamedTuple):
    """Who may send a pack, by the ids that its ticket names: their rights are looked up when the pack comes."""

    account: int
    repository: int
    session: str

    def admitted(self, connection: Connection) -> tuple[Caller, Repository]:
        """The caller and the repository, if the one may still write to the other. Raises Refusal."""
        caller, repository = caller_by_id(connection, self.account), registry.by_id(connection, self.repository)
        _check_open(connection, caller, repository, self.session)
        return caller, repository


class _Promise(NamedTuple):
    """A row of pending_packs."""

    storage_key: str
    size: int
    sequence: int


def promise_keys(connection: Connection, repository: Repository, session: str, offers: Sequence[PackOffer]) -> dict[str, str]:
    """The key in the storage to which each offered pack may be brought, by the pack's name (hex)."""
    keys: dict[str, str] = {}
    for offer in offers:
        name = bytes.fromhex(offer.pack)
        before = _promised(connection, session, name)
        if before is None or before.size != offer.size:
            _end(connection, session, name)
            row = {"upload": session, "name": name, "storage_key": new_key(repository.tenant), "created": clock(connection)}
            connection.execute(insert(pending_packs).values(**row, size=offer.size, sequence=offer.sequence))
            before = _promised(connection, session, name)
        assert before is not None
        keys[offer.pack] = before.storage_key
    return keys


def receive_streamed(
    database: Database, store: ObjectStore, bearer: Bearer, offer: PackOffer, incoming: Incoming, key: str, received: int
) -> None:
    """Receive a pack of which `received` bytes were written to `incoming`: when this returns it is durable under `key`, and noted. Raises
    Refusal: corrupt_data where it is another than was offered, or what the bearer's rights have become since the ticket was given."""
    _check_pack(incoming.read, received, offer)
    with database.read() as connection:
        bearer.admitted(connection)
    incoming.finish()
    kept = False
    try:
        with database.write() as connection:
            caller, repository = bearer.admitted(connection)
            kept = sessions.receive(connection, caller, repository, bearer.session, offer, key)
    finally:
        if not kept:
            store.delete(key)


def receive_brought(
    database: Database, store: ObjectStore, caller: Caller, repository: Repository, session: str, pack: str
) -> bool:
    """Receive a pack (hex) that was brought to its key; False where that was done before. Raises Refusal: missing_chunks where it is not
    there, corrupt_data where it is another; either way it may be offered again."""
    name = bytes.fromhex(pack)
    with database.read() as connection:
        promise = _promised(connection, session, name)
        if promise is None and _is_received(connection, session, name):
            return False
    if promise is None:
        raise _absent()
    key, offer = promise.storage_key, PackOffer(pack, promise.size, promise.sequence)
    try:
        _check_pack(lambda start, length: store.read(key, start, length), store.size(key), offer)
    except ObjectMissing:
        raise _absent() from None
    except StoreTrouble:
        raise
    except LeptonError:
        with database.write() as connection:
            _end(connection, session, name)
        store.delete(key)
        raise
    with database.write() as connection:
        _check_open(connection, caller, repository, session)
        if _promised(connection, session, name) != promise:
            return False  # it was said twice at once
        _end(connection, session, name)
        kept = sessions.receive(connection, caller, repository, session, offer, key)
    if not kept:
        store.delete(key)
    return kept


def _check_pack(read: ReadAt, size: int, offer: PackOffer) -> None:
    """See that what arrived is the offered pack. Raises Refusal (corrupt_data), CorruptData, UnknownPackVersion or TooManyRecords, and
    what `read` raises."""
    with _INDEXES:
        if size != offer.size or pack_name(read, size).hex != offer.pack:
            raise Refusal("corrupt_data", "What arrived is not the pack that was offered.", "Send it again.")


def _check_open(connection: Connection, caller: Caller, repository: Repository, session: str) -> None:
    """Raises Refusal where the caller may no longer write to the repository, or the session takes no more packs."""
    require(connection, caller, repository, Action.WRITE)
    if sessions.state_for(connection, caller, repository, session)[0] != "open":
        raise sessions.session_gone()


def _promised(connection: Connection, session: str, name: bytes) -> _Promise | None:
    mine = (pending_packs.c.upload == session) & (pending_packs.c.name == name)
    columns = pending_packs.c.storage_key, pending_packs.c.size, pending_packs.c.sequence
    row = connection.execute(select(*columns).where(mine)).one_or_none()
    return _Promise(*row) if row else None


def _end(connection: Connection, session: str, name: bytes) -> None:
    connection.execute(delete(pending_packs).where(pending_packs.c.upload == session, pending_packs.c.name == name))


def _is_received(connection: Connection, session: str, name: bytes) -> bool:
    mine = (upload_packs.c.upload == session) & (upload_packs.c.name == name)
    return connection.execute(select(upload_packs.c.name).where(mine)).one_or_none() is not None


def _absent() -> Refusal:
    return Refusal("missing_chunks", "This pack has not arrived in the storage.", "Send it again.")
