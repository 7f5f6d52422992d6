"""Times a coder on one core: CPU seconds of this process, best of several runs, in GB of raw bytes a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

_LEAST_RUNS, _SECONDS = 5, 4.0


class Speed(NamedTuple):
    """GB/s in and out, and the bytes of the payload."""

    encode: float
    decode: float
    size: int


class Clock:
    """Runs a coder and its inverse until there are enough runs of both, and keeps the best of each: first runs pay for their memory. What
    `prepare` makes for each run is not timed."""

    def __init__(self, raw: int, prepare: Callable[[], Any] = lambda: None) -> None:
        self._raw = raw
        self._prepare = prepare

    def speed(self, code: Callable[[Any], Any], restore: Callable[[Any], object], size: Callable[[Any], int]) -> Speed:
        into: list[float] = []
        out: list[float] = []
        start = time.monotonic()
        while len(into) < _LEAST_RUNS or time.monotonic() - start < _SECONDS:
            given = self._prepare()
            begin = time.process_time()
            coded = code(given)
            middle = time.process_time()
            restore(coded)
            into.append(middle - begin)
            out.append(time.process_time() - middle)
        return Speed(self._raw / min(into) / 1e9, self._raw / min(out) / 1e9, size(coded))
