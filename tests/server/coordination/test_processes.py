"""Processes that share a database: who lives, who alone may do a thing, whose turn it is, and what they tell each other."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from lepton_server.backends import open_database
from lepton_server.coordination import presence as processes
from lepton_server.coordination.advisory_lock import LockLost
from lepton_server.coordination.file_lock import FolderBusy, only_one
from lepton_server.coordination.maintenance_runs import exclusive
from lepton_server.coordination.presence import OtherHost, Presence, refuse_other_hosts
from lepton_server.database.tables import processes as rows
from lepton_server.database.transactions import Database
from lepton_server.git.ref_lock import RefsBusy, Turn, hold_refs
from lepton_server.process.network_folders import FolderOnNetwork, refuse_network_folder
from lepton_server.settings import ServerSettings
from lepton_server.uploads.notifications import Notices
from tests.support.postgres import Postgres


@pytest.fixture
def database(settings: ServerSettings) -> Iterator[Database]:
    opened = open_database(settings)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[Postgres]:
    """One that may be stopped."""
    with Postgres() as running:
        yield running


def alive(database: Database) -> set[str]:
    with database.read() as connection:
        return set(connection.execute(select(rows.c.id)).scalars())


def test_a_process_is_known_while_it_runs(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_BEAT_SECONDS", 0.05)
    monkeypatch.setattr(processes, "_EMBEDDED_BEAT_SECONDS", 0.05)
    beats = threading.Semaphore(0)
    presence = Presence(database, beats.release)
    presence.start()
    assert alive(database) == {presence.id}
    assert all(beats.acquire(timeout=60) for _ in range(3))
    presence.stop()
    assert alive(database) == set()


def other_host(database: Database, seen: int) -> None:
    with database.write() as connection:
        row = {"id": f"x{seen}", "host": "elsewhere/1", "pid": 1, "version": "0", "started": 0, "seen": seen}
        connection.execute(insert(rows).values(row))


def test_the_embedded_database_refuses_a_host_while_another_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_EMBEDDED_BEAT_SECONDS", 0.05)
    monkeypatch.setattr(processes, "host_name", lambda: "elsewhere/1")
    database = open_database(ServerSettings(tmp_path))
    theirs = Presence(database, lambda: None)
    theirs.start()
    monkeypatch.setattr(processes, "host_name", lambda: "here/2")
    with pytest.raises(OtherHost, match="elsewhere/1 serves these data"):
        refuse_other_hosts(database, 60.0)
    theirs.stop()
    refuse_other_hosts(database, 60.0)
    database.close()


def test_what_died_on_this_host_holds_nothing_up(tmp_path: Path) -> None:
    database = open_database(ServerSettings(tmp_path))
    Presence(database, lambda: None)._say()
    began = time.monotonic()
    refuse_other_hosts(database, 300.0)
    assert time.monotonic() - began < 120
    assert alive(database) == set()
    database.close()


def test_a_host_that_died_is_forgotten_once_it_gives_no_sign(tmp_path: Path) -> None:
    database = open_database(ServerSettings(tmp_path))
    other_host(database, seen=1)
    began = time.monotonic()
    refuse_other_hosts(database, 0.1)
    assert alive(database) == set()
    assert time.monotonic() - began >= 0.1
    database.close()


@pytest.mark.parametrize(("kind", "refused"), [("nfs4", True), ("fuse.sshfs", True), ("ext4", False), ("overlay", False)])
def test_the_embedded_database_wants_a_local_disk(tmp_path: Path, kind: str, refused: bool) -> None:
    mounts = tmp_path / "mounts"
    folder = tmp_path / "with space" / "data"
    folder.mkdir(parents=True)
    point = str(tmp_path / "with space").replace(" ", "\\040")
    mounts.write_text(f"overlay / overlay rw 0 0\nserver:/x {point} {kind} rw 0 0\nproc /proc proc rw 0 0\n")
    if refused:
        with pytest.raises(FolderOnNetwork, match=kind.replace(".", r"\.")):
            refuse_network_folder(folder, mounts)
    else:
        refuse_network_folder(folder, mounts)
    refuse_network_folder(folder, tmp_path / "no mounts")


def test_one_at_a_time_cares_for_the_data(database: Database, settings: ServerSettings) -> None:
    other = open_database(settings)  # as of another process
    with exclusive(database, settings, "repacks") as held:
        held.check()
        with pytest.raises(FolderBusy, match="another lepton-server collects"), exclusive(other, settings, "collects"):
            pass
        with exclusive(other, settings, "backs up", lock="backup"):
            pass
    with exclusive(other, settings, "collects"):
        pass
    other.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system does not fork")
def test_a_lock_does_not_go_on_in_a_process_that_was_forked_meanwhile(tmp_path: Path) -> None:
    """As one that has not yet started its program: it has all files open that the one before it had."""
    ours, theirs = os.pipe()
    with only_one(tmp_path / "lock", "repacks"):
        child = os.fork()
        if child == 0:
            os.close(theirs)
            os.read(ours, 1)
            os._exit(0)
    with only_one(tmp_path / "lock", "repacks"):
        pass
    os.close(theirs)
    os.waitpid(child, 0)
    os.close(ours)


def test_refs_move_for_one_push_at_a_time(database: Database, settings: ServerSettings) -> None:
    other = open_database(settings)
    turn, next_one = Turn(database, settings, 7), Turn(other, settings, 7)
    turn.wait()
    turn.check()
    with pytest.raises(RefsBusy), hold_refs(other, settings, 7, 0.1):
        pass
    with hold_refs(other, settings, 8, 0.1):  # another repository's
        pass
    waiting = threading.Thread(target=next_one.wait)
    waiting.start()
    time.sleep(0.1)
    with pytest.raises(RefsBusy):
        next_one.check()
    turn.end()
    waiting.join(60)
    next_one.check()
    next_one.end()
    other.close()


def test_a_push_that_went_away_while_it_waited_holds_nothing_up(database: Database, settings: ServerSettings) -> None:
    gone = Turn(database, settings, 7)
    with hold_refs(database, settings, 7, 1):
        waiting = threading.Thread(target=gone.wait)
        waiting.start()
        time.sleep(0.1)
        gone.end()
    waiting.join(60)
    with hold_refs(database, settings, 7, 0.5):
        pass


@pytest.mark.thorough
def test_a_lock_that_is_lost_with_the_database_is_known_to_be_lost(own_postgres: Postgres, tmp_path: Path) -> None:
    settings = ServerSettings(tmp_path, database=own_postgres.new_database())
    database = open_database(settings)
    turn = Turn(database, settings, 1)
    turn.wait()
    own_postgres.stop()
    own_postgres.start()
    with pytest.raises(LockLost):
        turn.check()
    turn.end()
    again = Turn(database, settings, 1)
    again.wait()
    again.check()
    again.end()
    database.close()


@pytest.mark.thorough
def test_news_reach_every_process_and_come_again_after_an_outage(own_postgres: Postgres, tmp_path: Path) -> None:
    settings = ServerSettings(tmp_path, database=own_postgres.new_database())
    database, other = open_database(settings), open_database(settings)
    heard: list[str] = []
    news = threading.Condition()

    def hear(upload: str) -> None:
        with news:
            heard.append(upload)
            news.notify_all()

    listener, teller = Notices(database, hear), Notices(other, hear)
    listener.start()
    with news:
        assert news.wait_for(lambda: heard == [""], 5)  # from now on nothing is missed
    teller.tell("one")
    with news:
        assert news.wait_for(lambda: heard == ["", "one"], 5)
    own_postgres.stop()
    own_postgres.start()
    with news:
        assert news.wait_for(lambda: heard == ["", "one", ""], 10)
    teller.tell("two")
    with news:
        assert news.wait_for(lambda: heard[-1] == "two", 5)
    listener.stop()
    database.close()
    other.close()


def test_over_the_embedded_database_there_is_nobody_to_tell(tmp_path: Path) -> None:
    database = open_database(ServerSettings(tmp_path))
    heard: list[str] = []
    notices = Notices(database, heard.append)
    notices.start()
    notices.tell("one")
    notices.stop()
    assert heard == []
    database.close()
