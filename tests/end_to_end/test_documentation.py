"""README and tutorial are run as they stand."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.end_to_end.world import World
from tests.support.fine_tuned import model

ROOT = Path(__file__).parents[2]


def test_quickstart_of_the_readme(tmp_path: Path, clean_environment: Path) -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    block = re.search(r"<!-- quickstart -->\s+(.*?)\s+<!-- /quickstart -->", text, re.DOTALL)
    assert block
    install, command = block[1].strip().split(" && ")
    assert install == "pip install '.[server]'"
    world = World(tmp_path, clean_environment)
    alone = {"OPENBLAS_NUM_THREADS": "1"}  # a network this small keeps more of them busy with waiting for each other
    shown = world.run(["env", *command.split()], extra=alone).stdout.decode()
    assert "byte for byte" in shown
    assert "git-lfs" in shown
    left = [path for path in tmp_path.iterdir() if "quickstart" in path.name]
    assert left == []


@pytest.mark.thorough
def test_tutorial(tmp_path: Path, clean_environment: Path) -> None:
    world = World(tmp_path, clean_environment)
    (tmp_path / "first.safetensors").write_bytes(model(0, count=1 << 19))
    (tmp_path / "second.safetensors").write_bytes(model(1, count=1 << 19))
    text = (ROOT / "docs" / "tutorial.md").read_text("utf-8")
    commands = [line[2:] for line in text.splitlines() if line.startswith("$ ")]
    port = _free_port()
    commands = [command.replace("8417", str(port)) for command in commands]
    assert commands[0].startswith("lepton-server serve")
    server = subprocess.Popen(commands[0].split(), cwd=tmp_path, env=world.environment, stdout=subprocess.DEVNULL)
    try:
        _wait_for(port)
        folder = tmp_path
        for command in commands[1:]:
            if command.startswith("cd "):
                folder = (folder / command[3:]).resolve()
            else:
                world.run(["sh", "-c", command], folder)
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0
    assert (tmp_path / "served" / "model.safetensors").read_bytes() == model(1, count=1 << 19)
    assert (tmp_path / "elsewhere" / "model.safetensors").read_bytes() == model(1, count=1 << 19)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 120  # on a machine where other tests run
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens on {port} of {os.uname().nodename}")
