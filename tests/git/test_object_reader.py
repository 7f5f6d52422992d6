from __future__ import annotations

from pathlib import Path

import pytest

from git_lepton.git.object_reader import ObjectReader
from git_lepton.git.repository import GitFailed, GitRepository
from tests.support.git_sandbox import GitSandbox


@pytest.fixture
def sandbox(tmp_path: Path) -> GitSandbox:
    sandbox = GitSandbox.create(tmp_path / "repository", filter=None, track=None)
    sandbox.commit("one", {"a": "text\n", "dir/ü b": b"\0\n\xff", "empty": "", "long": b"x" * 5000})
    return sandbox


def test_names_of_every_kind_are_read(sandbox: GitSandbox) -> None:
    blob = sandbox.git("rev-parse", "HEAD:a").strip()
    names = ["HEAD:a", ":dir/ü b", blob, "HEAD:dir", "HEAD:empty", "HEAD:nowhere", "NO_HEAD:a", "two\nlines", "HEAD:a"]
    with ObjectReader(GitRepository(sandbox.folder)) as reader:
        found = reader.read(names, 1024)
    assert {name: (one.kind, one.data) for name, one in found.items()} == {
        "HEAD:a": ("blob", b"text\n"),
        ":dir/ü b": ("blob", b"\0\n\xff"),
        blob: ("blob", b"text\n"),
        "HEAD:dir": ("tree", b""),
        "HEAD:empty": ("blob", b""),
    }
    assert found["HEAD:a"].name == blob


def test_what_is_too_long_is_not_read(sandbox: GitSandbox) -> None:
    with ObjectReader(GitRepository(sandbox.folder)) as reader:
        assert reader.read(["HEAD:long"], 4999)["HEAD:long"].data == b""
        assert reader.read(["HEAD:long"], 5000)["HEAD:long"].data == b"x" * 5000


def test_what_is_made_later_is_seen(sandbox: GitSandbox) -> None:
    with ObjectReader(GitRepository(sandbox.folder)) as reader:
        assert reader.read(["HEAD:b"], 10) == {}
        sandbox.commit("two", {"b": "new"})
        assert reader.read(["HEAD:b"], 10)["HEAD:b"].data == b"new"


def test_nothing_is_started_for_nothing(tmp_path: Path) -> None:
    with ObjectReader(GitRepository(tmp_path / "nowhere")) as reader:
        assert reader.read([], 10) == {}
        assert reader.read(["a\nb"], 10) == {}


def test_a_git_that_ends_is_an_error(tmp_path: Path) -> None:
    with ObjectReader(GitRepository(tmp_path)) as reader, pytest.raises(GitFailed, match="not a git repository"):
        reader.read(["HEAD:a"], 10)
