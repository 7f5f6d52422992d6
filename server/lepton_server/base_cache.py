"""Decoded bases, the last few used, so that chunks on the same base that come one after the other decode it once.

What is kept is named by its content, so it never grows stale. A base that one thread decodes is waited for by the others.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future

Decoded = bytes | bytearray


class BaseCache:
    """At most `most_bytes` of raw bytes, those not counted that somebody decodes right now. Safe to use from any thread."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._held = 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, Decoded] = OrderedDict()
        self._coming: dict[bytes, Future[Decoded]] = {}

    def get(self, name: bytes, decode: Callable[[], Decoded]) -> Decoded:
        """The raw bytes of this chunk: kept, waited for, or decoded here. Raises what `decode` raises."""
        with self._lock:
            if name in self._kept:
                self._kept.move_to_end(name)
                return self._kept[name]
            coming = self._coming.get(name)
            if coming is None:
                ours = self._coming[name] = Future()
        if coming is not None:
            return coming.result()
        try:
            data = decode()
        except BaseException as error:
            self._settle(name, None)
            ours.set_exception(error)
            raise
        self._settle(name, data)
        ours.set_result(data)
        return data

    def _settle(self, name: bytes, data: Decoded | None) -> None:
        with self._lock:
            del self._coming[name]
            if data is None or len(data) > self._most:
                return
            self._kept[name] = data
            self._held += len(data)
            while self._held > self._most:
                self._held -= len(self._kept.popitem(last=False)[1])
