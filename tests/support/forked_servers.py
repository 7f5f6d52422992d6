"""Server programs that are forked off a process which has loaded them: a start takes a tenth of what loading does.

Each is a process of its own, with its own environment, files and end, as if a shell had started it.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

MOST_BYTES = 128 * 1024  # of a message

POSSIBLE = hasattr(os, "pidfd_open") and hasattr(socket, "SOCK_SEQPACKET")
WANTED = False
"""Whether `RunningServer` starts its servers so. Tests, which start hundreds, say yes; benchmarks do not."""


class ForkedServer:
    """As much of a `subprocess.Popen` as tests of servers use; `stdout` is a pipe."""

    def __init__(self, pid: int, stdout: IO[bytes]) -> None:
        self.pid, self.stdout = pid, stdout
        self.returncode: int | None = None
        self._ended = threading.Event()

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if not self._ended.wait(timeout):
            raise subprocess.TimeoutExpired("lepton-server", timeout or 0)
        assert self.returncode is not None
        return self.returncode

    def terminate(self) -> None:
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if not self._ended.is_set():
            os.kill(self.pid, number)

    def has_ended(self, code: int) -> None:
        self.returncode = code
        self._ended.set()


class _Forking:
    """The process that has loaded the program, and what it tells."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-m", "tests.support.forking_program", str(theirs.fileno())]
        with theirs:
            self._program = subprocess.Popen(command, pass_fds=[theirs.fileno()], cwd=Path(__file__).parents[2])
        self._numbers = itertools.count()
        self._started: dict[int, int] = {}
        self._servers: dict[int, ForkedServer] = {}
        self._news = threading.Condition()
        threading.Thread(target=self._listen, daemon=True).start()

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], log: IO[bytes]) -> ForkedServer:
        ours, theirs = os.pipe()
        order: dict[str, Any] = {"number": next(self._numbers), "arguments": list(arguments)}
        order |= {"environment": dict(environment), "folder": str(Path.cwd())}
        message = json.dumps(order).encode()
        assert len(message) <= MOST_BYTES
        with self._news:
            socket.send_fds(self._control, [message], [theirs, log.fileno()])
            os.close(theirs)
            assert self._news.wait_for(lambda: order["number"] in self._started, 60), (
                "the process that forks servers does not answer"
            )
            server = ForkedServer(self._started.pop(order["number"]), os.fdopen(ours, "rb"))
            self._servers[order["number"]] = server
            self._news.notify_all()
        return server

    def _listen(self) -> None:
        while message := self._control.recv(MOST_BYTES):
            self._hear(**json.loads(message))

    def _hear(self, number: int, pid: int = 0, code: int = 0) -> None:
        with self._news:
            if pid:
                self._started[number] = pid
                self._news.notify_all()
            else:
                self._news.wait_for(lambda: number in self._servers)
                self._servers.pop(number).has_ended(code)


_forking: _Forking | None = None


def start(arguments: Sequence[str], environment: Mapping[str, str], log: IO[bytes]) -> ForkedServer:
    """`lepton-server` with these arguments in this environment; what it says on stderr goes to `log`."""
    global _forking
    _forking = _forking or _Forking()
    return _forking.start(arguments, environment, log)
