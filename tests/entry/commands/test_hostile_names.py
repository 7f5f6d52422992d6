"""Names that somebody else chose: no control character of theirs reaches a terminal, by whatever command."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from git_lepton.entry.cli import main
from tests.entry.commands.conftest import Lepton
from tests.support.git_sandbox import FILTER, GitSandbox

NAME = "a\x1b]0;owned\x07\x1b[2J\rb\nc\u202ed\x9be.bin"
BYTES = b"raw\xff\x9b.bin"
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\udc80-\udcff]")


@pytest.fixture
def hostile(tmp_path: Path) -> GitSandbox:
    """A clone whose files are pointers without weights, with such names in it."""
    sandbox = GitSandbox.create(tmp_path / "work")
    (tmp_path / "work" / NAME).write_bytes(b"weights" * 1000)
    Path(f"{sandbox.folder}/{BYTES.decode('utf-8', 'surrogateescape')}").write_bytes(b"others" * 1000)
    sandbox.commit("one")
    clone = GitSandbox(tmp_path / "clone")
    settings = [f"-c{key}" for key in (f"filter.lepton.process={FILTER}", "filter.lepton.required=true")]
    sandbox.git("clone", "-q", *settings, str(sandbox.folder), str(clone.folder), GIT_LEPTON_SKIP_SMUDGE="1")
    for store in (sandbox.lepton, clone.lepton):
        for pack in store.glob("packs/*"):
            pack.unlink()
    return clone


@pytest.mark.parametrize(
    "command",
    ["status", "ls-files", "fsck", "pull", "checkout", "push --dry-run", "push", "du", "doctor", "share HEAD:", "lock *"],
)
def test_every_command_shows_them_by_number(hostile: GitSandbox, lepton: Lepton, command: str) -> None:
    done = lepton(*command.split(), at=hostile)
    assert done.out + done.err
    assert not CONTROL.search(done.out + done.err), done
    assert not any(line.startswith("c") for line in done.err.splitlines())


def test_a_checkout_does_too(hostile: GitSandbox) -> None:
    for path in hostile.folder.glob("*.bin"):
        path.unlink()
    done = hostile.run("-c", "core.quotePath=true", "checkout", "--", ".")
    said = [
        line for line in done.stderr.decode("utf-8", "surrogateescape").splitlines() if "git-lepton" in line or "hint" in line
    ]
    assert said
    assert not any(CONTROL.search(line) for line in said)


def test_json_keeps_the_names_and_shows_nothing_raw(hostile: GitSandbox, lepton: Lepton) -> None:
    for command in ("ls-files", "status", "fsck"):
        done = lepton(command, "--json", at=hostile)
        assert r"c\u202ed" in done.out, command
        assert not CONTROL.search(done.out), command
    names = {file["path"] for file in lepton("ls-files", "--json", at=hostile).json}
    assert {NAME, BYTES.decode("utf-8", "surrogateescape")} <= names


MINE = "a;touch owned;'$(touch owned) b.bin"


def test_the_command_of_a_failed_smudge_runs_nothing_of_a_name(tmp_path: Path) -> None:
    sandbox = GitSandbox.create(tmp_path / "work")
    sandbox.commit(files={MINE: b"weights" * 1000})
    sandbox.git("init", "-q", "--bare", str(tmp_path / "host.git"))  # which has no weights to give
    sandbox.git("remote", "add", "origin", str(tmp_path / "host.git"))
    shutil.rmtree(sandbox.lepton)
    (sandbox.folder / MINE).unlink()
    said = sandbox.run("checkout", "--", ".").stderr.decode()
    (command,) = [line for line in said.splitlines() if "GIT_LEPTON_SKIP_SMUDGE=1 " in line]
    command = command[command.index("GIT_LEPTON_SKIP_SMUDGE") :]
    subprocess.run(["sh", "-c", command], cwd=sandbox.folder, check=True)
    assert not (sandbox.folder / "owned").exists()
    assert (sandbox.folder / MINE).read_bytes().startswith(b"version ")


def test_nor_does_the_one_of_a_conflict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    sandbox = GitSandbox.create(tmp_path / "work")
    monkeypatch.chdir(sandbox.folder)
    for name in ("base", "ours", "theirs"):
        (tmp_path / name).write_bytes(name.encode())
    assert main(["merge-driver", *(str(tmp_path / name) for name in ("base", "ours", "theirs")), MINE]) == 1
    assert f"git add -- {shlex.quote(MINE)}" in capfd.readouterr().err
