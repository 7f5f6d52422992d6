"""Whose a folder of git history is, is known by its mark and not by its name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import pytest
from sqlalchemy import delete, update

from lepton_server.backends import open_database
from lepton_server.database.tables import repositories as rows
from lepton_server.database.transactions import Database
from lepton_server.errors import Refusal
from lepton_server.git import folder_marks, forks
from lepton_server.git.bare_repositories import create_bare
from lepton_server.git.default_branch import set_default_branch
from lepton_server.git.folder_marks import MARK
from lepton_server.git.program import Git
from lepton_server.git.ref_mirror import replace_refs
from lepton_server.git.refs import refs_of
from lepton_server.identity.accounts import caller_by_id, ensure_account
from lepton_server.identity.tenants import prepare_tenant
from lepton_server.maintenance.gc import adopt_refs
from lepton_server.maintenance.reached_weights import doubts, unknown_histories
from lepton_server.repositories import registry
from lepton_server.repositories.registry import Repository
from lepton_server.settings import ServerSettings
from tests.support.git_sandbox import GitSandbox


class Place:
    """A database and the folder of git repositories."""

    def __init__(self, database: Database, settings: ServerSettings, work: GitSandbox) -> None:
        self.database, self.settings, self.work = database, settings, work

    def make(self, owner: str = "ada") -> Repository:
        with self.database.write() as connection:
            caller = caller_by_id(connection, ensure_account(connection, owner))
            return registry.create(connection, caller, owner, "m")

    def pushed(self, repository: Repository) -> Path:
        """Its folder, with a ref."""
        folder = registry.git_directory(self.settings, repository).absolute()
        create_bare(folder)
        self.work.git("push", "--quiet", str(folder), "main")
        return folder

    def mirror(self, repository: Repository) -> None:
        folder = registry.git_directory(self.settings, repository)
        with self.database.write() as connection:
            replace_refs(connection, repository, refs_of(Git(folder)))

    def check(self, repository: Repository) -> None:
        with self.database.read() as connection:
            folder_marks.check(connection, self.settings, repository)

    def forget(self, repository: Repository) -> None:
        """As a database does that is older than the repository."""
        with self.database.write() as connection:
            connection.execute(delete(rows).where(rows.c.id == repository.id))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    (tmp_path / "data").mkdir()
    settings = ServerSettings(data=tmp_path / "data")
    work = GitSandbox.create(tmp_path / "work", filter=None)
    work.commit("first", **{"a.txt": "hello\n"})
    database = open_database(settings)
    with database.write() as connection:
        prepare_tenant(connection)
    yield Place(database, settings, work)
    database.close()


def test_what_is_new_is_marked_and_stays_its_own(place: Place) -> None:
    mine = place.make()
    place.check(mine)  # there is no folder yet
    create_bare(folder := registry.git_directory(place.settings, mine))
    place.check(mine)
    place.pushed(mine)
    place.check(mine)
    assert (folder / MARK).read_text().split()[0] == str(mine.id)
    assert [one.name for one in folder.iterdir() if "lepton" in one.name] == [MARK]


def test_a_folder_of_before_there_were_marks_is_marked_where_the_database_knows_its_refs(place: Place) -> None:
    mine = place.make()
    folder = place.pushed(mine)
    place.mirror(mine)
    place.check(mine)
    assert (folder / MARK).exists()


@pytest.mark.parametrize("marked", [True, False])
def test_a_folder_that_no_row_names_is_given_to_no_new_repository(place: Place, marked: bool) -> None:
    old = place.make()
    folder = place.pushed(old)
    if marked:
        (folder / MARK).write_text(f"{old.id} 1\n")  # the new one gets the same number again
    place.forget(old)
    new = place.make()
    with place.database.read() as connection:
        caller = caller_by_id(connection, new.owner_account)
    for use in (
        lambda: place.check(new),
        lambda: set_default_branch(place.database, place.settings, caller, new, "main"),
        lambda: forks.fork(place.database, place.settings, caller, new, "ada", "copy"),
    ):
        with pytest.raises(Refusal, match=r"folder ada/m\.git on the server holds the git history of another") as caught:
            use()
        assert caught.value.code == "conflict"
    assert any(
        "history of another" in why or "not those of its last push" in why for why in doubts(place.database, place.settings, new)
    )
    assert refs_of(Git(folder)) == {"refs/heads/main": place.work.head()}


def test_who_runs_the_server_says_that_it_is_the_right_one_unless_it_is_marked_as_anothers(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lepton_server.git.history._TRIES", 1)
    mine = place.make()
    folder = place.pushed(mine)
    (folder / MARK).write_text("77 1\n")
    with pytest.raises(Refusal, match="another"):
        adopt_refs(place.database, place.settings, mine)
    assert any("another" in why for why in doubts(place.database, place.settings, mine))
    (folder / MARK).unlink()
    adopt_refs(place.database, place.settings, mine)
    place.check(mine)
    assert doubts(place.database, place.settings, mine) == []


def test_the_same_number_made_at_another_moment_is_another(place: Place) -> None:
    mine = place.make()
    place.pushed(mine)
    place.mirror(mine)
    place.check(mine)
    with place.database.write() as connection:
        connection.execute(update(rows).where(rows.c.id == mine.id).values(created=rows.c.created + 1))
    with pytest.raises(Refusal, match="another"):
        place.check(mine)


@pytest.mark.parametrize("mark", ["of before there were marks", "of a repository", "of a copy"])
def test_a_history_that_an_older_database_does_not_know_is_named_and_stays(place: Place, mark: str) -> None:
    """But for what a fork was being made of when its process died: that goes, and is no doubt meanwhile."""
    folder = registry.git_directory(place.settings, place.make()).parent.parent / registry.UNNAMED / f"{'0' * 32}.git"
    copytree(place.pushed(place.make("bob")), folder)
    if mark == "of a copy":
        folder_marks.begin_copy(folder)
    elif mark == "of a repository":
        (folder / MARK).write_text("77 1\n")
    named = [f"{registry.UNNAMED}/{folder.name}"]
    assert unknown_histories(place.database, place.settings) == ([] if mark == "of a copy" else named)
    forks.clear_abandoned(place.database, place.settings)
    assert folder.exists()  # it is young
    os.utime(folder, (1, 1))
    forks.clear_abandoned(place.database, place.settings)
    assert folder.exists() == (mark != "of a copy")
    assert refs_of(Git(folder)) if folder.exists() else mark == "of a copy"


def test_a_fork_that_died_before_its_mark_is_marked_at_its_next_use(place: Place) -> None:
    mine = place.make()
    folder = place.pushed(mine)
    place.mirror(mine)
    folder_marks.begin_copy(folder)
    place.check(mine)
    assert (folder / MARK).read_text().split()[0] == str(mine.id)
