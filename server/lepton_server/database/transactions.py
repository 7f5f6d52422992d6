"""Transactions on the server's database, its clock, and what both kinds of database need to be told differently.

One writer at a time, in all processes together: SQLite by its own lock, PostgreSQL by an advisory one (docs/decisions/0009). Readers
never wait. What is read in one transaction is one state; what a writer reads is the newest, and nobody changes it before it ends.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Select, Table, literal_column, select
from sqlalchemy.dialects import postgresql, sqlite

from lepton_server.database import schema
from lepton_server.database.engines import is_busy, is_disk_trouble, is_gone, postgresql_engine, sqlite_engine

__all__ = ["Database", "clock", "in_batches", "insert_new", "insert_new_from", "is_busy", "is_disk_trouble", "is_gone"]
_NOW: dict[str, Select[int]] = {
    "sqlite": select(literal_column("CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)")),
    "postgresql": select(literal_column("CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)")),
}
_READER = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
_WRITERS = 0x6C6570746F6E  # "lepton": the advisory lock that all writers of a PostgreSQL database take
Key = TypeVar("Key", bytes, int, str)
_BATCH = 2_000  # names in one statement


class Database:
    """Where the server keeps what it knows: a file (SQLite) or a URL (PostgreSQL). Safe to use from any thread."""

    def __init__(self, place: Path | str) -> None:
        """Opens it and brings its schema up to date. Raises NewerSchema, BadDatabaseUrl."""
        self.engine: Engine = sqlite_engine(place) if isinstance(place, Path) else postgresql_engine(place)
        self._writer = threading.Lock()  # a fair queue in this process; SQLite's own waiting sleeps and polls
        with self.read() as connection:
            is_ready = schema.is_usable(connection)
        if not is_ready:
            with self.write() as connection:
                schema.bring_up_to_date(connection)

    @property
    def is_shared(self) -> bool:
        """Whether processes on other hosts may use it too."""
        return self.engine.dialect.name == "postgresql"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database and changes nothing."""
        with self.engine.connect() as opened:
            connection = opened.execution_options(**_READER) if self.is_shared else opened
            with connection.begin():
                yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is durable when the block ends, or never was if it raises."""
        with self._writer, self.engine.connect() as opened:
            connection = opened.execution_options(begin="BEGIN IMMEDIATE")
            with connection.begin():
                if self.is_shared:
                    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '30s'; SELECT pg_advisory_xact_lock({_WRITERS})")
                yield connection

    def close(self) -> None:
        self.engine.dispose()


def clock(connection: Connection) -> int:
    """Milliseconds since 1970 by the database's clock, the only one that counts."""
    return int(connection.execute(_NOW[connection.dialect.name]).scalar_one())


def in_batches(names: Iterable[Key]) -> Iterator[list[Key]]:
    """The names or numbers in lists of which one statement can hold one."""
    remaining = iter(names)
    while batch := list(islice(remaining, _BATCH)):
        yield batch


def insert_new(connection: Connection, table: Table, rows: Collection[Mapping[str, Any]]) -> None:
    """Insert those rows whose key is not there yet."""
    if rows:
        connection.execute(_insert(connection, table).on_conflict_do_nothing(), list(rows))


def insert_new_from(connection: Connection, table: Table, rows: Select[Any]) -> None:
    """Insert the rows of a query (the columns of `table`, in their order) whose key is not there yet."""
    statement = _insert(connection, table).from_select(list(table.columns.keys()), rows)
    connection.execute(statement.on_conflict_do_nothing())


def _insert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


@contextmanager
def lone_connection(database: Database) -> Iterator[Connection]:
    """Each statement is a transaction of its own. Closed at the end of the block, and nothing more is asked of it: it may be dead."""
    with database.engine.connect() as opened:
        connection = opened.execution_options(isolation_level="AUTOCOMMIT")
        connection.detach()  # the pool forgets it
        try:
            yield connection
        finally:
            if not connection.invalidated:
                raw: Any = connection.connection.dbapi_connection
                connection.invalidate()
                raw.close()
