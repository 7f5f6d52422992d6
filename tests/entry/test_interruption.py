"""Ctrl-C, in real processes whose threads are busy."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

_BUSY = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
from git_lepton.entry.boundary import guarded
from git_lepton.entry.interruption import end_soon_when_interrupted

def run():
    end_soon_when_interrupted(quietly=sys.argv[1] == "quietly")
    with ThreadPoolExecutor(1) as pool:
        pool.submit(time.sleep, 240)
        sys.stderr.write("at work\\n")
        sys.stderr.flush()
        pool.submit(time.sleep, 240).result()

sys.exit(guarded(run))
"""


def heed_interrupts() -> None:
    """What a shell starts in the background ignores them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupted(process: subprocess.Popen[bytes]) -> str:
    """What a process still says when it gets a SIGINT. It is far from its own end, and ends in time."""
    assert process.stderr
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    said = process.stderr.read().decode()
    assert process.wait(60) == 130
    assert time.monotonic() - began < 120  # else it waited for its threads; the machine may be slow
    process.stderr.close()
    return said


@pytest.mark.parametrize("how", ["quietly", "aloud"])
def test_busy_threads_keep_nobody_waiting(how: str) -> None:
    process = subprocess.Popen([sys.executable, "-c", _BUSY, how], stderr=subprocess.PIPE, preexec_fn=heed_interrupts)
    assert process.stderr
    assert process.stderr.readline() == b"at work\n"
    assert interrupted(process) == ""


def test_a_download_that_waits_for_its_server_ends(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/team/models"
        command = [sys.executable, "-m", "git_lepton", "download", address, "--to", str(tmp_path / "here")]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, env=dict(os.environ), preexec_fn=heed_interrupts)
        silent.settimeout(60)
        connection, _ = silent.accept()
        connection.recv(1)
        assert interrupted(process) in ("", "git-lepton: interrupted\n")
        connection.close()
