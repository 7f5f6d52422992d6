"""Presence of the servers that run over one database: each says every few seconds that it lives, so that the others, and operators, know.

SQLite is for one host. A row that another host left tells its name; whether that host still serves shows only when the row changes,
since the clocks of two hosts say nothing about each other.
"""

from __future__ import annotations

import logging
import os
import platform
import secrets
import threading
import time
from collections.abc import Callable

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import DBAPIError

from git_lepton import __version__
from git_lepton.errors import WrongUse
from lepton_server.database.tables import processes
from lepton_server.database.transactions import Database, clock

_log = logging.getLogger(__name__)
_BEAT_SECONDS = 5.0  # over PostgreSQL
_EMBEDDED_BEAT_SECONDS = 15.0  # there only another host would want to know
_FORGOTTEN_MS = 120_000  # without a sign of life


class OtherHost(WrongUse):
    """A server of another host uses this embedded database."""


def host_name() -> str:
    return platform.node()


def refuse_other_hosts(database: Database, patience: float = 2 * _EMBEDDED_BEAT_SECONDS + 1) -> None:
    """See that no other host serves this embedded database, which takes `patience` seconds where one did and did not end well. Only for
    the one process of this host that is about to serve it. Raises OtherHost."""
    if before := _of_other_hosts(database):
        _watch(database, before, patience)
    with database.write() as connection:  # what is left is of processes that died
        connection.execute(delete(processes))


def _watch(database: Database, before: dict[str, tuple[str, int]], patience: float) -> None:
    hosts = ", ".join(sorted({host for host, _ in before.values()}))
    _log.warning("%s served these data and may still do so: waiting %.0f s for a sign of life", hosts, patience)
    until = time.monotonic() + patience
    while time.monotonic() < until:
        time.sleep(min(1.0, patience))
        for name, (host, seen) in _of_other_hosts(database).items():
            if name not in before or before[name][1] != seen:
                raise OtherHost(
                    f"{host} serves these data, and the embedded database is for one host",
                    "Stop that server first, or move to PostgreSQL (--database).",
                )


def _of_other_hosts(database: Database) -> dict[str, tuple[str, int]]:
    columns = processes.c.id, processes.c.host, processes.c.seen
    with database.read() as connection:
        rows = connection.execute(select(*columns).where(processes.c.host != host_name()))
        return {row.id: (row.host, row.seen) for row in rows}


class Presence:
    """Keeps this process's row in `processes` fresh from `start` to `stop`, and calls `each_beat` after each update, in a thread of its
    own."""

    def __init__(self, database: Database, each_beat: Callable[[], None]) -> None:
        self.id = secrets.token_hex(8)
        self._database = database
        self._each_beat = each_beat
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._live, name="presence", daemon=True)
        self._seconds = _BEAT_SECONDS if database.is_shared else _EMBEDDED_BEAT_SECONDS

    def start(self) -> None:
        self._say()
        self._thread.start()

    def stop(self) -> None:
        """Take the row away, so that others know at once that this process is gone."""
        self._ending.set()
        if self._thread.ident:
            self._thread.join()
        try:
            with self._database.write() as connection:
                connection.execute(delete(processes).where(processes.c.id == self.id))
        except DBAPIError as error:  # they will find out
            _log.warning("the end of this process could not be noted: %s", error.orig)

    def _live(self) -> None:
        while not self._ending.wait(self._seconds):
            try:
                self._say()
                self._each_beat()
            except DBAPIError as error:
                _log.warning("the database takes no sign of life: %s", error.orig)
            except Exception:
                _log.exception("what is to be done every few seconds failed")

    def _say(self) -> None:
        with self._database.write() as connection:
            now = clock(connection)
            mine = processes.c.id == self.id
            if not connection.execute(update(processes).where(mine).values(seen=now)).rowcount:
                self._introduce(connection, now)
            if self._database.is_shared:
                connection.execute(delete(processes).where(processes.c.seen < now - _FORGOTTEN_MS))

    def _introduce(self, connection: Connection, now: int) -> None:
        row = {"id": self.id, "host": host_name(), "pid": os.getpid(), "version": __version__, "started": now, "seen": now}
        connection.execute(insert(processes).values(row))
