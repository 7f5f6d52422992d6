"""git lepton hooks install: a real commit and a real push go through the hooks, and uninstall leaves nothing of them."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from tests.support.git_sandbox import GitEnded, GitSandbox
from tests.workflow.evaluation.judged_repository import JudgedRepository, answering


class Calls:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("true",)


def test_a_commit_and_a_push_are_held_back(judged: JudgedRepository, tmp_path: Path) -> None:
    GitSandbox.create(tmp_path / "elsewhere", filter=None, track=None)
    judged.git("clone", "--quiet", "--bare", str(tmp_path / "elsewhere"), str(tmp_path / "bare.git"))
    judged.git("remote", "add", "origin", str(tmp_path / "bare.git"))
    told = judged.lepton("hooks", "install")
    assert (told.code, "judged by their gates" in told.err) == (0, True)
    assert judged.lepton("hooks", "install").code == 0
    judged.model(answering(380))
    judged.commit("first")
    judged.write("bad.pkl", "")
    (judged.sandbox.folder / "bad.pkl").write_bytes(pickle.dumps(Calls()))
    judged.git("add", "--all")
    with pytest.raises(GitEnded, match="system"):
        judged.commit("bad")
    judged.git("rm", "--quiet", "--cached", "bad.pkl")
    (judged.sandbox.folder / "bad.pkl").unlink()
    judged.git("push", "--quiet", "origin", "main")
    assert judged.runs == 1
    judged.model(answering(100))
    judged.commit("worse")
    with pytest.raises(GitEnded, match="the push was held back"):
        judged.git("push", "--quiet", "origin", "main")
    assert "the pre-commit hook is gone" in judged.lepton("hooks", "uninstall").err
    judged.git("push", "--quiet", "origin", "main")
    assert judged.runs == 2


def test_a_hook_of_somebody_elses_is_left_alone(judged: JudgedRepository) -> None:
    hook = judged.sandbox.folder / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 0\n")
    told = judged.lepton("hooks", "install")
    assert (told.code, "git lepton hook pointers || exit" in told.err) == (2, True)
    assert hook.read_text() == "#!/bin/sh\nexit 0\n"
    assert "no hooks for models" in judged.lepton("hooks", "uninstall").err
