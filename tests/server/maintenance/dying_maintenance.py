"""`python dying_maintenance.py DATA`: for each line `STEP WHAT TARGET` that comes in, a run of WHAT (repack, gc, purge) is killed at that
step.

A step is a moment before or after a change of disk or database; to be killed is what a power failure does. For each line another
goes out: the signal that ended the run, or 0 where it had no such step and came to its end.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lepton_server.admin import maintenance
from lepton_server.database.transactions import Database
from lepton_server.maintenance import gc, purge, purge_target, repack
from lepton_server.settings import ServerSettings
from lepton_server.storage.disk import DiskIncoming, DiskStore

__all__ = ["gc", "purge", "purge_target", "repack"]  # loaded before the first fork


class Fate:
    """Counts the moments at which the process may die, two to a change."""

    def __init__(self, step: int) -> None:
        self._left = step

    def moment(self) -> None:
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self._left -= 1


def care(data: str, step: int, what: str, target: str) -> None:
    fate = Fate(step)
    write, finish, delete = Database.write, DiskIncoming.finish, DiskStore.delete

    @contextmanager
    def doomed_write(self: Database) -> Iterator[Any]:
        with write(self) as connection:
            yield connection
            fate.moment()
        fate.moment()

    def doomed_finish(self: DiskIncoming) -> None:
        fate.moment()
        finish(self)
        fate.moment()

    def doomed_delete(self: DiskStore, key: str) -> None:
        fate.moment()
        delete(self, key)
        fate.moment()

    Database.write, DiskIncoming.finish, DiskStore.delete = doomed_write, doomed_finish, doomed_delete  # type: ignore[method-assign,assignment]
    settings = ServerSettings(Path(data))
    if what == "repack":
        maintenance.repack(settings, target, 0.0)
    elif what == "gc":
        maintenance.gc(settings, None, 0.0)
    else:
        maintenance.purge(settings, target, "it leaked", "ada")


def main(data: str) -> None:
    for line in sys.stdin:
        step, what, target = line.split()
        child = os.fork()
        if child == 0:
            care(data, int(step), what, target)
            os._exit(0)
        print(os.waitpid(child, 0)[1], flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
