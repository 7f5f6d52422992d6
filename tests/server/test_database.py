"""The embedded database: brought to a newer schema at start, and shared with a process that repacks."""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path

from sqlalchemy import insert, select

from lepton_server.database import Database, clock
from lepton_server.serving import open_database
from lepton_server.settings import ServerSettings
from lepton_server.tables import SCHEMA_VERSION, encodings, former_places, packs, schema, stray_files


def test_a_database_from_before_deltas_is_brought_up_to_date(tmp_path: Path) -> None:
    open_database(tmp_path).close()
    file = ServerSettings(tmp_path).database_file
    old = sqlite3.connect(file)
    old.executescript(
        "DROP TABLE former_places; DROP TABLE stray_files; DROP INDEX encodings_on_base; UPDATE schema SET version = 1;"
    )
    old.close()
    opened = open_database(tmp_path)
    with opened.write() as connection:
        assert connection.execute(select(schema.c.version)).scalar_one() == SCHEMA_VERSION
        assert connection.execute(select(stray_files)).all() == []
        query = select(encodings.c.chunk).where(encodings.c.tenant == 1, encodings.c.base.in_([bytes(32)]))
        text = str(query.compile(connection, compile_kwargs={"literal_binds": False}))
        told = connection.exec_driver_sql(
            "EXPLAIN QUERY PLAN SELECT chunk FROM encodings WHERE tenant = 1 AND base IN (x'00', x'01')"
        ).all()
        assert "encodings" in text
        assert any("encodings_on_base" in str(row) for row in told)
    opened.close()


def test_former_places_from_before_their_bases_are_forgotten(tmp_path: Path) -> None:
    open_database(tmp_path).close()
    old = sqlite3.connect(ServerSettings(tmp_path).database_file)
    old.executescript(
        "ALTER TABLE former_places DROP COLUMN base; PRAGMA foreign_keys=OFF;"
        "INSERT INTO former_places VALUES (1, 96, 10, x'00'); UPDATE schema SET version = 2;"
    )
    old.close()
    opened = open_database(tmp_path)
    with opened.read() as connection:
        assert connection.execute(select(schema.c.version)).scalar_one() == SCHEMA_VERSION
        assert connection.execute(select(former_places)).all() == []
    opened.close()


def test_two_processes_take_turns(tmp_path: Path) -> None:
    """Each `Database` has its own queue of writers, as two processes have; SQLite makes them wait for each other."""
    first, second = open_database(tmp_path), open_database(tmp_path)
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
