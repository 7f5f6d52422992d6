"""One process at a time does a thing to a server's data, over all hosts that share them; the right to it goes with the process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from lepton_server.advisory_locks import HeldLock, LockTaken, advisory_lock
from lepton_server.database import Database
from lepton_server.folder_lock import FolderBusy, only_one
from lepton_server.settings import ServerSettings


@contextmanager
def exclusive(database: Database, settings: ServerSettings, does: str, lock: str = "care") -> Iterator[HeldLock]:
    """Be the only one that holds `lock`. Raises FolderBusy where another does; `does` ("repacks") says what, for the sentence.

    Who works for long asks the lock's `check` now and then: with the connection to PostgreSQL the lock is lost too.
    """
    if not database.is_shared:
        with only_one(settings.data / f"{lock}.lock", does):
            yield HeldLock(None)
        return
    with ExitStack() as holding:
        try:
            held = holding.enter_context(advisory_lock(database, lock))
        except LockTaken as error:
            message = f"another lepton-server {does}, or does what cannot be done beside it"
            raise FolderBusy(message, "Wait until it has ended.") from error
        yield held
