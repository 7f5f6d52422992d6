"""git, sh and the commands that we leave in git's configuration."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from git_lepton.git import configuration
from git_lepton.git.repository import GitRepository
from tests.support.git_sandbox import GitSandbox

SH = shutil.which("sh") or "sh"


@pytest.fixture
def sandbox(tmp_path: Path) -> GitSandbox:
    return GitSandbox.create(tmp_path / "work", filter=None, track=None)


def shell(line: str, folder: Path, path: str = "/usr/bin:/bin") -> subprocess.CompletedProcess[str]:
    return subprocess.run([SH, "-c", line], cwd=folder, env={"PATH": path}, capture_output=True, text=True, check=False)


def program(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_the_installing_interpreter_is_found_without_path(tmp_path: Path) -> None:
    done = shell(configuration.command_line("--version"), tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("git-lepton ")


def test_a_quiet_path_with_spaces_and_quotes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = program(tmp_path / 'it\'s "odd" $HOME', "python", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    monkeypatch.setattr(sys, "executable", str(odd))
    assert shell(configuration.command_line("--version"), tmp_path).stdout.startswith("git-lepton ")


def test_what_lies_in_the_work_tree_is_not_imported(tmp_path: Path) -> None:
    for name in ("git_lepton", "subprocess", "os"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported from the work tree')")
    done = shell(configuration.command_line("--version"), tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_without_the_interpreter_path_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "gone" / "python"))
    program(tmp_path / "bin", "git-lepton", '#!/bin/sh\necho "found $1"; exit 3\n')
    done = shell(configuration.command_line("pre-push"), tmp_path, f"{tmp_path / 'bin'}:/usr/bin:/bin")
    assert (done.returncode, done.stdout) == (3, "found pre-push\n")


@pytest.mark.parametrize("broken", [False, True], ids=["absent", "its interpreter was deleted"])
def test_without_both_one_sentence_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: bool) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "gone" / "python"))
    if broken:
        program(tmp_path / "bin", "git-lepton", "#!/nowhere/python\n")
    done = shell(configuration.command_line("filter-process"), tmp_path, f"{tmp_path / 'bin'}:/usr/bin:/bin")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("install it (pipx install git-lepton), then run: git lepton install")


def test_git_stops_with_that_sentence_when_the_program_is_gone(
    sandbox: GitSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "gone" / "python"))
    configuration.configure(GitRepository(sandbox.folder))
    sandbox.write(".gitattributes", "*.bin filter=lepton\n")
    sandbox.write("model.bin", b"weights")
    done = subprocess.run(
        ["git", "add", "model.bin"],
        cwd=sandbox.folder,
        env=os.environ | {"PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=False,
    )
    assert done.returncode != 0
    assert b"pipx install git-lepton" in done.stderr
    assert sandbox.git("ls-files") == ""


@pytest.mark.parametrize("before", [None, "", "[user]\n\tname = Ada\n# the end\n", "[lepton]\n\turl = https://host/a/b ; mine\n"])
@pytest.mark.parametrize("scope", ["local", "global"])
def test_what_is_written_can_be_taken_back(sandbox: GitSandbox, clean_environment: Path, scope: str, before: str | None) -> None:
    file = sandbox.folder / ".git/config" if scope == "local" else clean_environment / ".gitconfig"
    if before is not None:
        with file.open("a") as config:
            config.write(before)
    content = file.read_bytes() if file.exists() else b""
    git = GitRepository(sandbox.folder)
    assert not configuration.is_configured(git)
    configuration.configure(git, scope)
    assert configuration.is_configured(git)
    assert configuration.is_configured_in(git, scope)
    assert git.config("filter.lepton.required") == "true"
    assert git.config("protocol.lepton.allow") == ("always" if scope == "global" else None)
    written = file.read_bytes()
    configuration.configure(git, scope)
    assert file.read_bytes() == written
    assert configuration.take_back(git, scope)
    assert file.read_bytes() == content
    assert not configuration.take_back(git, scope)


def test_a_protocol_rule_of_the_user_s_own_stays(sandbox: GitSandbox) -> None:
    git = GitRepository(sandbox.folder)
    git.set_config("protocol.lepton.allow", "user", "global")
    configuration.configure(git, "global")
    configuration.take_back(git, "global")
    assert git.config("protocol.lepton.allow") == "user"
