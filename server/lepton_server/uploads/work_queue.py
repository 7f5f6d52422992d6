"""The queue of uploads to verify: which is due next, and which a thread works at. One thread at a time has an upload."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_LOOK_SECONDS = 60.0


class WorkQueue:
    """Names, each with the time at which it is due. Safe to use from any thread."""

    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping
        self._news = threading.Condition()
        self._due: dict[str, float] = {}
        self._busy: set[str] = set()

    def put(self, name: str, delay: float = 0.0) -> None:
        """Make an upload due in so many seconds, or earlier if it was to be."""
        with self._news:
            self._due[name] = min(time.monotonic() + delay, self._due.get(name, float("inf")))
            self._news.notify()

    def get(self) -> str | None:
        """The one that is due, once there is one, for this thread alone until `done`; None when the server stops."""
        with self._news:
            while not self._stopping.is_set():
                ready = [(due, name) for name, due in self._due.items() if name not in self._busy]
                due, name = min(ready, default=(float("inf"), ""))
                wait = due - time.monotonic()
                if wait <= 0:
                    del self._due[name]
                    self._busy.add(name)
                    return name
                self._news.wait(min(wait, _LOOK_SECONDS))
        return None

    def done(self, name: str) -> None:
        with self._news:
            self._busy.discard(name)
            self._news.notify()

    def idle(self, name: str, do: Callable[[], None]) -> bool:
        """Do something to one that no thread works at, and that none takes up meanwhile; whether that was so."""
        with self._news:
            if name in self._busy:
                return False
            self._busy.add(name)
        try:
            do()
        finally:
            self.done(name)
        return True

    def is_busy(self, name: str) -> bool:
        return name in self._busy

    def others_wait(self) -> bool:
        """Whether one is due that no thread works at."""
        with self._news:
            now = time.monotonic()
            return any(due <= now and name not in self._busy for name, due in self._due.items())

    def wake_all(self) -> None:
        with self._news:
            self._news.notify_all()
