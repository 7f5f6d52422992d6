"""Letting a real git look again at files that it did not write."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from git_lepton.git.repository import GitRepository
from git_lepton.workflow.checkout import index_refresh
from git_lepton.workflow.checkout.index_refresh import NotRefreshed, refresh_index
from tests.support.git_sandbox import GitSandbox

A, B = b"1" * 1000, b"2" * 1000


@pytest.fixture
def sandbox(tmp_path: Path) -> GitSandbox:
    return GitSandbox.create(tmp_path / "repository")


def left_as_pointers(sandbox: GitSandbox) -> None:
    """Two files whose pointers stand in the work tree, and whose pointers' size and times are in git's index."""
    sandbox.commit(files={"a.bin": A, "b.bin": B})
    sandbox.path("a.bin").unlink()
    sandbox.path("b.bin").unlink()
    sandbox.git("checkout", "--quiet", "--", ".", GIT_LEPTON_SKIP_SMUDGE="1")
    assert sandbox.read("a.bin").startswith(b"version git-lepton/")


def test_refresh_stages_nothing(sandbox: GitSandbox) -> None:
    left_as_pointers(sandbox)
    sandbox.write("a.bin", "an edit after that")
    sandbox.write("b.bin", B)
    refresh_index(GitRepository(sandbox.folder), ["a.bin", "b.bin"])
    assert sandbox.status() == " M a.bin\n"


def test_refresh_waits_for_somebody_who_holds_the_index(sandbox: GitSandbox) -> None:
    left_as_pointers(sandbox)
    sandbox.write("a.bin", A)
    lock = sandbox.folder / ".git/index.lock"
    lock.touch()
    timer = threading.Timer(0.15, lock.unlink)
    timer.start()
    refresh_index(GitRepository(sandbox.folder), ["a.bin"])
    timer.join()
    assert sandbox.status() == ""


def test_refresh_that_never_gets_the_index_names_the_command(sandbox: GitSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_refresh, "_LOCK_WAITS", (0.0,))
    left_as_pointers(sandbox)
    sandbox.write("a.bin", A)
    lock = sandbox.folder / ".git/index.lock"
    lock.touch()
    with pytest.raises(NotRefreshed, match=r"index\.lock") as trouble:
        refresh_index(GitRepository(sandbox.folder), ["a.bin"])
    lock.unlink()
    assert trouble.value.hint.endswith("git add -- a.bin")
    sandbox.git("add", "--", "a.bin")
    assert sandbox.status() == ""


def test_refresh_of_a_path_that_is_not_tracked_does_nothing(sandbox: GitSandbox) -> None:
    sandbox.commit(files={"a.bin": b"1"})
    sandbox.write("a.bin", b"2")
    refresh_index(GitRepository(sandbox.folder), ["other"])
    refresh_index(GitRepository(sandbox.folder), [])
    assert sandbox.status() == " M a.bin\n"
