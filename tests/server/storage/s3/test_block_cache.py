"""Blocks that were read are kept: one fetch for all who want a block, ahead of who reads on, and nothing of what failed."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from lepton_server.storage.object_store import StoreBusy
from lepton_server.storage.s3 import block_cache
from lepton_server.storage.s3.block_cache import BLOCK_BYTES, Block, BlockCache


class Source:
    """Objects as a store would give them; `fetched` counts how often each block was asked for."""

    def __init__(self, *sizes: int) -> None:
        made = random.Random(len(sizes))
        self.objects = {str(number): made.randbytes(size) for number, size in enumerate(sizes)}
        self.fetched: Counter[tuple[str, int]] = Counter()
        self.fails = 0

    def fetch(self, key: str, start: int, length: int) -> Block:
        self.fetched[key, start // BLOCK_BYTES] += 1
        time.sleep(0.01)  # so that others come meanwhile
        if self.fails:
            self.fails -= 1
            raise StoreBusy("busy")
        whole = self.objects[key]
        return Block(whole[start : start + length], len(whole))


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_cache, "BLOCK_BYTES", 1000)
    monkeypatch.setitem(globals(), "BLOCK_BYTES", 1000)


def test_every_part_is_what_it_is() -> None:
    source = Source(10_500)
    cache = BlockCache(source.fetch)
    for start, length in [(0, 10_500), (999, 2), (10_499, 1), (10_000, 500), (3_000, 1_000), (5, 0)]:
        assert cache.read("0", start, length) == source.objects["0"][start : start + length]
    assert cache.read("0", 10_400, 5_000) == source.objects["0"][10_400:]


def test_many_who_want_a_block_cost_one_fetch() -> None:
    source = Source(900)
    cache = BlockCache(source.fetch)
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: cache.read("0", 100, 200), range(32)))
    assert found == {source.objects["0"][100:300]}
    assert source.fetched == {("0", 0): 1}


def test_who_reads_on_finds_the_next_blocks_there_and_nothing_beyond_the_end() -> None:
    source = Source(6_000)
    cache = BlockCache(source.fetch)
    cache.read("0", 0, 10)
    assert source.fetched == {("0", 0): 1}
    cache.read("0", 1_000, 10)
    ends = time.monotonic() + 60
    while len(source.fetched) < 4 and time.monotonic() < ends:
        time.sleep(0.01)
    assert source.fetched == {("0", number): 1 for number in range(4)}
    assert b"".join(cache.read("0", start, 100) for start in range(0, 6_000, 100)) == source.objects["0"]
    assert source.fetched == {("0", number): 1 for number in range(6)}


def test_memory_is_bounded() -> None:
    source = Source(*[1_000] * 40)
    cache = BlockCache(source.fetch)
    for key in source.objects:
        cache.read(key, 0, 1_000)
    cache.read("39", 0, 1)
    cache.read("0", 0, 1)
    assert source.fetched["39", 0] == 1
    assert source.fetched["0", 0] == 2


def test_what_failed_is_asked_for_again_and_what_was_deleted_is_forgotten() -> None:
    source = Source(500)
    cache = BlockCache(source.fetch)
    source.fails = 1
    with pytest.raises(StoreBusy):
        cache.read("0", 0, 1)
    assert cache.read("0", 0, 500) == source.objects["0"]
    cache.forget("0")
    del source.objects["0"]
    with pytest.raises(KeyError):
        cache.read("0", 0, 1)


def test_readers_of_all_kinds_at_once() -> None:
    source = Source(20_300, 7_000, 999)
    cache = BlockCache(source.fetch)
    wrong = threading.Event()

    def read(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(100):
            key = chance.choice("012")
            start = chance.randrange(len(source.objects[key]))
            length = chance.randrange(3_000)
            if cache.read(key, start, length) != source.objects[key][start : start + length]:
                wrong.set()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(read, range(6)))
    assert not wrong.is_set()
