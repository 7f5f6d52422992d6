"""Commands run in this process, in a repository with two files of weights and a bare remote in a folder beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from git_lepton.entry import cli
from tests.support.git_sandbox import FILTER, GitSandbox


class Outcome(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Lepton = Callable[..., Outcome]


@pytest.fixture
def lepton(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Lepton:
    """lepton("status", "--json", at=sandbox): the command's exit code and what it said."""

    def run(*arguments: str, at: GitSandbox | Path) -> Outcome:
        monkeypatch.chdir(at.folder if isinstance(at, GitSandbox) else at)
        capsys.readouterr()
        code = cli.main(list(arguments))
        out, err = capsys.readouterr()
        return Outcome(code, out, err)

    return run


@pytest.fixture
def sandbox(tmp_path: Path) -> GitSandbox:
    sandbox = GitSandbox.create(tmp_path / "repo")
    sandbox.commit("first", {"one.bin": os.urandom(1 << 20), "models/two.bin": b"weights" * 100_000, "notes.txt": "text"})
    sandbox.git("init", "--quiet", "--bare", "--initial-branch=main", str(tmp_path / "shared.git"))
    sandbox.git("remote", "add", "origin", str(tmp_path / "shared.git"))
    return sandbox


@pytest.fixture
def pushed(sandbox: GitSandbox, lepton: Lepton) -> GitSandbox:
    """The repository after its weights and its branch were pushed."""
    assert lepton("push", at=sandbox).code == 0
    sandbox.git("push", "--quiet", "origin", "main")
    return sandbox


@pytest.fixture
def pointers(pushed: GitSandbox, tmp_path: Path) -> GitSandbox:
    """A clone whose tracked files are still pointers."""
    clone = GitSandbox(tmp_path / "clone")
    settings = [f"-c{key}" for key in (f"filter.lepton.process={FILTER}", "filter.lepton.required=true")]
    pushed.git("clone", "--quiet", *settings, str(tmp_path / "shared.git"), str(clone.folder), GIT_LEPTON_SKIP_SMUDGE="1")
    return clone
