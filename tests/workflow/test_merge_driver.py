"""git merges two sides of one weight file by our driver: pointers are never mixed as text."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_lepton.git.configuration import configure
from git_lepton.git.repository import GitRepository
from git_lepton.workflow.merge_driver import merge_weights
from tests.support.git_sandbox import GitSandbox


def pointer(digit: str) -> str:
    return f"version git-lepton/v1\noid sha256:{digit * 64}\nsize 5\n"


@given(st.lists(st.sampled_from([b"a", b"b", b"c", b""]), min_size=3, max_size=3))
def test_the_changed_side_wins(tmp_path_factory: pytest.TempPathFactory, contents: list[bytes]) -> None:
    folder = tmp_path_factory.mktemp("merge")
    files = [folder / name for name in ("base", "ours", "theirs")]
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(content)
    base, ours, theirs = contents
    clean = merge_weights(*files)
    assert clean == (base in (ours, theirs) or ours == theirs)
    assert files[1].read_bytes() == (theirs if base == ours else ours)


@pytest.fixture
def sandbox(tmp_path: Path) -> GitSandbox:
    """Two branches that changed one pointer each in its own way. The filter is off, so that no weights are needed."""
    sandbox = GitSandbox.create(tmp_path / "work", filter=None)
    configure(GitRepository(sandbox.folder))
    sandbox.git("config", "filter.lepton.process", "")
    sandbox.git("config", "filter.lepton.required", "false")
    sandbox.commit("base", **{"model.bin": pointer("1")})
    sandbox.git("switch", "-qc", "theirs")
    sandbox.commit("theirs", **{"model.bin": pointer("3"), "other.bin": pointer("4")})
    sandbox.git("switch", "-q", "main")
    sandbox.commit("ours", **{"model.bin": pointer("2")})
    return sandbox


def test_two_changes_are_a_conflict_that_leaves_a_whole_pointer(sandbox: GitSandbox) -> None:
    done = sandbox.run("merge", "theirs")
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 1
    assert "CONFLICT (content): Merge conflict in model.bin" in said
    assert "git checkout --ours|--theirs -- model.bin" in said
    assert sandbox.read("model.bin") == pointer("2").encode()
    assert sandbox.git("show", ":3:model.bin") == pointer("3")
    sandbox.git("checkout", "--theirs", "--", "model.bin")
    assert sandbox.read("model.bin") == pointer("3").encode()


def test_the_same_change_on_both_sides_is_none(sandbox: GitSandbox) -> None:
    sandbox.commit("same", **{"model.bin": pointer("3")})
    sandbox.git("merge", "-q", "theirs", "-m", "merged")
    assert sandbox.blob("model.bin") == pointer("3").encode()
    assert sandbox.blob("other.bin") == pointer("4").encode()
