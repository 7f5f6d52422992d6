"""Runs of maintenance: one process at a time does a thing to a server's data, over all hosts that share them; the right to it goes with
the process. And when the last run of each kind ended well."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from sqlalchemy import Connection, delete, insert, select

from lepton_server.coordination.advisory_lock import HeldLock, LockTaken, advisory_lock
from lepton_server.coordination.file_lock import FolderBusy, only_one
from lepton_server.database.tables import facts
from lepton_server.database.transactions import Database, clock
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


_PREFIX = "last-run."


def note(connection: Connection, what: str) -> None:
    """A run of `what` has ended well, now. In the transaction that ends it, where there is one."""
    name = _PREFIX + what
    connection.execute(delete(facts).where(facts.c.name == name))
    connection.execute(insert(facts).values(name=name, value=str(clock(connection))))


def last_runs(connection: Connection) -> dict[str, int]:
    """Kind of run, and when the last one ended well: milliseconds of the database's clock."""
    rows = connection.execute(select(facts.c.name, facts.c.value).where(facts.c.name.startswith(_PREFIX, autoescape=True)))
    return {name.removeprefix(_PREFIX): int(value) for name, value in rows}
