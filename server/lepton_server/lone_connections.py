"""Connections to PostgreSQL beside the pool's, for what belongs to a connection: a lock, or an ear for news."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

from lepton_server.database import Database


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
