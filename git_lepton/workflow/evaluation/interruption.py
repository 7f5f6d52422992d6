"""Interruption of an evaluation: whoever asks us to end gets what was started ended, and what was written for it removed."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Ctrl-C; a scheduler or a CI job that was cancelled; a terminal that was closed


@contextlib.contextmanager
def tidy_when_interrupted() -> Iterator[None]:
    """While this lasts, a request to end raises KeyboardInterrupt in the main thread, which takes the time that it needs. What is ignored
    (as after nohup) stays so. Of no effect in another thread, where Python lets nobody change what signals do."""
    before = {}
    if threading.current_thread() is threading.main_thread():
        for which in (getattr(signal, name) for name in _NAMES if hasattr(signal, name)):
            if signal.getsignal(which) not in (signal.SIG_IGN, None):  # None: somebody's who is not Python
                before[which] = signal.signal(which, _interrupt)
    try:
        yield
    finally:
        for which, handler in before.items():
            signal.signal(which, handler)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
