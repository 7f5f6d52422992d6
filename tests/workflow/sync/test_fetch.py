"""Which weights some versions need, in real repositories."""

from __future__ import annotations

from pathlib import Path

import pytest

from git_lepton.errors import LeptonError
from git_lepton.format.pointer import BadPointer
from git_lepton.git.repository import GitRepository
from git_lepton.transfer.download import Downloaded
from git_lepton.workflow.sync.fetch import fetch_weights, lacking, pointers_of
from tests.support.git_sandbox import GitSandbox
from tests.support.weights_doubles import NamesOnly, pointer

ONE, TWO, THREE = pointer("1"), pointer("2"), pointer("3")


@pytest.fixture
def sandbox(tmp_path: Path) -> GitSandbox:
    sandbox = GitSandbox.create(tmp_path / "work", filter=None, track="*.bin")
    sandbox.commit("one", **{"one.bin": ONE.encode(), "deep/er/two.bin": TWO.encode(), "fixture.txt": THREE.encode()})
    return sandbox


@pytest.fixture
def git(sandbox: GitSandbox) -> GitRepository:
    return GitRepository(sandbox.folder)


def test_of_the_index_what_is_ours_and_of_revisions_every_pointer(sandbox: GitSandbox, git: GitRepository) -> None:
    assert set(pointers_of(git)) == {(ONE, "one.bin"), (TWO, "deep/er/two.bin")}
    sandbox.commit("two", **{"one.bin": THREE.encode()})
    assert {p for p, _ in pointers_of(git)} == {TWO, THREE}
    assert set(pointers_of(git, ["HEAD~1"])) == {(ONE, "one.bin"), (TWO, "deep/er/two.bin"), (THREE, "fixture.txt")}
    assert {p for p, _ in pointers_of(git, ["HEAD", "HEAD~1"])} == {ONE, TWO, THREE}


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        (["*.bin"], [], {"one.bin", "deep/er/two.bin"}),
        (["deep"], [], {"deep/er/two.bin"}),
        (["er/"], [], {"deep/er/two.bin"}),
        (["deep/*.bin"], [], set()),
        (["deep/**/*.bin", "o?e.bin"], [], {"one.bin", "deep/er/two.bin"}),
        ([], ["two.*"], {"one.bin"}),
        (["*"], ["deep"], {"one.bin"}),
        (["on"], [], set()),
    ],
)
def test_patterns_choose(git: GitRepository, include: list[str], exclude: list[str], expected: set[str]) -> None:
    assert {path for _, path in pointers_of(git, include=include, exclude=exclude)} == expected


def test_a_damaged_pointer_is_said_where_it_is_ours(sandbox: GitSandbox, git: GitRepository) -> None:
    sandbox.commit("text", **{"text.txt": b"version git-lepton/v1\noid sha256:x\n"})
    assert len(pointers_of(git, ["HEAD"])) == 3
    sandbox.commit("damaged", **{"bad.bin": b"version git-lepton/v1\noid sha256:x\n"})
    with pytest.raises(BadPointer):
        pointers_of(git)
    with pytest.raises(BadPointer):
        pointers_of(git, ["HEAD"])
    unreadable: dict[str, LeptonError] = {}
    assert {path for _, path in pointers_of(git, unreadable=unreadable)} == {"one.bin", "deep/er/two.bin"}
    assert unreadable.keys() == {"bad.bin"}


def test_only_what_is_not_here_is_brought() -> None:
    store = NamesOnly(ONE)
    brought: list[object] = []

    def bring(pointers: object) -> Downloaded:
        brought.append(pointers)
        return Downloaded(1, 5)

    assert lacking(store, [ONE, TWO]) == [TWO]
    assert fetch_weights(store, [ONE, TWO], bring) == Downloaded(1, 5)
    assert fetch_weights(store, [ONE], bring) is None
    assert brought == [[TWO]]
