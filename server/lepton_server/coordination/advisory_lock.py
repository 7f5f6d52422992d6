"""Locks that all processes over one PostgreSQL respect. Each is held by a connection of its own, and goes with it however that ends."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import DBAPIError, OperationalError

from git_lepton.errors import LeptonError
from lepton_server.database.transactions import Database, is_busy, lone_connection

_NOTICE_DEATH = (  # within half a minute, where a host is gone without a word; a Unix socket ignores them
    "SET tcp_keepalives_idle = 15",
    "SET tcp_keepalives_interval = 5",
    "SET tcp_keepalives_count = 3",
)


class LockTaken(LeptonError):
    """Another process holds the lock."""


class LockLost(LeptonError):
    """The connection that held the lock is gone, and another process may hold it now."""


class HeldLock:
    """A lock while it is held. Not for several threads at once."""

    def __init__(self, connection: Connection | None) -> None:
        self._connection = connection

    def check(self) -> None:
        """Raises LockLost unless the lock is still held."""
        if self._connection is None:
            return
        try:
            self._connection.execute(select(1))
        except DBAPIError as error:
            raise LockLost("the connection to the database that held a lock was lost", "Try again.") from error


@contextmanager
def advisory_lock(database: Database, name: str, seconds: float = 0.0) -> Iterator[HeldLock]:
    """Hold the lock of this name; wait up to `seconds` for it. Raises LockTaken."""
    with lone_connection(database) as connection:
        for setting in _NOTICE_DEATH:
            connection.execute(text(setting))
        if not _taken(connection, _number(name), seconds):
            raise LockTaken(f"another process holds the lock of {name}", "Try again in a while.")
        yield HeldLock(connection)


def _taken(connection: Connection, number: int, seconds: float) -> bool:
    if seconds <= 0:
        return bool(connection.execute(select(func.pg_try_advisory_lock(number))).scalar_one())
    connection.execute(text(f"SET lock_timeout = {max(1, int(seconds * 1000))}"))
    try:
        connection.execute(select(func.pg_advisory_lock(number)))
    except OperationalError as error:
        if is_busy(error):
            return False
        raise
    return True


def _number(name: str) -> int:
    """PostgreSQL's locks have numbers of 64 bits."""
    return int.from_bytes(hashlib.sha256(f"lepton {name}".encode()).digest()[:8], "big", signed=True)
