"""News of uploads among the processes over one PostgreSQL: whoever learns something tells the one that has the upload open.

A notice may get lost (a connection that breaks, a process that dies): whoever needs to be sure looks into the database now and then.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from sqlalchemy import func, select

from lepton_server.database.transactions import Database, lone_connection

_log = logging.getLogger(__name__)
_CHANNEL = "lepton_uploads"
_LOOK_SECONDS = 0.5  # until the thread looks whether it is to end
_AGAIN_SECONDS = 2.0  # after a connection broke


class Notices:
    """`heard` is called with the name of each upload that some process tells of, and with "" when any number may have been missed."""

    def __init__(self, database: Database, heard: Callable[[str], None]) -> None:
        self._database = database
        self._heard = heard
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="notices", daemon=True)

    def start(self) -> None:
        if self._database.is_shared:
            self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        if self._thread.ident:
            self._thread.join()

    def tell(self, upload: str) -> None:
        """All processes hear of it, this one too. Over SQLite there are no others."""
        if not self._database.is_shared:
            return
        with self._database.engine.connect() as opened:
            connection = opened.execution_options(isolation_level="AUTOCOMMIT")
            connection.execute(select(func.pg_notify(_CHANNEL, upload)))

    def _listen(self) -> None:
        while not self._ending.is_set():
            try:
                self._hear()
            except Exception as error:  # whatever it is: this thread is needed for as long as the process lives
                _log.warning("no news from other processes: %s", str(error).partition("\n")[0])
                self._ending.wait(_AGAIN_SECONDS)

    def _hear(self) -> None:
        with lone_connection(self._database) as connection:
            driver: Any = connection.connection.dbapi_connection
            driver.execute(f"LISTEN {_CHANNEL}")
            self._heard("")
            while not self._ending.is_set():
                for notice in driver.notifies(timeout=_LOOK_SECONDS):
                    self._heard(notice.payload)
