"""Connections to the two kinds of database, set up so that `Database` can promise the same of both.

SQLite, for one host: write-ahead log, one writer at a time, synchronous=FULL because what a client was told is stored must be.
PostgreSQL, for any number of processes: a reader sees one state (REPEATABLE READ), a writer the newest (READ COMMITTED).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from git_lepton.errors import WrongUse

_LOCK_SECONDS = 30
_GONE = ("57P01", "57P02", "57P03", "57P05", "25006")  # shut down, crashed, starting, idle for too long, read-only
_CONNECTIONS = 16  # to PostgreSQL, of one process; a few more in a rush


class BadDatabaseUrl(WrongUse):
    """This URL names no database that the server can use."""


def sqlite_engine(file: Path) -> Engine:
    """Connections to one file."""
    options = {"timeout": _LOCK_SECONDS}
    engine = create_engine(
        f"sqlite:///{file}",
        pool_size=32,
        max_overflow=32,
        pool_use_lifo=True,  # the connection that was used last has the pages that are in use
        hide_parameters=True,
        connect_args=options,
    )

    @event.listens_for(engine, "connect")
    def _connected(raw: Any, _record: Any) -> None:
        raw.isolation_level = None  # the driver's own idea of transactions off: `begin` below says what begins one
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000", "cache_size=-32768"):
            raw.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begun(connection: Any) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))

    return engine


def postgresql_engine(url: str) -> Engine:
    """Connections to a PostgreSQL server; those that died are replaced when they are next used. Raises BadDatabaseUrl."""
    options = {"connect_timeout": 10, "application_name": "lepton-server"}
    return create_engine(
        _postgresql_url(url),
        pool_size=_CONNECTIONS,
        max_overflow=4,
        pool_use_lifo=True,
        pool_pre_ping=True,
        pool_timeout=30,
        hide_parameters=True,  # errors are logged, and what people send is not for logs
        connect_args=options,
    )


def _postgresql_url(text: str) -> URL:
    try:
        url = make_url(text)
    except ArgumentError:
        raise BadDatabaseUrl("this is no URL of a database", "Write postgresql://USER:PASSWORD@HOST:PORT/NAME") from None
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise BadDatabaseUrl(
            f"{url.drivername} is no kind of database that the server knows",
            "Write postgresql://USER:PASSWORD@HOST:PORT/NAME, or leave --database out for SQLite in the data folder.",
        )
    return url.set(drivername="postgresql+psycopg")


def is_disk_trouble(error: DBAPIError) -> bool:
    """Whether the database found no room, which SQLite also calls an I/O error where it maps its files."""
    said = str(error.orig)
    return _state(error) == "53100" or any(sign in said for sign in ("disk is full", "disk I/O error"))


def is_unwritable(error: Exception) -> bool:
    """Whether SQLite may not write its file, or beside it."""
    signs = "readonly database", "unable to open database file"
    return isinstance(error, DBAPIError) and any(sign in str(error.orig) for sign in signs)


def is_busy(error: Exception) -> bool:
    """Whether the database is there and cannot be had at the moment: others write, or all connections are in use."""
    if isinstance(error, PoolExhausted):
        return True
    return isinstance(error, DBAPIError) and (
        "locked" in str(error.orig) or _state(error) in ("55P03", "40001", "40P01", "53300")
    )


def is_gone(error: Exception) -> bool:
    """Whether the database went away, cannot be reached, or takes no writes since another has its place; it may come back."""
    if not isinstance(error, DBAPIError):
        return False
    state = _state(error)
    unreached = isinstance(error, OperationalError) and not state and error.statement is None
    return error.connection_invalidated or unreached or state in _GONE or state.startswith("08") or _lost(error)


def _lost(error: DBAPIError) -> bool:
    said = str(error.orig)
    signs = "server closed the connection", "connection is lost", "connection is closed", "connection failed", "shutting down"
    return any(sign in said for sign in signs)


def _state(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""
