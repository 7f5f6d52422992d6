"""Whose fault an error is: what real databases and disks raise, and what a client is told of it."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import create_engine, insert, select, text

from git_lepton.errors import CorruptData
from lepton_server.database.engines import postgresql_engine
from lepton_server.database.tables import facts
from lepton_server.database.transactions import Database
from lepton_server.http import error_responses
from lepton_server.http.middleware.request_frame import RequestFrame
from lepton_server.settings import ServerSettings
from lepton_server.storage.object_store import ObjectMissing, StoreFull, StoreTrouble
from tests.server.git.small_git_server import serving
from tests.support.backends import Backends


class Troubled:
    """An application whose one route does what the test says."""

    def __init__(self) -> None:
        self.trouble: Callable[[], object] = lambda: None
        self.app = FastAPI()
        error_responses.install(self.app)
        self.app.add_middleware(RequestFrame, settings=ServerSettings(Path()))
        self.url = ""

        @self.app.get("/trouble")
        def meet() -> dict[str, str]:
            self.trouble()
            return {}

    def answer(self, trouble: Callable[[], object]) -> tuple[int, str]:
        """Status and code of the answer where this is raised."""
        self.trouble = trouble
        got = httpx.get(f"{self.url}/trouble")
        body = got.json()
        assert got.status_code == 200 or body["error"]["request"] == got.headers["Lepton-Request"]
        assert ("Retry-After" in got.headers) == (got.status_code in (429, 500, 503))
        return got.status_code, body["error"]["code"] if body else ""


@pytest.fixture(scope="module")
def troubled() -> Iterator[Troubled]:
    found = Troubled()
    with serving(found.app) as port:
        found.url = f"http://127.0.0.1:{port}"
        yield found


@pytest.fixture
def database(settings: ServerSettings) -> Iterator[Database]:
    opened = Database(settings.database_place)
    yield opened
    opened.close()


def raising(error: Exception) -> Callable[[], object]:
    def meet() -> None:
        raise error

    return meet


def keeps(database: Database, **row: Any) -> Callable[[], object]:
    def meet() -> None:
        with database.write() as connection:
            connection.execute(insert(facts).values(**{"name": "x", "value": "y"} | row))

    return meet


def looks_up(database: Database, name: object) -> Callable[[], object]:
    def meet() -> None:
        with database.read() as connection:
            connection.execute(select(facts).where(facts.c.name == name)).all()

    return meet


def test_texts_and_numbers_that_cannot_be_kept(troubled: Troubled, database: Database) -> None:
    refused = 400, "bad_request"
    assert troubled.answer(keeps(database, name="\ud800")) == refused
    assert troubled.answer(looks_up(database, "\ud800")) == refused
    for bad in ("a\0b", "n" * 300):
        assert troubled.answer(keeps(database, name=bad)) == (refused if database.is_shared else (200, ""))
    too_large = 1 << 70

    def counts() -> None:
        with database.write() as connection:
            connection.execute(text("INSERT INTO tenants (name, quota) VALUES ('x', :quota)"), {"quota": too_large})

    assert troubled.answer(counts) == refused


def test_a_writer_that_waits_in_vain(troubled: Troubled, database: Database, settings: ServerSettings) -> None:
    def meet() -> None:
        if database.is_shared:
            with database.engine.begin() as connection:
                connection.execute(text("SET LOCAL lock_timeout = '100ms'"))
                connection.execute(text("LOCK TABLE facts"))
        else:
            other = create_engine(f"sqlite:///{settings.database_file}", connect_args={"timeout": 0.05})
            try:
                with other.begin() as connection:
                    connection.execute(insert(facts).values(name="x", value="y"))
            finally:
                other.dispose()

    with database.write() as connection:
        connection.execute(insert(facts).values(name="held", value="y"))
        assert troubled.answer(meet) == (503, "unavailable")


def test_a_database_that_cannot_be_reached(troubled: Troubled) -> None:
    nowhere = postgresql_engine("postgresql://lepton:secret@127.0.0.1:1/lepton")

    def meet() -> None:
        nowhere.connect()

    assert troubled.answer(meet) == (503, "unavailable")


def test_a_connection_that_ends_in_the_middle(troubled: Troubled, backends: Backends) -> None:
    database = Database(backends.postgres.new_database())

    def meet() -> None:
        with database.read() as connection, database.engine.connect() as other:
            me = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
            other.execute(text("SELECT pg_terminate_backend(:me)"), {"me": me})
            connection.execute(text("SELECT pg_sleep(5)"))

    def write() -> None:  # to what is a standby by now
        with database.engine.begin() as connection:
            connection.execute(text("SET TRANSACTION READ ONLY"))
            connection.execute(insert(facts).values(name="x", value="y"))

    def commit() -> None:
        with database.engine.connect() as other, database.write() as connection:
            me = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
            other.execute(text("SELECT pg_terminate_backend(:me)"), {"me": me})

    try:
        assert troubled.answer(meet) == (503, "unavailable")
        assert troubled.answer(commit) == (503, "unavailable")
        assert troubled.answer(write) == (503, "unavailable")
        assert troubled.answer(looks_up(database, "x")) == (200, "")
    finally:
        database.close()


def test_all_connections_are_in_use(troubled: Troubled, tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'small'}", pool_size=1, max_overflow=0, pool_timeout=0.05)
    with engine.connect():
        assert troubled.answer(engine.connect) == (503, "unavailable")
    engine.dispose()


def test_storage_and_disk(troubled: Troubled) -> None:
    assert troubled.answer(raising(StoreTrouble("disk at /srv/secret fails"))) == (503, "unavailable")
    assert "secret" not in httpx.get(f"{troubled.url}/trouble").text
    assert troubled.answer(raising(StoreFull("full"))) == (507, "storage_full")
    assert troubled.answer(raising(OSError(errno.ENOSPC, "no space"))) == (507, "storage_full")
    assert troubled.answer(raising(CorruptData("broken"))) == (422, "corrupt_data")


@contextmanager
def said_by(name: str) -> Iterator[list[logging.LogRecord]]:
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign]
    logging.getLogger(name).addHandler(handler)
    yield records
    logging.getLogger(name).removeHandler(handler)


def test_our_bugs_and_lost_packs_are_500_with_a_traceback_in_the_log_only(troubled: Troubled) -> None:
    for error in (ValueError("a bug of ours"), ObjectMissing("a pack is lost"), OSError(errno.EPERM, "not allowed")):
        with said_by("lepton_server") as records:
            assert troubled.answer(raising(error)) == (500, "internal_error")
        assert [record.exc_info[1] for record in records if record.exc_info] == [error]
        assert str(error) not in httpx.get(f"{troubled.url}/trouble").text
