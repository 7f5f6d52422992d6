"""The unit file: systemd takes it, its command is one that this version takes, and its data are where it may write."""

from __future__ import annotations

import configparser
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lepton_server.cli import parser

UNIT = Path(__file__).parents[3] / "server" / "systemd" / "lepton-server.service"


@pytest.fixture
def service() -> configparser.SectionProxy:
    unit = configparser.ConfigParser(strict=True, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(UNIT.read_text("utf-8"))
    assert set(unit.sections()) == {"Unit", "Service", "Install"}
    return unit["Service"]


def test_its_command_is_one_of_this_version(service: configparser.SectionProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    name, _, value = service["Environment"].partition("=")
    monkeypatch.setenv(name, value)
    program, *words = shlex.split(service["ExecStart"])
    assert Path(program).name == "lepton-server"
    options = parser().parse_args(words)
    assert str(options.data) == service["ReadWritePaths"] == value
    assert service["User"] != "root" and service["NoNewPrivileges"] == "yes"


def test_systemd_takes_it(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not on this machine")
    text = UNIT.read_text("utf-8").replace("/opt/lepton/bin/lepton-server", sys.executable)  # a program that is there
    (tmp_path / UNIT.name).write_text(text)
    done = subprocess.run([program, "verify", "--man=no", str(tmp_path / UNIT.name)], capture_output=True, text=True, check=False)
    complaints = [line for line in (done.stdout + done.stderr).splitlines() if UNIT.name in line]
    assert (done.returncode, complaints) == (0, [])
