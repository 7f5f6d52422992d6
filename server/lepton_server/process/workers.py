"""Several processes that do one thing, as children of this one: those that die are started again, and all end with it."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from git_lepton.errors import WrongUse
from lepton_server.process.failures import say_failure

_log = logging.getLogger(__name__)
_LOOK_SECONDS = 0.1
_SOUND_SECONDS = 30.0  # whoever lived for so long did not die of its start
_LONGEST_PAUSE = 30.0  # before one that dies at its start is started again
_END_SECONDS = 30.0
Work = Callable[[int, Callable[[], None]], None]
"""What the worker of this number does, from its start to its end; it calls the function that it is given once it is ready."""


@dataclass
class _Worker:
    pid: int  # 0: it is not running
    began: float
    pause: float = 0.0  # seconds from its last start to the next


class Workers:
    """`run` returns when all have ended, after SIGTERM or SIGINT. POSIX only."""

    def __init__(self, count: int, work: Work) -> None:
        if not hasattr(os, "fork"):
            raise WrongUse("this system runs one process of a server", "Leave --workers at 1, or start several servers.")
        self._work = work
        self._ending = False
        self._lifeline = os.pipe()  # ends in every worker when this process does, however that is
        self._readiness = os.pipe()
        self._workers: list[_Worker] = [_Worker(0, 0.0) for _ in range(count)]

    def run(self, ready: Callable[[], None]) -> None:
        """`ready` is called once all are. Raises WrongUse where one ends before."""
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, self._end)
        os.set_blocking(self._readiness[0], False)
        waiting = len(self._workers)
        try:
            for number in range(len(self._workers)):
                self._start(number)
            while not self._ending:
                time.sleep(_LOOK_SECONDS)
                if waiting:
                    waiting -= self._became_ready()
                    if not waiting:
                        ready()
                self._bury(expected=not waiting)
        finally:
            self._stop_all()

    def _end(self, _signal: int, _frame: Any) -> None:
        self._ending = True

    def _became_ready(self) -> int:
        try:
            return len(os.read(self._readiness[0], len(self._workers)))
        except BlockingIOError:
            return 0

    def _bury(self, *, expected: bool) -> None:
        """Notice who died, and start again whose pause is over."""
        now = time.monotonic()
        for number, worker in enumerate(self._workers):
            if worker.pid and os.waitpid(worker.pid, os.WNOHANG)[0]:
                if not expected and not self._ending:
                    worker.pid = 0
                    raise WrongUse("a process of the server ended before it served", "What went wrong is said above.")
                _log.warning("process %d of the server ended and is started again", worker.pid)
                soon = now - worker.began < _SOUND_SECONDS
                pause = min(max(1.0, 2 * worker.pause), _LONGEST_PAUSE) if soon else 0.0
                self._workers[number] = _Worker(0, worker.began, pause)
        for number, worker in enumerate(self._workers):
            if not worker.pid and not self._ending and now - worker.began >= worker.pause:
                self._start(number)

    def _start(self, number: int) -> None:
        worker = self._workers[number]
        pid = os.fork()
        if pid == 0:
            self._live(number)
        self._workers[number] = _Worker(pid, time.monotonic(), worker.pause)

    def _live(self, number: int) -> NoReturn:
        code = 1
        try:
            for name in (signal.SIGTERM, signal.SIGINT):
                signal.signal(name, signal.SIG_DFL)
            os.close(self._lifeline[1])
            threading.Thread(target=self._end_with_parent, name="lifeline", daemon=True).start()
            self._work(number, self._say_ready)
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        except BaseException as error:
            code = say_failure(error)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _say_ready(self) -> None:
        os.write(self._readiness[1], b"+")

    def _end_with_parent(self) -> None:
        os.read(self._lifeline[0], 1)
        os.kill(os.getpid(), signal.SIGTERM)

    def _stop_all(self) -> None:
        for worker in self._workers:
            if worker.pid:
                os.kill(worker.pid, signal.SIGTERM)
        until = time.monotonic() + _END_SECONDS
        for worker in self._workers:
            while worker.pid and not os.waitpid(worker.pid, os.WNOHANG)[0]:
                if time.monotonic() > until:
                    os.kill(worker.pid, signal.SIGKILL)
                time.sleep(_LOOK_SECONDS)
