"""What git has not finished is said, and not taken for all being well."""

from __future__ import annotations

from pathlib import Path

from tests.entry.commands.conftest import Lepton
from tests.support.git_sandbox import GitSandbox


def test_a_merge_in_conflict(tmp_path: Path, lepton: Lepton) -> None:
    sandbox = GitSandbox.create(tmp_path / "work")
    sandbox.commit(files={"a.bin": b"one" * 1000, "b.bin": b"same" * 1000})
    sandbox.git("checkout", "-qb", "side")
    sandbox.commit(files={"a.bin": b"two" * 1000})
    sandbox.git("checkout", "-q", "main")
    sandbox.commit(files={"a.bin": b"six" * 1000})
    assert sandbox.run("merge", "side").returncode == 1
    done = lepton("status", at=sandbox)
    assert "2 tracked files" in done.out
    assert "in conflict; `git checkout --ours|--theirs -- PATH`, then `git add PATH`:\n    a.bin\n" in done.out
    states = {file["path"]: file["state"] for file in lepton("status", "--json", "a.bin", at=sandbox).json["files"]}
    assert states == {"a.bin": "conflict"}


def test_a_clone_that_was_broken_off(tmp_path: Path, lepton: Lepton) -> None:
    sandbox = GitSandbox.create(tmp_path / "work")
    sandbox.commit(files={"a.bin": b"one" * 1000})
    clone = sandbox.clone(tmp_path / "clone", "--no-checkout")
    for command in ("status", "pull"):
        done = lepton(command, at=clone)
        assert done.code == 2
        assert "its checkout has not come to an end" in done.err
        assert "git reset --hard" in done.err
    clone.git("reset", "-q", "--hard")
    assert lepton("status", at=clone).code in (0, 4)
    empty = GitSandbox.create(tmp_path / "empty", track=None)
    assert lepton("status", at=empty).code == 0


def test_pull_names_a_command_that_there_is(tmp_path: Path, lepton: Lepton) -> None:
    sandbox = GitSandbox.create(tmp_path / "work")
    sandbox.commit(files={"a.bin": b"one" * 1000})
    assert "nothing to do: all weights are in place" in lepton("pull", at=sandbox).err
    sandbox.path("a.bin").unlink()
    assert "`git lepton checkout --force`" in lepton("pull", at=sandbox).err
