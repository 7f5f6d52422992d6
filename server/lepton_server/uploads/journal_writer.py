"""The thread of a serving process that notes in the journal what uploads made visible, a moment after each has ended: one note for all
that ended meanwhile, so that no push waits for it.
"""

from __future__ import annotations

import logging
import threading

from sqlalchemy.exc import SQLAlchemyError

from lepton_server.content import journal
from lepton_server.database.transactions import Database
from lepton_server.storage.object_store import ObjectStore, StoreTrouble

_AGAIN_SECONDS = 5.0
_UPLOADS_AT_ONCE = 20
_log = logging.getLogger("lepton_server")


class JournalWriter:
    """The writer of one process. `note` may be called from any thread."""

    def __init__(self, database: Database, store: ObjectStore) -> None:
        self._database, self._store = database, store
        self._ended: list[str] = []
        self._lock = threading.Lock()
        self._news, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._live, name="journal", daemon=True)

    def start(self) -> None:
        """Leaves a mark beside the packs, by which a database is recognised that was copied before now."""
        self._news.set()
        self._thread.start()

    def stop(self) -> None:
        """Ends when what is to be noted is noted, or cannot be."""
        self._stopping.set()
        self._news.set()
        if self._thread.ident:
            self._thread.join()

    def note(self, upload: str) -> None:
        """Have the end of this upload written."""
        with self._lock:
            self._ended.append(upload)
        self._news.set()

    def _live(self) -> None:
        ending = False
        while not ending:
            self._news.wait()
            ending = self._stopping.is_set()
            self._news.clear()
            with self._lock:
                batch = self._ended[:_UPLOADS_AT_ONCE]
            try:
                journal.write(self._database, self._store, batch)
            except (StoreTrouble, SQLAlchemyError) as error:
                _log.warning("what was uploaded could not be noted beside the packs: %s", str(error).partition("\n")[0])
                self._stopping.wait(_AGAIN_SECONDS)
                self._news.set()
                continue
            with self._lock:
                del self._ended[: len(batch)]
                more = bool(self._ended)
            if more:
                self._news.set()
                ending = False
