"""Interruption of an evaluation: whoever tells us to end gets what was started ended, and what was written for it removed."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Ctrl-C; a scheduler or a CI job that was cancelled; a terminal that was closed


@contextlib.contextmanager
def tidy_when_told_to_end() -> Iterator[None]:
    """While this lasts, a request to end is an exception in the main thread, and what cleans up has the time that it needs. What is
    ignored (as after nohup) stays so. Of no effect in another thread, where Python lets nobody change what signals do."""
    before = {}
    if threading.current_thread() is threading.main_thread():
        for which in (getattr(signal, name) for name in _NAMES if hasattr(signal, name)):
            if signal.getsignal(which) not in (signal.SIG_IGN, None):  # None: somebody's who is not Python
                before[which] = signal.signal(which, _end)
    try:
        yield
    finally:
        for which, handler in before.items():
            signal.signal(which, handler)


def _end(number: int, _: object) -> None:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)
