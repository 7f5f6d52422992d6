"""Work on many chunks at once, handed out in order: all processors are used, and memory stays within a budget.

Decoding ahead of who writes a file, and reading or coding ahead of who sends a pack, are the same kind of work: each job needs
some memory while it runs, and less for its result until that was taken.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

Result = TypeVar("Result")

_SOLO, _DELTA = 3, 6  # times the raw length: what decoding or coding a chunk takes, its payload and result among it


def coding_cost(raw_length: int, *, delta: bool) -> int:
    """Bytes that coding or decoding a chunk takes, about."""
    return raw_length * (_DELTA if delta else _SOLO)


class Room:
    """So many bytes for all who share it. Who needs more than there is gets it when nobody else has any."""

    def __init__(self, size: int) -> None:
        self._size = self._free = size
        self._changed = threading.Condition()

    def take(self, count: int) -> None:
        """Wait until there is room for `count` bytes, and take it."""
        with self._changed:
            self._changed.wait_for(lambda: self._fits(count))
            self._free -= count

    def take_now(self, count: int) -> bool:
        """Take it if it is there."""
        with self._changed:
            fits = self._fits(count)
            self._free -= count if fits else 0
            return fits

    def give_back(self, count: int) -> None:
        with self._changed:
            self._free += count
            self._changed.notify_all()

    def _fits(self, count: int) -> bool:
        return count <= self._free or self._free == self._size


class Job(NamedTuple, Generic[Result]):
    """A piece of work: `cost` bytes while it runs, of which `kept` are its result's."""

    work: Callable[[], Result]
    cost: int
    kept: int


def run_ahead(jobs: Iterable[Job[Result]], workers: int, room: Room) -> Generator[Result, None, None]:
    """The results of these jobs, in order, made by `workers` threads; few more than those are under way. A result's room is free
    again when the next is asked for. What a job raises comes out in its turn. Close the generator: what did not begin never does.
    """
    ahead = _Ahead[Result](workers, room)
    with contextlib.closing(ahead):
        for job in jobs:
            while ahead.is_full or not ahead.begin(job):
                with ahead.first() as result:
                    yield result
        while ahead.count:
            with ahead.first() as result:
                yield result


class _Ahead(Generic[Result]):
    """Jobs under way. Only the threads that work are others than the one that calls."""

    def __init__(self, workers: int, room: Room) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self._pool = ThreadPoolExecutor(workers)
        self._most = 2 * workers
        self._room = room
        self._jobs: deque[tuple[Future[Result], Job[Result]]] = deque()

    @property
    def count(self) -> int:
        return len(self._jobs)

    @property
    def is_full(self) -> bool:
        return len(self._jobs) >= self._most

    def begin(self, job: Job[Result]) -> bool:
        """False where there is no room before the first of ours is taken; if there is none of ours, wait for others."""
        if not self._jobs:
            self._room.take(job.cost)
        elif not self._room.take_now(job.cost):
            return False
        self._jobs.append((self._pool.submit(self._run, job), job))
        return True

    def _run(self, job: Job[Result]) -> Result:
        try:
            return job.work()
        finally:
            self._room.give_back(job.cost - job.kept)

    @contextlib.contextmanager
    def first(self) -> Generator[Result, None, None]:
        """The next result, which takes room until this is left."""
        future, job = self._jobs.popleft()
        try:
            result = future.result()
            del future
            yield result
        finally:
            self._room.give_back(job.kept)

    def close(self) -> None:
        for future, job in self._jobs:
            self._room.give_back(job.cost if future.cancel() else job.kept)
        self._pool.shutdown(wait=True)
