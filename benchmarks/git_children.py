"""Watches a server's processes from outside: how large they get, and how long what git does for a client outlives it."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import psutil

from benchmarks.hostile_clients import Hostile

_LOOK_SECONDS = 0.2
_SERVER = ("lepton_server.cli", "lepton-server", "multiprocessing")


@dataclass
class Seen:
    """Bytes and seconds, and the command of the worst child."""

    server: int = 0
    child: int = 0
    outlived: float = 0.0
    worst: str = ""
    most_children: int = 0


@dataclass(frozen=True)
class _Known:
    """A git process; `who` made the server start it, None where nobody hostile did."""

    process: psutil.Process
    began: float
    command: str
    who: Hostile | None


@dataclass
class Watch:
    """Of the process `server` and of all below it, from `start` to `stop`."""

    server: int
    hostile: Sequence[Hostile]
    seen: Seen = field(default_factory=Seen)

    def __post_init__(self) -> None:
        self._children: dict[int, _Known] = {}
        self._leaders: dict[int, Hostile | None] = {}
        self._over = threading.Event()
        self._clock_off = _clock_off()
        self._thread = threading.Thread(target=self._look, name="watch")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def hostile_children(self) -> int:
        """How many processes of git are there for hostile clients now."""
        return sum(1 for known in list(self._children.values()) if known.who and known.process.is_running())

    def _look(self) -> None:
        server = psutil.Process(self.server)
        while not self._over.wait(_LOOK_SECONDS):
            below = server.children(recursive=True)
            for process in [server, *below]:
                self._weigh(process)
            self._children = {pid: known for pid, known in self._children.items() if _runs(known.process)}
            self.seen.most_children = max(self.seen.most_children, len(self._children))
            for known in self._children.values():
                self._time(known)

    def _weigh(self, process: psutil.Process) -> None:
        try:
            used, command = process.memory_info().rss, " ".join(process.cmdline())
            if not command:
                return
            if any(word in command for word in _SERVER) and "receive_hook" not in command:
                self.seen.server = max(self.seen.server, used)
                return
            self.seen.child = max(self.seen.child, used)
            if process.pid not in self._children:
                self._children[process.pid] = _Known(
                    process, process.create_time() + self._clock_off, command, self._behind(process, command)
                )
        except psutil.Error:
            return  # it has ended

    def _behind(self, process: psutil.Process, command: str) -> Hostile | None:
        """A process says so itself, or does what its parent was started for."""
        said = " ".join([command, *(f"{value}" for value in process.environ().values())])
        own = next((one for one in self.hostile if f"{one.mark}.git" in said or f"{one.mark}/" in said), None)
        parent = self._children.get(process.ppid())
        return own or (parent.who if parent else None)

    def _time(self, known: _Known) -> None:
        """How long its client has been gone: the one that was there when it began."""
        if known.who is None:
            return
        mine = [client for client in known.who.clients if client.began <= known.began]
        if mine and (ended := mine[-1].ended) is not None and (gone := time.time() - ended) > self.seen.outlived:
            self.seen.outlived, self.seen.worst = gone, known.command[-200:]


def _clock_off() -> float:
    """Seconds by which the kernel's times of starts are behind time.time(): it counts them from a boot whose second is rounded."""
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        return time.time() - psutil.Process(child.pid).create_time()


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
