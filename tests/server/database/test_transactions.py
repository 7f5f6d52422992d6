"""The embedded database: brought to a newer schema at start, and shared with a process that repacks."""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import insert, select, text

from lepton_server.backends import open_database
from lepton_server.database.engines import sqlite_engine
from lepton_server.database.migrations.versions import v0003_baseline
from lepton_server.database.schema import NewerSchema
from lepton_server.database.tables import SCHEMA_VERSION, former_places, metadata, packs, schema, stray_files
from lepton_server.database.transactions import Database, clock
from lepton_server.identity.accounts import ensure_account
from lepton_server.settings import ServerSettings


def before_migrations(folder: Path, version: int, script: str) -> Path:
    """A database as an earlier program left it: the baseline's tables, less what `script` takes away."""
    file = ServerSettings(folder).database_file
    engine = sqlite_engine(file)
    with engine.connect() as connection, connection.begin(), Operations.context(MigrationContext.configure(connection)):
        v0003_baseline.upgrade()
        connection.execute(text(f"INSERT INTO schema VALUES ({version})"))
        connection.execute(text("INSERT INTO tenants (id, name) VALUES (1, 'default')"))
    engine.dispose()
    old = sqlite3.connect(file)
    old.executescript(script)
    old.close()
    return file


def test_a_database_from_before_deltas_is_brought_up_to_date(tmp_path: Path) -> None:
    before_migrations(tmp_path, 1, "DROP TABLE former_places; DROP TABLE stray_files; DROP INDEX encodings_on_base;")
    opened = open_database(ServerSettings(tmp_path))
    with opened.write() as connection:
        assert connection.execute(select(schema.c.version)).scalar_one() == SCHEMA_VERSION
        assert connection.execute(select(stray_files)).all() == []
        told = connection.exec_driver_sql(
            "EXPLAIN QUERY PLAN SELECT chunk FROM encodings WHERE tenant = 1 AND base IN (x'00', x'01')"
        ).all()
        assert any("encodings_on_base" in str(row) for row in told)
    opened.close()


def test_former_places_from_before_their_bases_are_forgotten(tmp_path: Path) -> None:
    script = "ALTER TABLE former_places DROP COLUMN base; PRAGMA foreign_keys=OFF; INSERT INTO former_places VALUES (1, 96, 10, x'00');"
    before_migrations(tmp_path, 2, script)
    opened = open_database(ServerSettings(tmp_path))
    with opened.read() as connection:
        assert connection.execute(select(schema.c.version)).scalar_one() == SCHEMA_VERSION
        assert connection.execute(select(former_places)).all() == []
    opened.close()


@pytest.mark.parametrize("version", [1, 3])
def test_what_migrations_make_is_what_the_program_thinks(tmp_path: Path, version: int) -> None:
    before_migrations(tmp_path, version, "")
    for folder in (tmp_path, tmp_path / "new"):
        opened = open_database(ServerSettings(folder))
        with opened.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, metadata) == []
        opened.close()


def test_the_last_program_runs_beside_the_next(tmp_path: Path) -> None:
    """The next version adds a column; until its `oldest` says otherwise this one goes on."""
    open_database(ServerSettings(tmp_path)).close()
    file = ServerSettings(tmp_path).database_file
    newer = sqlite3.connect(file)
    newer.executescript(
        f"ALTER TABLE accounts ADD COLUMN mood TEXT; UPDATE schema SET version = {SCHEMA_VERSION + 1}, oldest = {SCHEMA_VERSION};"
        "UPDATE alembic_version SET version_num = '9999';"
    )
    newer.close()
    opened = open_database(ServerSettings(tmp_path))
    with opened.write() as connection:
        assert ensure_account(connection, "ada")
    opened.close()
    newer = sqlite3.connect(file)
    newer.executescript(f"UPDATE schema SET oldest = {SCHEMA_VERSION + 1};")
    newer.close()
    with pytest.raises(NewerSchema, match=f"schema version {SCHEMA_VERSION + 1}"):
        open_database(ServerSettings(tmp_path))


def test_two_processes_take_turns(tmp_path: Path) -> None:
    """Each `Database` has its own queue of writers, as two processes have; SQLite makes them wait for each other."""
    first, second = open_database(ServerSettings(tmp_path)), open_database(ServerSettings(tmp_path))
    seen: list[int] = []

    def write(database: Database, number: int) -> None:
        for turn in range(20):
            with database.write() as connection:
                count = len(connection.execute(select(stray_files.c.storage_key)).all())
                time.sleep(0.001)
                row = {"storage_key": f"{number}/{turn}", "noticed": clock(connection)}
                connection.execute(insert(stray_files).values(row))
                seen.append(count)

    threads = [threading.Thread(target=write, args=(one, number)) for number, one in enumerate((first, second))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == list(range(40))
    with first.read() as connection:
        assert connection.execute(select(packs)).all() == []
    first.close()
    second.close()
