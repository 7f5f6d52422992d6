"""Decoded bases, the last few used, so that chunks on the same base that come one after the other decode it once.

What is kept is named by its content, which whoever decoded it has checked: it never grows stale, and it does not matter who put it
there. Nobody waits for anybody: where two need the same base at once both decode it, each as the packs that it sees store it. So what
is wrong with one's packs is never another's trouble, and no two can wait for each other.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

Decoded = bytes | bytearray


class BaseCache:
    """At most `most_bytes` of raw bytes, those not counted that somebody decodes right now. Safe to use from any thread."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._held = 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, Decoded] = OrderedDict()

    def get(self, name: bytes, decode: Callable[[], Decoded]) -> Decoded:
        """The raw bytes of this chunk: kept, or decoded here. `decode` checks their name. Raises what it raises."""
        with self._lock:
            if name in self._kept:
                self._kept.move_to_end(name)
                return self._kept[name]
        data = decode()
        self._keep(name, data)
        return data

    def _keep(self, name: bytes, data: Decoded) -> None:
        with self._lock:
            if name in self._kept or len(data) > self._most:
                return
            self._kept[name] = data
            self._held += len(data)
            while self._held > self._most:
                self._held -= len(self._kept.popitem(last=False)[1])
