"""Packs that clients bring to the storage themselves: under which key each may, and what is done when one is said to be there.

A key is promised to one pack of one upload; the same again where the client asks again, so that what arrived before a break counts. The
promise ends when the pack is received, or was found to be another than was offered. Nothing is believed of what lies there: its size and
its name are looked at before the pack is received, all the rest when it is verified.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select

from git_lepton.errors import LeptonError
from git_lepton.wire.messages import PackOffer
from lepton_server import uploads
from lepton_server.accounts import Caller
from lepton_server.database import Database, clock
from lepton_server.object_store import ObjectMissing, ObjectStore, StoreTrouble, new_key
from lepton_server.offered_packs import check_pack
from lepton_server.permissions import Action, require
from lepton_server.refusals import Refusal
from lepton_server.repositories import Repository
from lepton_server.tables import pending_packs, upload_packs


class _Promise(NamedTuple):
    """A row of pending_packs."""

    storage_key: str
    size: int
    sequence: int


def promise_keys(connection: Connection, repository: Repository, session: str, offers: Sequence[PackOffer]) -> dict[str, str]:
    """For each offered pack (hex) the key to which it may be brought."""
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


def settle(database: Database, store: ObjectStore, caller: Caller, repository: Repository, session: str, pack: str) -> bool:
    """Receive a pack that was brought to its key; False where that was done before. Raises Refusal: missing_chunks where it is not there,
    corrupt_data where it is another; either way it may be offered again."""
    name = bytes.fromhex(pack)
    with database.read() as connection:
        promise = _promised(connection, session, name)
        if promise is None and _is_received(connection, session, name):
            return False
    if promise is None:
        raise _absent()
    offer = PackOffer(pack, promise.size, promise.sequence)
    try:
        _check(store, promise, offer)
    except ObjectMissing:
        raise _absent() from None
    except StoreTrouble:
        raise
    except LeptonError:
        with database.write() as connection:
            _end(connection, session, name)
        store.delete(promise.storage_key)
        raise
    with database.write() as connection:
        require(connection, caller, repository, Action.WRITE)
        if uploads.state_for(connection, caller, repository, session)[0] != "open":
            raise uploads.session_gone()
        if _promised(connection, session, name) != promise:
            return False  # it was said twice at once
        _end(connection, session, name)
        kept = uploads.receive(connection, caller, repository, session, offer, promise.storage_key)
    if not kept:
        store.delete(promise.storage_key)
    return kept


def _check(store: ObjectStore, promise: _Promise, offer: PackOffer) -> None:
    key = promise.storage_key
    check_pack(lambda start, length: store.read(key, start, length), store.size(key), offer)


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
