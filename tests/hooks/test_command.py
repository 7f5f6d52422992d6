"""The hooks before a commit, on what is staged: in a work tree that holds something else."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from git_lepton.entry import cli
from tests.hooks.test_pickles import Calls
from tests.support.git_sandbox import GitSandbox


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GitSandbox:
    sandbox = GitSandbox.create(tmp_path / "repository")
    monkeypatch.chdir(sandbox.folder)
    return sandbox


def hook(name: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = cli.main(["hook", name])
    return code, capsys.readouterr().err


def test_weights_that_are_staged_raw_and_damaged_pointers_are_refused(
    sandbox: GitSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hook("pointers", capsys) == (0, "")
    sandbox.write("a.bin", b"weights" * 100)
    sandbox.git("add", "--all")
    assert hook("pointers", capsys) == (0, "")
    raw = sandbox.git("hash-object", "-w", "--no-filters", "a.bin").strip()
    sandbox.git("update-index", "--cacheinfo", f"100644,{raw},a.bin")
    code, said = hook("pointers", capsys)
    assert (code, "a.bin are staged as they are" in said) == (1, True)
    text = sandbox.git("hash-object", "-w", "--stdin", stdin=b"version git-lepton/v1\noid sha256:12\n").strip()
    sandbox.git("update-index", "--cacheinfo", f"100644,{text},a.bin")
    code, said = hook("pointers", capsys)
    assert (code, "a.bin begin like pointers and are none" in said) == (1, True)


def test_what_is_staged_is_looked_at_and_not_the_work_tree(sandbox: GitSandbox, capsys: pytest.CaptureFixture[str]) -> None:
    import os

    sandbox.commit("first", {"notes.txt": "text"})
    sandbox.write("tracked.bin", pickle.dumps(Calls(os.system, "true")))
    sandbox.write("ordinary.pkl", pickle.dumps([1, 2]))
    sandbox.git("add", "--all")
    sandbox.write("tracked.bin", b"harmless")
    code, said = hook("pickles", capsys)
    assert (code, "tracked.bin: loading it would call" in said) == (1, True)
    sandbox.git("add", "--all")
    code, said = hook("pickles", capsys)
    assert (code, "ordinary.pkl: loading it imports 0 names" in said) == (0, True)


def test_names_that_a_repository_vouches_for_pass(sandbox: GitSandbox, capsys: pytest.CaptureFixture[str]) -> None:
    sandbox.write("net.pkl", b"\x80\x02cmypackage\nNet\n)\x81.")
    sandbox.git("add", "--all")
    code, said = hook("pickles", capsys)
    assert (code, '[pickles] allow = ["package.*"]' in said) == (1, True)
    sandbox.write("lepton.toml", '[pickles]\nallow = ["mypackage.*"]\n')
    sandbox.git("add", "--all")
    assert hook("pickles", capsys)[0] == 0
    assert hook("nothing", capsys)[0] == 2
