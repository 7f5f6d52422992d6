"""Jobs in order, in parallel, within a room."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from git_lepton.store.ahead import Job, Room, coding_cost, run_ahead


class Meter:
    """Counts the bytes that jobs hold."""

    def __init__(self) -> None:
        self.now = self.most = self.begun = 0
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        with self._lock:
            self.now += count
            self.most = max(self.most, self.now)

    def job(self, number: int, cost: int = 10, kept: int = 4, seconds: float = 0.0) -> Job[int]:
        def work() -> int:
            self.begun += 1
            self.add(cost)
            time.sleep(seconds)
            self.add(kept - cost)
            return number

        return Job(work, cost, kept)

    def consumed(self, results: Iterator[int], kept: int = 4) -> Iterator[int]:
        for result in results:
            yield result
            self.add(-kept)


def is_empty(room: Room, size: int) -> bool:
    return room.take_now(size)


def test_results_come_in_order_whatever_ends_first() -> None:
    meter, room = Meter(), Room(1000)
    jobs = [meter.job(n, seconds=0.002 * (n % 3)) for n in range(50)]
    assert list(run_ahead(jobs, 4, room)) == list(range(50))
    assert is_empty(room, 1000)


def test_no_more_than_the_room_is_held() -> None:
    meter, room = Meter(), Room(35)
    jobs = [meter.job(n, seconds=0.001) for n in range(60)]
    assert list(meter.consumed(run_ahead(jobs, 8, room))) == list(range(60))
    assert 10 < meter.most <= 35


def test_what_is_larger_than_the_room_goes_alone() -> None:
    meter, room = Meter(), Room(5)
    jobs = [meter.job(n, cost=10) for n in range(5)]
    assert list(meter.consumed(run_ahead(jobs, 4, room))) == list(range(5))
    assert meter.most <= 14


def test_several_share_a_room_and_all_come_to_their_end() -> None:
    meter, room = Meter(), Room(24)
    found: list[list[int]] = []

    def one() -> None:
        found.append(list(meter.consumed(run_ahead([meter.job(n, seconds=0.0005) for n in range(40)], 3, room))))

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [list(range(40))] * 4
    assert meter.most <= 24
    assert is_empty(room, 24)


def test_jobs_really_run_beside_each_other() -> None:
    both = threading.Barrier(2, timeout=60)
    assert list(run_ahead([Job(both.wait, 1, 0) for _ in range(4)], 2, Room(100))) in (
        [0, 1, 0, 1],
        [1, 0, 0, 1],
        [0, 1, 1, 0],
        [1, 0, 1, 0],
    )


def test_an_error_comes_in_its_turn_and_the_rest_is_left() -> None:
    meter, room = Meter(), Room(1000)

    def fail() -> int:
        raise KeyError("third")

    jobs = [meter.job(0), meter.job(1), Job(fail, 10, 4), *(meter.job(n, seconds=0.001) for n in range(3, 500))]
    got = []
    with pytest.raises(KeyError, match="third"):
        for result in run_ahead(jobs, 2, room):
            got.append(result)
    assert got == [0, 1]
    assert meter.begun < 20
    assert is_empty(room, 1000)


def test_who_stops_asking_gives_all_back() -> None:
    meter, room = Meter(), Room(1000)
    with closing(run_ahead((meter.job(n, seconds=0.001) for n in range(10_000)), 2, room)) as results:
        assert next(results) == 0
    assert meter.begun < 20
    assert is_empty(room, 1000)


def test_few_are_under_way_even_where_there_is_room() -> None:
    meter = Meter()
    with closing(run_ahead((meter.job(n) for n in range(1000)), 3, Room(10**9))) as results:
        next(results)
        time.sleep(0.02)
        assert meter.begun <= 7


def test_a_delta_costs_more() -> None:
    assert coding_cost(100, delta=True) > coding_cost(100, delta=False) > 100
