"""Progress of a transfer: what it is doing, and how long it may still take.

Whoever shows progress implements `Progress`; a transfer calls it from several threads, so an implementation locks what it
changes. The terminal's is `entry.terminal`; `Silent` shows nothing.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol


class Progress(Protocol):
    """Follows one transfer. Every method may be called from any thread."""

    def start(self, total: int) -> None:
        """`total` bytes are going to travel."""

    def advance(self, count: int) -> None:
        """`count` more bytes have travelled; a negative count: so many must travel again."""

    def note(self, text: str) -> None:
        """Something a person may want to know: what is waited for, what happens now."""

    def finish(self) -> None:
        """Nothing more comes."""


class Silent:
    """Progress for nobody."""

    def start(self, total: int) -> None: ...

    def advance(self, count: int) -> None: ...

    def note(self, text: str) -> None: ...

    def finish(self) -> None: ...


SILENT = Silent()


class RateEstimator:
    """Bytes per second, averaged over the last `window_s` seconds. Thread safe."""

    def __init__(self, window_s: float = 8.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._window_s = window_s
        self._clock = clock
        self._lock = threading.Lock()
        self._total = 0
        self._samples: deque[tuple[float, int]] = deque([(clock(), 0)])

    def add(self, count: int) -> None:
        """`count` bytes have travelled just now."""
        with self._lock:
            now = self._clock()
            self._total += count
            self._samples.append((now, self._total))
            while len(self._samples) > 2 and self._samples[1][0] <= now - self._window_s:
                self._samples.popleft()

    def rate(self) -> float:
        """Bytes per second up to now; 0.0 before anything travelled."""
        with self._lock:
            began, before = self._samples[0]
            elapsed = self._clock() - began
            return max(0.0, (self._total - before) / elapsed) if elapsed > 0 else 0.0

    def seconds_left(self, remaining: int) -> float | None:
        """Seconds until `remaining` more bytes have travelled, or None while nobody can tell."""
        rate = self.rate()
        return remaining / rate if rate > 0 else None
