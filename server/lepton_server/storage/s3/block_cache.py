"""The last few blocks that were read of the objects of a store where each request takes long: small reads side by side cost one request.

Whoever needs a block that somebody fetches already waits for that. Where reading goes on from block to block the next ones are fetched
ahead. A block that could not be fetched is not kept.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

BLOCK_BYTES = 4 * 1024 * 1024
_BLOCKS = 16  # kept: 64 MiB
_AHEAD = 2  # blocks, and as many threads


class Block(NamedTuple):
    """Bytes of an object that has `total` of them."""

    data: bytes
    total: int


Fetch = Callable[[str, int, int], Block]
"""Key, start and length: that many bytes, fewer only where the object ends. Raises StoreTrouble."""
_Place = tuple[str, int]


class BlockCache:
    """Reads by `fetch`, from any thread."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._lock = threading.Lock()
        self._blocks: OrderedDict[_Place, Future[Block]] = OrderedDict()
        self._pool: ThreadPoolExecutor | None = None

    def read(self, key: str, start: int, length: int) -> bytes:
        """Bytes from `start` on, fewer than `length` only where the object ends. Raises what `fetch` raises."""
        parts = []
        for index in range(start // BLOCK_BYTES, -(-(start + length) // BLOCK_BYTES)):
            at = index * BLOCK_BYTES
            block = self._block((key, index)).data
            parts.append(block[max(0, start - at) : start + length - at])
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def forget(self, key: str) -> None:
        """Keep nothing of an object that is deleted."""
        with self._lock:
            for place in [place for place in self._blocks if place[0] == key]:
                del self._blocks[place]

    def _block(self, place: _Place) -> Block:
        key, index = place
        with self._lock:
            future, is_new = self._entry(place)
            for following, task in self._ahead(place, self._blocks.get((key, index - 1))):
                self._threads().submit(self._fill, following, task)
        if is_new:
            self._fill(place, future)
        return future.result()

    def _entry(self, place: _Place) -> tuple[Future[Block], bool]:
        """The block that is here or on its way, or a new one, which the caller has to fill. With the lock held."""
        if place in self._blocks:
            self._blocks.move_to_end(place)
            return self._blocks[place], False
        future = self._blocks[place] = Future[Block]()
        while len(self._blocks) > _BLOCKS:
            self._blocks.popitem(last=False)
        return future, True

    def _ahead(self, place: _Place, before: Future[Block] | None) -> list[tuple[_Place, Future[Block]]]:
        """The blocks after this one that are to be fetched ahead, since the one before it was read. With the lock held."""
        if before is None or not before.done() or before.exception():
            return []
        key, index = place
        last = (before.result().total - 1) // BLOCK_BYTES
        places = [(key, following) for following in range(index + 1, min(index + _AHEAD, last) + 1)]
        entries = [(following, *self._entry(following)) for following in places]
        return [(following, future) for following, future, is_new in entries if is_new]

    def _fill(self, place: _Place, future: Future[Block]) -> None:
        try:
            data = self._fetch(place[0], place[1] * BLOCK_BYTES, BLOCK_BYTES)
        except BaseException as error:
            with self._lock:
                if self._blocks.get(place) is future:
                    del self._blocks[place]
            future.set_exception(error)
        else:
            future.set_result(data)

    def _threads(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_AHEAD, "read-ahead")
        return self._pool
