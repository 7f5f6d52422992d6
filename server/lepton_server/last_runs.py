"""When each kind of care was last taken of the data, for those who watch that it is: gc, repack, scrub, backup, expire."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from lepton_server.database import clock
from lepton_server.tables import facts

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
