"""Advisory locks on open files, between processes. They end with the process that holds them, however it ends.

A lock belongs to one opening of a file: the same process that opens the file twice meets its own lock.
"""

from __future__ import annotations

import sys
import time

if sys.platform == "win32":
    import msvcrt
    import os

    # Windows locks ranges of bytes, each for one holder: a shared lock takes one of these bytes, an exclusive one all of them.
    _FIRST_BYTE, _BYTES = 1 << 62, 64

    def try_lock(descriptor: int, *, shared: bool = False) -> bool:
        """Take the lock if it is free now; says whether it was."""
        ranges = [(_FIRST_BYTE + n, 1) for n in range(_BYTES)] if shared else [(_FIRST_BYTE, _BYTES)]
        return any(_lock_range(descriptor, *where) for where in ranges)

    def unlock(descriptor: int) -> None:
        """Give back whatever lock this descriptor holds."""
        for where in [(_FIRST_BYTE, _BYTES), *((_FIRST_BYTE + n, 1) for n in range(_BYTES))]:
            _lock_range(descriptor, *where, msvcrt.LK_UNLCK)

    def _lock_range(descriptor: int, start: int, length: int, how: int = msvcrt.LK_NBLCK) -> bool:
        position = os.lseek(descriptor, 0, os.SEEK_CUR)
        try:
            os.lseek(descriptor, start, os.SEEK_SET)
            msvcrt.locking(descriptor, how, length)
        except OSError:
            return False
        finally:
            os.lseek(descriptor, position, os.SEEK_SET)
        return True

else:
    import fcntl

    def try_lock(descriptor: int, *, shared: bool = False) -> bool:
        """Take the lock if it is free now; says whether it was."""
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def unlock(descriptor: int) -> None:
        """Give back whatever lock this descriptor holds."""
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def lock(descriptor: int, *, shared: bool = False, patience_s: float = float("inf")) -> bool:
    """Take the lock, waiting up to `patience_s` seconds for it; says whether it was got."""
    deadline, pause = time.monotonic() + patience_s, 0.001
    while not try_lock(descriptor, shared=shared):
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
        pause = min(2 * pause, 0.05)
    return True


def is_locked(descriptor: int) -> bool:
    """Whether somebody else holds the exclusive lock of the file behind this descriptor."""
    if try_lock(descriptor, shared=True):
        unlock(descriptor)
        return False
    return True
