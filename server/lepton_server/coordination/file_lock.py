"""Locks by files, so that only one process does a thing to a data folder. A lock goes with its process, however that ends."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from git_lepton.errors import WrongUse


class FolderBusy(WrongUse):
    """Another process does the same to this folder."""


@contextmanager
def only_one(file: Path, does: str) -> Iterator[None]:
    """Hold the lock of this file. Raises FolderBusy where another process does; `does` says what, for the sentence."""
    with file.open("a+b") as lock:
        if not _try_lock(lock):
            raise FolderBusy(f"another lepton-server {does} {file.parent}", "Stop it first, or choose another --data.")
        try:
            yield
        finally:
            # Closing is not enough: a process that was forked meanwhile has this file open until its program starts.
            _unlock(lock)


def _unlock(lock: IO[bytes]) -> None:
    if sys.platform == "win32":
        import msvcrt

        lock.seek(0)
        msvcrt.locking(lock.fileno(), msvcrt.LK_UNLCK, 1)
    else:
        import fcntl

        fcntl.flock(lock, fcntl.LOCK_UN)


def _try_lock(lock: IO[bytes]) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            lock.seek(0)
            msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
