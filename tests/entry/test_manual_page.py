"""The manual page that the wheel installs, read by man as git has it read."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from git_lepton.entry.cli import COMMANDS

PAGE = Path(__file__).parents[2] / "git_lepton" / "entry" / "git-lepton.1"


@pytest.fixture
def man() -> str:
    found = shutil.which("man")
    if found is None:
        pytest.skip("there is no man on this machine")
    return found


def test_every_command_is_in_it() -> None:
    page = PAGE.read_text("utf-8").replace("\\-", "-")
    for command in COMMANDS:
        assert not command.group or f"\n.SS git lepton {command.name}\n" in page
    assert ".SS git lepton repo default-branch\n" in page


def test_it_is_sound(man: str) -> None:
    done = subprocess.run([man, "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", str(PAGE)], capture_output=True, check=True)
    assert done.stderr == b""


@pytest.mark.parametrize("words", [["lepton", "--help"], ["help", "lepton"]])
@pytest.mark.usefixtures("man")
def test_git_opens_it(words: list[str], tmp_path: Path) -> None:
    place = tmp_path / "share" / "man"
    (place / "man1").mkdir(parents=True)
    shutil.copy(PAGE, place / "man1")
    settings = {"MANPATH": str(place), "MANPAGER": "cat", "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(
        ["git", *words], env={**os.environ, **settings}, capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert "version control of model weights in plain git" in done.stdout
