"""Transactions on the server's database, its clock, and the check that this program knows its schema.

One SQLite file for one host: write-ahead log, one writer at a time (`BEGIN IMMEDIATE`), synchronous=FULL because what a client
was told is stored must be. Readers never wait.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Select, Table, create_engine, event, insert, literal_column, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError

from git_lepton.errors import WrongUse
from lepton_server.tables import SCHEMA_VERSION, former_places, metadata, schema

_NOW: Select[int] = select(literal_column("CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"))
Key = TypeVar("Key", bytes, int)
_BATCH = 2_000  # names in one statement


class NewerSchema(WrongUse):
    """The data were written by a newer server."""


class Database:
    """Where the server keeps what it knows. Safe to use from any thread."""

    def __init__(self, file: Path) -> None:
        self.engine = _sqlite_engine(file)
        self._writer = threading.Lock()  # a fair queue; SQLite's own waiting sleeps and polls
        with self.write() as connection:
            _prepare_schema(connection)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database and changes nothing."""
        with self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is durable when the block ends, or never was if it raises."""
        with self._writer, self.engine.connect() as connection:
            immediate = connection.execution_options(begin="BEGIN IMMEDIATE")
            with immediate.begin():
                yield immediate

    def close(self) -> None:
        self.engine.dispose()


def is_disk_trouble(error: OperationalError) -> bool:
    """Whether SQLite found no room, which it also calls an I/O error where it maps its files."""
    return any(sign in str(error.orig) for sign in ("disk is full", "disk I/O error"))


def clock(connection: Connection) -> int:
    """Milliseconds since 1970 by the database's clock, the only one that counts."""
    return int(connection.execute(_NOW).scalar_one())


def in_batches(names: Iterable[Key]) -> Iterator[list[Key]]:
    """The names or numbers in lists of which one statement can hold one."""
    rest = iter(names)
    while batch := list(islice(rest, _BATCH)):
        yield batch


def insert_new(connection: Connection, table: Table, rows: Collection[Mapping[str, Any]]) -> None:
    """Insert those rows whose key is not there yet."""
    if rows:
        connection.execute(_insert(connection, table).on_conflict_do_nothing(), list(rows))


def insert_new_from(connection: Connection, table: Table, rows: Select[Any]) -> None:
    """The same for what a query gives, whose columns are those of the table, in their order."""
    statement = _insert(connection, table).from_select(list(table.columns.keys()), rows)
    connection.execute(statement.on_conflict_do_nothing())


def _insert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


def _sqlite_engine(file: Path) -> Engine:
    engine = create_engine(f"sqlite:///{file}", pool_size=32, max_overflow=32, connect_args={"timeout": 30})

    @event.listens_for(engine, "connect")
    def _connected(raw: Any, _record: Any) -> None:
        raw.isolation_level = None  # the driver's own idea of transactions off: `begin` below says what begins one
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000", "cache_size=-32768"):
            raw.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))

    return engine


def _prepare_schema(connection: Connection) -> None:
    metadata.create_all(connection)
    version = connection.execute(select(schema.c.version)).scalar_one_or_none()
    if version is None:
        connection.execute(insert(schema).values(version=SCHEMA_VERSION))
    elif version > SCHEMA_VERSION:
        raise NewerSchema(
            f"these data have schema version {version}; this lepton-server knows {SCHEMA_VERSION}",
            "Start the newer lepton-server that wrote them.",
        )
    elif version < SCHEMA_VERSION:  # so far tables and indexes came, which are made, and a column of a table that may be emptied
        former_places.drop(connection, checkfirst=True)  # whoever had a plan asks for a new one
        former_places.create(connection)
        for index in (index for table in metadata.sorted_tables for index in table.indexes):
            index.create(connection, checkfirst=True)
        connection.execute(update(schema).values(version=SCHEMA_VERSION))
