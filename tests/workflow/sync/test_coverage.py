"""Pointers at paths that no .gitattributes covers: where it was forgotten, or says something else where it travels."""

from __future__ import annotations

from pathlib import Path

import pytest

from git_lepton.entry.uncovered import remedy, warn_of_push
from git_lepton.git.repository import GitRepository
from git_lepton.workflow.sync.coverage import (
    UncoveredPointers,
    ensure_covered,
    stray_pointers,
    uncovered_in_commit,
    uncovered_in_index,
)
from tests.support.git_sandbox import GitSandbox
from tests.support.weights_doubles import pointer

ONE = pointer("1").encode()
LINE = "*.bin filter=lepton -text\n"


@pytest.fixture
def sandbox(tmp_path: Path) -> GitSandbox:
    return GitSandbox.create(tmp_path / "work", filter=None, track=None)


@pytest.fixture
def git(sandbox: GitSandbox) -> GitRepository:
    return GitRepository(sandbox.folder)


def strays(git: GitRepository) -> set[str]:
    entries = git.index_entries()
    return set(stray_pointers(git, entries, git.lepton_paths(entry.path for entry in entries)))


@pytest.mark.parametrize(
    ("attributes", "uncovered"),
    [
        ({}, {"a.bin", "sub/new.bin"}),
        ({".gitattributes": LINE}, set()),
        ({".gitattributes": "\ufeff" + LINE}, {"a.bin", "sub/new.bin"}),
        ({"sub/.gitattributes": LINE}, {"a.bin"}),
        ({".gitattributes": LINE, "sub/.gitattributes": "*.bin -filter\n"}, set()),
        ({".gitattributes": "[attr]weights filter=lepton\n*.bin weights\n"}, set()),
        ({".git/info/attributes": LINE}, {"a.bin", "sub/new.bin"}),
    ],
)
def test_of_commits_and_of_the_index_what_travels_counts(
    sandbox: GitSandbox, git: GitRepository, attributes: dict[str, str], uncovered: set[str]
) -> None:
    for path, content in attributes.items():
        sandbox.write(path, content)
    sandbox.commit("pointers", **{"a.bin": ONE, "sub/new.bin": ONE, "text.bin": "ordinary"})
    paths = ["a.bin", "sub/new.bin", "text.bin", "gone.bin"]
    assert set(uncovered_in_commit(git, "HEAD", paths)) == uncovered
    assert set(uncovered_in_index(git, ["a.bin", "sub/new.bin"])) == uncovered


def test_in_a_work_tree_pointers_without_a_filter_are_strays_unless_that_is_said(sandbox: GitSandbox, git: GitRepository) -> None:
    sandbox.commit("pointers", **{"a.bin": ONE, "b.txt": ONE, "said.txt": ONE, "more.txt": ONE + b"text", "s p/ü.txt": ONE})
    sandbox.write(".gitattributes", f"{LINE}said.txt -filter\n")
    sandbox.write("b.txt", "somebody's work")
    assert strays(git) == {"s p/ü.txt"}
    with pytest.raises(UncoveredPointers, match=r"s p/ü\.txt is a pointer that no \.gitattributes covers") as raised:
        ensure_covered(git, lambda _: True)
    assert (raised.value.exit_code, "git lepton track 's p/ü.txt'" in raised.value.hint) == (4, True)
    ensure_covered(git, lambda path: not path.startswith("s p/"))


def test_a_push_warns_and_names_what_helps(sandbox: GitSandbox, git: GitRepository, capsys: pytest.CaptureFixture[str]) -> None:
    sandbox.write("a.bin", ONE)
    sandbox.git("add", "a.bin")
    sandbox.git("commit", "--quiet", "-m", "forgotten")
    wanted = [(pointer("1"), "a.bin")]
    warn_of_push(git, wanted, ["HEAD"])
    assert "a.bin is covered by no .gitattributes of this push" in capsys.readouterr().err
    assert remedy(git, ["a.bin"]) == "git lepton track a.bin && git add .gitattributes && git commit"
    sandbox.write(".gitattributes", LINE)
    assert remedy(git, ["a.bin"]) == "git add .gitattributes && git commit"
    sandbox.git("add", ".gitattributes")
    sandbox.git("commit", "--quiet", "-m", "there")
    warn_of_push(git, wanted, ["HEAD"])
    assert capsys.readouterr().err == ""
