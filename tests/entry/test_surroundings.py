"""What the environment, the user or git did is never our bug: every command, in every kind of trouble."""

from __future__ import annotations

import errno
import io
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from git_lepton.entry import cli
from git_lepton.entry.surroundings import as_error_of_ours
from git_lepton.git.errors import LEAST_GIT
from tests.support.git_sandbox import GitSandbox

COMMANDS = {
    "install": ["--local"],
    "uninstall": ["--local"],
    "track": ["*.pt"],
    "untrack": ["*.pt"],
    "import": ["no-such-folder"],
    "status": [],
    "ls-files": ["--json"],
    "env": [],
    "doctor": [],
    "push": ["--dry-run"],
    "fetch": [],
    "pull": [],
    "checkout": ["--force", "a.bin"],
    "fsck": [],
    "prune": [],
    "du": [],
    "eval": [],
    "gate": ["--no-run"],
    "compare": ["HEAD"],
    "best": ["m", "--metric", "x"],
    "hooks": ["install"],
    "report": ["HEAD"],
    "verify": ["HEAD"],
    "share": ["HEAD:a.bin"],
    "lock": ["a.bin"],
    "unlock": ["a.bin"],
    "locks": [],
    "repo": ["list"],
    "access": [],
    "grant": ["ada", "writer"],
    "revoke": ["ada"],
    "rule": ["list"],
    "org": ["list"],
    "token": ["list"],
    "evidence": ["list", "ada/m", "0" * 40],
    "completion": ["bash"],
    "login": ["http://127.0.0.1:1", "--token-stdin"],
    "trust": ["--list"],
    "download": ["http://127.0.0.1:1/a/b", "--to", "file/folder"],
}
FAILS_ANYHOW = {"quickstart"}  # asks nothing of the folder where it is started


def test_the_table_names_every_command() -> None:
    assert set(COMMANDS) | FAILS_ANYHOW >= {command.name for command in cli.COMMANDS if command.group}


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GitSandbox:
    sandbox = GitSandbox.create(tmp_path / "work")
    sandbox.commit(files={"a.bin": b"weights" * 1000})
    sandbox.write("file", "a file")
    monkeypatch.chdir(sandbox.folder)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))
    return sandbox


def in_a_removed_folder(sandbox: GitSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = sandbox.folder.parent / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()


def inside_the_git_directory(sandbox: GitSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(sandbox.folder / ".git")


def of_somebody_else(sandbox: GitSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")


def without_a_home(sandbox: GitSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")


def with_broken_settings(sandbox: GitSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox.write(".git/config", "[core\nbare")


def with_a_broken_index(sandbox: GitSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox.write(".git/index", b"no index at all, but some bytes of rubbish")


def without_objects(sandbox: GitSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in sandbox.path(".git/objects").iterdir():
        if len(folder.name) == 2:
            shutil.rmtree(folder)


def with_a_file_for_the_store(sandbox: GitSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(sandbox.lepton)
    sandbox.lepton.write_bytes(b"")


def with_a_git_directory_that_is_none(sandbox: GitSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "no-such-folder")


def with_a_work_tree_that_is_none(sandbox: GitSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_WORK_TREE", "no-such-folder")


TROUBLES = (
    in_a_removed_folder,
    inside_the_git_directory,
    of_somebody_else,
    without_a_home,
    with_broken_settings,
    with_a_broken_index,
    without_objects,
    with_a_file_for_the_store,
    with_a_git_directory_that_is_none,
    with_a_work_tree_that_is_none,
)


@pytest.mark.parametrize("trouble", TROUBLES)
def test_no_command_calls_it_a_bug(
    sandbox: GitSandbox,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    trouble: Callable[[GitSandbox, pytest.MonkeyPatch], None],
) -> None:
    trouble(sandbox, monkeypatch)
    wrong = {}
    for command, arguments in COMMANDS.items():
        code = cli.main([command, *arguments])
        out, err = capfd.readouterr()
        if code == 70 or "Traceback" in out + err or "our bug" in err or (code and not out + err):
            wrong[command] = code, err
    assert wrong == {}


def test_git_s_own_way_out_is_repeated(
    sandbox: GitSandbox, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    of_somebody_else(sandbox, monkeypatch)
    assert cli.main(["status"]) == 6
    assert f"git config --global --add safe.directory {sandbox.folder}" in capfd.readouterr().err


def test_without_a_home_the_hint_names_it(
    sandbox: GitSandbox, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    without_a_home(sandbox, monkeypatch)
    assert cli.main(["install"]) == 2
    assert "hint: Set HOME" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, 2),
        (errno.EDQUOT, 2),
        (errno.EACCES, 6),
        (errno.EROFS, 6),
        (errno.ENOENT, 2),
        (errno.ENOTDIR, 2),
        (errno.EMFILE, 2),
        (errno.ENAMETOOLONG, 2),
        (errno.EIO, 7),
        (errno.ECONNRESET, 5),
        (errno.ETIMEDOUT, 5),
        (errno.EINVAL, 2),
    ],
)
def test_each_kind_has_its_exit_code(number: int, code: int) -> None:
    told = as_error_of_ours(OSError(number, os.strerror(number), "/some/where"))
    assert told
    assert told.exit_code == code
    assert told.hint


def test_names_that_cannot_be_found_are_the_network_s() -> None:
    told = as_error_of_ours(socket.gaierror(socket.EAI_NONAME, "Name or service not known"))
    assert told
    assert told.exit_code == 5


@pytest.mark.parametrize(
    "bug", [OSError(errno.EBADF, "Bad file descriptor"), OSError(errno.EINVAL, "Invalid argument"), KeyError(1)]
)
def test_bugs_stay_bugs(bug: Exception) -> None:
    assert as_error_of_ours(bug) is None


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no device that is always full")
@pytest.mark.parametrize("arguments", [["help"], ["env", "--json"], ["ls-files", "-h"]])
def test_a_full_output_is_said_once(sandbox: GitSandbox, arguments: list[str]) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123 - as a shell opens it
        done = started(arguments, sandbox.folder, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert done.stderr == b"git-lepton: No space left on device\nhint: Make room, then repeat.\n"


def test_a_closed_output_leads_nowhere(sandbox: GitSandbox) -> None:
    done = started(["status"], sandbox.folder, "exec 1>&-", stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")
    assert started(["help"], sandbox.folder, "exec 1>&- 2>&-").returncode == 0
    assert started(["bogus"], sandbox.folder, "exec 0<&- 1>&- 2>&-").returncode == 2


def test_a_reader_who_leaves_is_left_quietly(sandbox: GitSandbox) -> None:
    read, write = os.pipe()
    os.close(read)
    done = started(["help"], sandbox.folder, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


def started(
    arguments: list[str], folder: Path, first: str = ":", stdout: object = None, stderr: object = None
) -> subprocess.CompletedProcess[bytes]:
    command = ["sh", "-c", f'{first}; exec "$0" -m git_lepton "$@"', sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, stdout=stdout, stderr=stderr, check=False)  # type: ignore[call-overload,no-any-return]


def test_a_git_that_is_too_old_is_named(
    sandbox: GitSandbox, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "bin").mkdir()
    old = tmp_path / "bin/git"
    old.write_text('#!/bin/sh\n[ "$1" = version ] && { echo git version 2.20.1; exit; }\necho usage: git >&2; exit 129\n')
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{old.parent}:/usr/bin:/bin")
    assert cli.main(["status"]) == 2
    assert f"Install git {'.'.join(map(str, LEAST_GIT))} or later; this is 2.20" in capfd.readouterr().err
