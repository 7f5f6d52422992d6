"""Completion in the shells themselves: what a tab after these words offers."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from git_lepton.entry import cli
from git_lepton.entry.completion import SHELLS, offered, script

GITS_OWN = Path("/usr/share/bash-completion/completions/git")
ASKED = {
    "rep": {"repo", "report"},
    "acc": {"access"},
    "repo cre": {"create"},
    "repo create --vis": {"--visibility"},
    "repo create --visibility ": {"private", "internal", "public"},
    "completion ": set(SHELLS),
    "token ": {"create", "list", "revoke", "rotate"},
    "fetch --rec": {word for word in offered()["fetch"] if word.startswith("--rec")},
}


def have(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"there is no {program} on this machine")
    return found


@pytest.mark.parametrize("shell", SHELLS)
def test_every_command_is_offered(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["completion", shell]) == 0
    told = capsys.readouterr().out
    assert told == script(shell)
    for command in cli.COMMANDS:
        assert not command.group or f"'{command.name}'" in told


def in_bash(program: str, line: str, tmp_path: Path, begin: str) -> set[str]:
    """What bash offers, asked the way that its line editor asks a completion function."""
    (tmp_path / "script").write_text(script("bash"))
    last = line.rpartition(" ")[2]
    text = f"""
{begin}
source {tmp_path / "script"}
COMP_LINE={line!r} COMP_POINT={len(line)} COMP_WORDS=({line.rpartition(" ")[0]} '{last}')
COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
how=$(complete -p {line.split()[0]}); how=${{how##*-F }}
${{how%% *}}
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(
        [program, "--norc", "--noprofile", "-c", text], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert not done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize("words", ASKED)
def test_bash(words: str, tmp_path: Path) -> None:
    assert in_bash(have("bash"), f"git-lepton {words}", tmp_path, "") == ASKED[words]


@pytest.mark.parametrize("words", ASKED)
def test_bash_with_gits_own_completion(words: str, tmp_path: Path) -> None:
    if not GITS_OWN.is_file():
        pytest.skip("git's own completion for bash is not on this machine")
    assert in_bash(have("bash"), f"git lepton {words}", tmp_path, f"source {GITS_OWN}") == ASKED[words]


@pytest.mark.parametrize("program", ["git lepton", "git-lepton"])
@pytest.mark.parametrize("words", ASKED)
def test_fish(program: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "script").write_text(script("fish"))
    text = f"source {tmp_path / 'script'}; complete -C '{program} {words}'"
    home = {**os.environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    done = subprocess.run(
        [have("fish"), "--no-config", "-c", text], capture_output=True, text=True, check=True, cwd=tmp_path, env=home
    )
    assert {line.split("\t")[0] for line in done.stdout.splitlines()} == ASKED[words]


@pytest.mark.parametrize("program", ["git lepton", "git-lepton"])
def test_zsh(program: str, tmp_path: Path) -> None:
    """It completes at a terminal only, so it gets one: a word that is offered alone is written out."""
    (tmp_path / "script").write_text(script("zsh"))
    program_of_zsh = have("zsh")
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        os.execve(program_of_zsh, ["zsh", "-f"], {**os.environ, "HOME": str(tmp_path), "PS1": "", "TERM": "dumb"})
    try:
        os.write(terminal, b"autoload -Uz compinit; compinit -u; source ./script; PROMPT=; echo rea''dy\n")
        said_until(terminal, "ready\r\n")
        for begun, whole in (("acc", "access"), ("repo cre", "repo create"), ("repo create --vis", "repo create --visibility")):
            os.write(terminal, f"{program} {begun}\t".encode())
            said_until(terminal, f"{whole} ")
            os.write(terminal, b"\x15")  # the line goes
    finally:
        os.write(terminal, b"\x15exit\n")
        os.waitpid(pid, 0)
        os.close(terminal)


def said_until(terminal: int, text: str) -> None:
    said, end = "", time.monotonic() + 60
    while text not in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x07|.\x08", "", said):
        assert time.monotonic() < end and select.select([terminal], [], [], 30)[0], said
        said += os.read(terminal, 4096).decode(errors="replace")
