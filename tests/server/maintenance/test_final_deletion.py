"""Who makes a repository of a name gets nothing of the one that had it, wherever making that one gone is killed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from lepton_server.backends import open_database
from lepton_server.content.chunks import link
from lepton_server.database.tables import chunk_links
from lepton_server.database.tables import repositories as rows
from lepton_server.database.transactions import Database
from lepton_server.git.bare_repositories import create_bare
from lepton_server.git.folder_marks import MARK
from lepton_server.identity.accounts import caller_by_id, ensure_account
from lepton_server.identity.tenants import prepare_tenant
from lepton_server.maintenance import final_deletion
from lepton_server.repositories import deletion, registry
from lepton_server.repositories.registry import Repository
from lepton_server.settings import ServerSettings


class Killed(BaseException):
    pass


@pytest.fixture
def settings(tmp_path: Path) -> ServerSettings:
    (tmp_path / "data").mkdir()
    return ServerSettings(data=tmp_path / "data")


@pytest.fixture
def database(settings: ServerSettings) -> Iterator[Database]:
    database = open_database(settings)
    with database.write() as connection:
        prepare_tenant(connection)
    yield database
    database.close()


def made(database: Database, settings: ServerSettings) -> Repository:
    with database.write() as connection:
        caller = caller_by_id(connection, ensure_account(connection, "ada"))
        found = registry.create(connection, caller, "ada", "m")
    folder = registry.git_directory(settings, found)
    assert not folder.exists()
    create_bare(folder)
    (folder / "whose").write_text(str(found.id))
    return found


def deleted(database: Database, settings: ServerSettings) -> Repository:
    """With a folder, and a chunk."""
    found = made(database, settings)
    with database.write() as connection:
        link(connection, found, [bytes(32)])
        deletion.delete_repository(connection, caller_by_id(connection, found.owner_account), found)
        connection.execute(update(rows).where(rows.c.id == found.id).values(deleted=1))
        return registry.by_id(connection, found.id)


def dying(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """In a run that dies there: before and after each transaction, and in the midst of what goes from disk."""
    write, remove, left = Database.write, shutil.rmtree, [step]

    def moment() -> None:
        if left[0] == 0:
            raise Killed
        left[0] -= 1

    @contextmanager
    def dying_write(self: Database) -> Iterator[Any]:
        moment()
        with write(self) as connection:
            yield connection
        moment()

    def dying_remove(folder: Path) -> None:
        (folder / "HEAD").unlink(missing_ok=True)
        moment()
        remove(folder)
        moment()

    monkeypatch.setattr(Database, "write", dying_write)
    monkeypatch.setattr(final_deletion.shutil, "rmtree", dying_remove)


def bury(database: Database, settings: ServerSettings) -> tuple[int, int]:
    return final_deletion.bury(database, settings, 0)


def test_who_makes_a_name_anew_gets_nothing_of_what_was_being_made_gone(
    database: Database, settings: ServerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, died = 0, True
    while died:
        old = deleted(database, settings)
        with monkeypatch.context() as patch:
            dying(patch, step)
            try:
                bury(database, settings)
                died = False
            except Killed:
                pass
        new = made(database, settings)
        bury(database, settings)
        folder = registry.git_directory(settings, new)
        assert (folder / "whose").read_text() == str(new.id), step
        with database.write() as connection:
            held = dict(
                connection.execute(select(chunk_links.c.repository, func.count()).group_by(chunk_links.c.repository)).all()
            )
            assert held == {}, step
            assert registry.by_id(connection, old.id).kind == "gone"
            deletion.delete_repository(connection, caller_by_id(connection, new.owner_account), new)
            connection.execute(update(rows).where(rows.c.id == new.id).values(deleted=1))
        bury(database, settings)
        step += 1
    assert step > 8


def test_a_folder_that_is_marked_as_anothers_stays(database: Database, settings: ServerSettings) -> None:
    old = deleted(database, settings)
    folder = registry.git_directory(settings, old)
    (folder / MARK).write_text("77 1\n")
    assert bury(database, settings) == (1, 0)
    assert folder.exists()


def test_what_is_removed_is_so_for_good_before_its_place_is_free(
    database: Database, settings: ServerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = deleted(database, settings)
    folder = registry.git_directory(settings, old)
    seen: list[tuple[bool, str]] = []

    def watched(path: Path) -> None:
        with database.read() as connection:
            seen.append((folder.exists(), registry.by_id(connection, old.id).git_folder))
        assert path == folder.parent

    monkeypatch.setattr(final_deletion, "sync_folder", watched)
    bury(database, settings)
    assert seen == [(False, old.git_folder)]
