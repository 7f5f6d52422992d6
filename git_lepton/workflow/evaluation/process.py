"""The process of an evaluation: within its time, and gone with all that it started, however it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from git_lepton.errors import CheckFailed
from git_lepton.workflow.evaluation.interruption import tidy_when_told_to_end

RESULT_VARIABLE = "GIT_LEPTON_RESULT"
_BLOCK = 1 << 16
_KEPT_BYTES = 256 * 1024  # of the output: its end, in which programs say why they failed
_TICK_SECONDS = 0.2
_POLITE_SECONDS = 5.0  # between the request to end and the end


class EvaluationFailed(CheckFailed):
    """An evaluation ended without a result: it failed, or its time was over."""


class Ended(NamedTuple):
    """How a process ended: the end of its output, and how long it took in seconds."""

    output: bytes
    seconds: float


def run(
    words: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    timeout: float,
    tick: Callable[[float], None] = lambda _: None,
) -> Ended:
    """Run a command in `folder` until it ends; `tick` hears several times a second how many seconds have passed.

    Nothing that it started is left when this returns or raises, whoever holds its output open: on Linux whatever has our mark in its
    environment, elsewhere its process group. Raises EvaluationFailed.
    """
    began = time.monotonic()
    try:
        child = subprocess.Popen(
            words,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise EvaluationFailed(f"{words[0]} cannot be started: {error.strerror}") from error
    assert child.stdout is not None
    output = _Tail(child.stdout)
    try:
        with tidy_when_told_to_end():
            _wait(child, began, timeout, tick)
    finally:
        _end_all(child, environment.get(RESULT_VARIABLE, ""))
        output.close()
    seconds = time.monotonic() - began
    if child.returncode:
        raise EvaluationFailed(_how_it_failed(child.returncode), _last_words(output.data))
    return Ended(output.data, seconds)


def _wait(child: subprocess.Popen[bytes], began: float, timeout: float, tick: Callable[[float], None]) -> None:
    """Until the child has ended. Raises EvaluationFailed when its time is over."""
    while child.poll() is None:
        passed = time.monotonic() - began
        if passed > timeout:
            hint = 'timeout = "30m" in its table of lepton.toml gives it more.'
            raise EvaluationFailed(f"the evaluation was ended after {timeout:g} s", hint)
        tick(passed)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(min(_TICK_SECONDS, max(timeout - passed, 0.01)))


class _Tail:
    """Reads a pipe to its end in a thread, and keeps the last of it."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self.data = b""
        self._pipe = pipe
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # closed under us: somebody who escaped holds the other end
            while block := os.read(self._pipe.fileno(), _BLOCK):
                self.data = (self.data + block)[-_KEPT_BYTES:]

    def close(self) -> None:
        self._thread.join(_POLITE_SECONDS)
        if not self._thread.is_alive():
            self._pipe.close()


def _end_all(child: subprocess.Popen[bytes], mark: str) -> None:
    """End what is left of a command: politely, then not."""
    if os.name == "nt":
        child.kill()
        child.wait()
        return
    until = time.monotonic() + _POLITE_SECONDS
    how = signal.SIGTERM
    while True:
        left = _send(child, mark, how)
        child.poll()
        if not left and child.returncode is not None:
            return
        if time.monotonic() > until:
            if how is signal.SIGKILL:
                return  # not ours to end: it changed its user
            how, until = signal.SIGKILL, time.monotonic() + _POLITE_SECONDS
        time.sleep(0.02)


def _send(child: subprocess.Popen[bytes], mark: str, how: signal.Signals) -> bool:
    """Signal all that is left; whether there was anybody."""
    found = False
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, how)
        found = child.returncode is None or sys.platform != "linux"
    for process in _marked(mark):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process, how)
            found = True
    return found


def _marked(mark: str) -> list[int]:
    """The processes of this user that have the mark, which only one run has, in their environment."""
    if sys.platform != "linux" or not mark:
        return []
    wanted = f"{RESULT_VARIABLE}={mark}".encode("utf-8", "surrogateescape")
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit() and int(place.name) != os.getpid():
            with contextlib.suppress(OSError):
                if wanted in (place / "environ").read_bytes().split(b"\0") and not _is_zombie(place):
                    found.append(int(place.name))
    return found


def _is_zombie(place: Path) -> bool:
    return (place / "stat").read_bytes().rpartition(b")")[2].split()[:1] == [b"Z"]


def _how_it_failed(code: int) -> str:
    if code > 0:
        return f"the evaluation failed with exit code {code}"
    with contextlib.suppress(ValueError):
        return f"the evaluation was ended by {signal.Signals(-code).name}"
    return f"the evaluation was ended by signal {-code}"


def _last_words(output: bytes) -> str:
    lines = [line for line in output.decode("utf-8", "replace").splitlines() if line.strip()]
    return "Its last words: " + " | ".join(lines[-5:]) if lines else "It said nothing."
