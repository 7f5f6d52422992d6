"""Database and store of packs: opened as a server's settings name them, and seen to belong together.

A store that a server has used carries that server's identity (the key `identity`), and its database the same. Where they differ nothing
is touched: gc that is pointed at another server's bucket would take all that lies there for garbage.
"""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, select
from sqlalchemy.exc import OperationalError

from git_lepton.errors import NetworkTrouble, WrongUse
from lepton_server.database.tables import facts
from lepton_server.database.transactions import Database, insert_new, is_disk_trouble
from lepton_server.identity.tenants import prepare_tenant
from lepton_server.settings import ServerSettings
from lepton_server.storage.disk import DiskStore
from lepton_server.storage.object_store import ObjectMissing, ObjectStore, StoreBusy, StoreFull, put

IDENTITY_KEY = "identity"
_LENGTH = 32
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 15.0  # seconds
_log = logging.getLogger("lepton_server")
_OURS = select(facts.c.value).where(facts.c.name == IDENTITY_KEY)


class WrongStorage(WrongUse):
    """The storage is not that of this database."""


def open_database(settings: ServerSettings) -> Database:
    """The database, and the data folder, both made if they are not there. Raises NewerSchema, BadDatabaseUrl."""
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = Database(settings.database_place)
    with database.read() as connection:
        is_new = connection.execute(_OURS).scalar_one_or_none() is None
    if is_new:
        with database.write() as connection:
            prepare_tenant(connection)
            insert_new(connection, facts, [{"name": IDENTITY_KEY, "value": secrets.token_hex(_LENGTH // 2)}])
    return database


def open_store(settings: ServerSettings, database: Database, incoming: str = "incoming") -> ObjectStore:
    """The store of these settings; `incoming` names where a disk keeps what is on its way. Raises WrongStorage, StoreTrouble."""
    store = _store(settings, incoming)
    with database.read() as connection:
        ours = connection.execute(_OURS).scalar_one()
    try:
        found = store.read(IDENTITY_KEY, 0, _LENGTH).decode("ascii", "replace")
    except ObjectMissing:
        put(store, IDENTITY_KEY, ours.encode())
        return store
    if found != ours:
        raise WrongStorage(
            f"the packs in {settings.storage or settings.pack_root} belong to another database than this one",
            "Check --storage and --database; nothing was changed.",
        )
    return store


def await_store(settings: ServerSettings, database: Database, incoming: str) -> ObjectStore:
    """The store of these settings, waited for while the storage does not answer, however long. Raises WrongStorage, StoreTrouble."""
    pause = _FIRST_PAUSE
    while True:
        try:
            return open_store(settings, database, incoming)
        except StoreBusy as error:
            _log.warning("waiting for the storage: %s", error.message)
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def incoming_folder(settings: ServerSettings) -> str:
    """The name of the folder in which one serving process keeps packs on their way to a disk: no other's, since several hosts may have
    the packs in one folder, and always the same, so that what it left when it died is cleared when it starts again."""
    if not settings.database:
        return "incoming"
    place = f"{platform.node()} {settings.data} {settings.worker}"
    return f"incoming-{hashlib.sha256(os.fsencode(place)).hexdigest()[:12]}"


def _store(settings: ServerSettings, incoming: str) -> ObjectStore:
    scheme, found, _ = settings.storage.partition("://")
    if not found or scheme == "file":
        return DiskStore(settings.pack_root, incoming)
    if scheme == "s3":
        from lepton_server.storage.s3.store import open_s3_store

        return open_s3_store(settings)
    raise WrongUse(
        f"{scheme}:// is no kind of storage that the server knows", "Write s3://BUCKET/PREFIX, or leave --storage out."
    )


class DatabaseBusy(NetworkTrouble):
    """Another process holds the database for too long."""


@contextmanager
def changes(settings: ServerSettings) -> Iterator[Connection]:
    """A transaction of a command that changes what the database holds. Raises DatabaseBusy, StoreFull."""
    with opened(settings) as database, database.write() as connection:
        yield connection


@contextmanager
def opened(settings: ServerSettings) -> Iterator[Database]:
    """Raises DatabaseBusy where nobody else lets go of the database for half a minute, StoreFull where the disk has no room for it."""
    database: Database | None = None
    try:
        database = open_database(settings)
        yield database
    except OperationalError as error:
        if "locked" in str(error.orig):
            raise DatabaseBusy("the database of this folder is busy", "Try again when less is going on.") from error
        if is_disk_trouble(error):
            raise StoreFull(
                "the database could not be written: the disk is full or fails",
                "Make room there, then run this again; nothing is lost.",
            ) from error
        raise
    finally:
        if database:
            database.close()
