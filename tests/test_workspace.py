"""One repository opened: its parts, and weights that go to and come from another folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from git_lepton.errors import WeightsMissing, WrongUse
from git_lepton.format.identifiers import ObjectId
from git_lepton.format.pointer import Pointer, parse_pointer
from git_lepton.git.repository import GitRepository, NotARepository
from git_lepton.settings import Settings
from git_lepton.settings.location import NoStore
from git_lepton.settings.sources import in_order
from git_lepton.transfer.download import ObjectsAbsent
from git_lepton.workspace import Workspace, open_workspace
from tests.support.git_sandbox import GitSandbox


class Meter:
    def __init__(self) -> None:
        self.total = self.done = 0

    def start(self, total: int) -> None:
        self.total = total

    def advance(self, count: int) -> None:
        self.done += count

    def note(self, text: str) -> None: ...

    def finish(self) -> None: ...


@pytest.fixture
def sandbox(tmp_path: Path) -> GitSandbox:
    """A repository with two files of weights, and a bare remote in a folder."""
    sandbox = GitSandbox.create(tmp_path / "repo")
    sandbox.commit("a change", {"one.bin": os.urandom(3 << 20), "two.bin": b"weights" * 100_000})
    sandbox.git("init", "--quiet", "--bare", str(tmp_path / "shared.git"))
    sandbox.git("remote", "add", "origin", str(tmp_path / "shared.git"))
    return sandbox


def pointers(sandbox: GitSandbox) -> list[Pointer]:
    return [parse_pointer(sandbox.blob(name)) for name in ("one.bin", "two.bin")]


def test_outside_of_a_repository_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(NotARepository) as caught:
        open_workspace(tmp_path)
    assert caught.value.exit_code == 2


def test_worktrees_share_one_local_store(sandbox: GitSandbox, tmp_path: Path) -> None:
    sandbox.git("worktree", "add", "--quiet", str(tmp_path / "second"))
    with open_workspace(sandbox.folder) as first, open_workspace(tmp_path / "second") as second:
        assert first.store.root == second.store.root == sandbox.folder / ".git" / "lepton"


def test_weights_go_to_a_folder_and_come_back(sandbox: GitSandbox, tmp_path: Path) -> None:
    wanted, meter = pointers(sandbox), Meter()
    with open_workspace(sandbox.folder) as workspace:
        assert workspace.stored(wanted) == set()
        sent = workspace.push(wanted, meter)
        assert (sent.objects, sent.bytes_known) == (2, 0)
        assert sent.bytes_sent > 3 << 20
        assert meter.done == meter.total > 0
        assert workspace.stored(wanted) == {pointer.oid for pointer in wanted}
        again = workspace.push(wanted)
        assert (again.objects, again.bytes_sent, again.bytes_known) == (0, 0, sum(p.size for p in wanted))
    other = GitSandbox.create(tmp_path / "other")
    other.git("remote", "add", "origin", str(tmp_path / "shared.git"))
    with open_workspace(other.folder) as workspace:
        assert workspace.fetch(wanted).objects == 2
        manifest = workspace.store.manifest(wanted[1].oid)
        assert manifest is not None
        assert b"".join(bytes(workspace.store.read(entry.chunk)) for entry in manifest.entries) == b"weights" * 100_000
        assert not list(workspace.store.verify())


def test_what_a_folder_lacks_is_named_and_the_rest_is_brought(sandbox: GitSandbox, tmp_path: Path) -> None:
    one, two = pointers(sandbox)
    with open_workspace(sandbox.folder) as workspace:
        workspace.push([one])
    other = GitSandbox.create(tmp_path / "other")
    other.git("remote", "add", "origin", str(tmp_path / "shared.git"))
    with open_workspace(other.folder) as workspace:
        with pytest.raises(WeightsMissing, match=two.oid.hex):
            workspace.fetch([one, two])
        assert workspace.store.manifest(one.oid) is not None


@pytest.fixture
def two_remotes(sandbox: GitSandbox, tmp_path: Path) -> GitSandbox:
    """A repository without weights, whose remotes `origin` and `ada` have one object each; a branch of ada's is known here."""
    one, two = pointers(sandbox)
    for name, pointer in (("origin", one), ("ada", two)):
        sandbox.git("init", "--quiet", "--bare", str(tmp_path / f"{name}.git"))
        sandbox.git("remote", "set-url", "origin", str(tmp_path / f"{name}.git"))
        with open_workspace(sandbox.folder) as workspace:
            workspace.push([pointer])
    other = GitSandbox.create(tmp_path / "other")
    other.commit("ours", {"readme": "ours"})
    sandbox.git("push", "--quiet", "--no-verify", str(tmp_path / "ada.git"), "main:pr")
    for name in ("ada", "origin"):
        other.git("remote", "add", name, str(tmp_path / f"{name}.git"))
    other.git("fetch", "--quiet", "ada")
    return other


def test_every_remote_is_asked_for_what_those_before_it_lack(sandbox: GitSandbox, two_remotes: GitSandbox) -> None:
    wanted = pointers(sandbox)
    told: list[object] = []
    with open_workspace(two_remotes.folder) as workspace:
        assert workspace.somewhere(wanted) == {pointer.oid for pointer in wanted}
        got = workspace.fetch(wanted, announce=told.append)
        assert got.objects == 2
        assert got.bytes_received > 3 << 20
        assert told == []  # no one store had them all
        assert all(workspace.store.manifest(pointer.oid) for pointer in wanted)


def test_one_remote_that_is_named_is_asked_alone(sandbox: GitSandbox, two_remotes: GitSandbox) -> None:
    one, two = pointers(sandbox)
    with open_workspace(two_remotes.folder) as workspace:
        with pytest.raises(WeightsMissing, match=one.oid.hex):
            workspace.fetch([one, two], remote="ada")
        assert workspace.store.manifest(two.oid) is not None


@pytest.mark.thorough
def test_what_no_remote_has_is_said_of_all_of_them(sandbox: GitSandbox, two_remotes: GitSandbox, tmp_path: Path) -> None:
    one, two = pointers(sandbox)
    absent = Pointer(ObjectId(bytes(32)), 5)
    two_remotes.git("remote", "add", "gone", "lepton::http://127.0.0.1:9/a/b")
    two_remotes.git("remote", "add", "unbelieved", "https://example.org/a/b")
    with open_workspace(two_remotes.folder) as workspace, pytest.raises(ObjectsAbsent) as caught:
        workspace.fetch([one, absent, two])
    assert caught.value.objects == [absent.oid]
    assert f"{tmp_path}/origin.git and {tmp_path}/ada.git lack weights: {absent.oid}" in caught.value.message
    assert "a/b on 127.0.0.1:9 could not be asked" in caught.value.hint
    assert caught.value.hint.endswith("git lepton push")


def test_those_that_reach_the_commit_are_asked_first(two_remotes: GitSandbox, tmp_path: Path) -> None:
    theirs = two_remotes.git("rev-parse", "ada/pr").strip()
    settings = Settings(GitRepository(two_remotes.folder))
    first = settings.store_location()

    def names(commit: str) -> list[str]:
        return [place.folder.stem for place in in_order(settings, first, commit) if place.folder]

    assert names(theirs) == ["ada", "origin"]
    assert names("HEAD") == names("0" * 40) == names("--all") == ["origin", "ada"]
    two_remotes.git("remote", "add", "same", str(tmp_path / "ada.git"))
    two_remotes.git("config", "lepton.url", str(tmp_path / "ada.git"))
    settings = Settings(GitRepository(two_remotes.folder))
    assert len(in_order(settings, settings.store_location(), "HEAD")) == 1


def test_a_push_of_what_is_not_here_is_refused(sandbox: GitSandbox, tmp_path: Path) -> None:
    other = GitSandbox.create(tmp_path / "other")
    other.git("remote", "add", "origin", str(tmp_path / "shared.git"))
    with open_workspace(other.folder) as workspace, pytest.raises(WeightsMissing):
        workspace.push(pointers(sandbox))


def test_a_folder_is_no_server(sandbox: GitSandbox) -> None:
    with open_workspace(sandbox.folder) as workspace, pytest.raises(WrongUse, match="needs a server"):
        workspace.remote()


def test_no_remote_is_said_before_anything_moves(tmp_path: Path) -> None:
    sandbox = GitSandbox.create(tmp_path / "alone")
    with open_workspace(sandbox.folder) as workspace, pytest.raises(NoStore):
        workspace.destination()


def test_a_destination_is_bound_to_its_remote(sandbox: GitSandbox, tmp_path: Path) -> None:
    sandbox.git("init", "--quiet", "--bare", str(tmp_path / "second.git"))
    sandbox.git("remote", "add", "second", str(tmp_path / "second.git"))
    wanted = pointers(sandbox)
    with Workspace(GitRepository(sandbox.folder), {}) as workspace:
        place = workspace.destination("second")
        assert place.push(wanted, Meter()).objects == 2
        assert place.stored(wanted) == {pointer.oid for pointer in wanted}
        assert workspace.stored(wanted, "origin") == set()
