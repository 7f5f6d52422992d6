"""Decoding for verification: bounded memory, bases decoded once, chains that do not end refused."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from git_lepton.errors import CorruptData
from git_lepton.format.coding.codec import encode
from lepton_server.content import decoder as decoding
from lepton_server.content.chunks import Encoding
from lepton_server.content.decoder import BaseCache, Decoder
from lepton_server.storage.disk import DiskStore

MIB = 1024 * 1024


@pytest.fixture
def store(tmp_path: Path) -> DiskStore:
    return DiskStore(tmp_path)


@pytest.fixture
def decoder(store: DiskStore) -> Iterator[Decoder]:
    made = Decoder(store, 4)
    yield made
    made.close()


def put(store: DiskStore, key: str, data: bytes, base: bytes | None = None) -> Encoding:
    chunk = encode(data, "", frozenset({0}))
    incoming = store.begin(key)
    incoming.write(chunk.payload)
    incoming.finish()
    return Encoding(chunk.name.raw, 1, key, 0, len(chunk.payload), len(data), 0, 0, base, chunk.checksum)


def test_in_order_and_no_more_ahead_than_memory_allows(
    store: DiskStore, decoder: Decoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "_AHEAD_BYTES", 3 * MIB)
    found = [put(store, f"00/{number}", bytes([number]) * MIB) for number in range(12)]
    begun: list[int] = []

    def counted() -> Iterator[Encoding]:
        for number, encoding in enumerate(found):
            begun.append(number)
            yield encoding

    for number, (name, data) in enumerate(decoder.decoded(counted(), {})):
        assert (name, bytes(data[:2])) == (found[number].chunk, bytes([number, number]))
        assert len(begun) <= number + 5
    assert len(begun) == 12


def test_what_is_decoded_at_once_is_bounded(store: DiskStore, decoder: Decoder, monkeypatch: pytest.MonkeyPatch) -> None:
    room = decoding._Room(10)
    inside = most = 0
    lock = threading.Lock()

    def work(size: int) -> None:
        nonlocal inside, most
        with room.of(size):
            with lock:
                inside += min(size, 10)
                most = max(most, inside)
            time.sleep(0.002)
            with lock:
                inside -= min(size, 10)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, [3, 4, 5, 99, 1, 2, 6, 3, 3, 10, 4, 5]))
    assert inside == 0
    assert 6 <= most <= 10


@pytest.mark.parametrize("links", [1, 2, 4])
def test_a_chain_that_does_not_end_is_refused(store: DiskStore, decoder: Decoder, links: int) -> None:
    found = [put(store, f"00/{number}", bytes([number])) for number in range(links)]
    circle = {one.chunk: one._replace(base=found[number - 1].chunk) for number, one in enumerate(found)}
    with pytest.raises(CorruptData, match="more than 3 bases"):
        decoder.read(circle[found[0].chunk], circle)


def test_a_base_that_is_not_there(store: DiskStore, decoder: Decoder) -> None:
    with pytest.raises(CorruptData, match="base of chunk"):
        decoder.read(put(store, "00/0", b"x", base=bytes(32)), {})


def test_the_bases_used_last_are_kept() -> None:
    cache = BaseCache(10)
    calls: list[int] = []

    def counted() -> bytes:
        calls.append(1)
        return b"12345"

    assert [cache.get(b"a", counted) for _ in range(8)] == [b"12345"] * 8
    assert len(calls) == 1
    cache.get(b"b", lambda: b"1234567")  # more than fits beside it
    cache.get(b"a", counted)
    assert len(calls) == 2
    cache.get(b"c", lambda: bytes(11))  # more than is ever kept
    cache.get(b"a", counted)
    assert len(calls) == 2


def test_nobody_waits_for_another_s_decoding_nor_gets_its_error() -> None:
    cache = BaseCache(100)
    inside = threading.Barrier(2)

    def broken() -> bytes:
        inside.wait(60)
        raise CorruptData("broken")

    def sound() -> bytes:
        inside.wait(60)  # only comes on while the other is being decoded too
        return b"1"

    with ThreadPoolExecutor(2) as pool:
        hostile, honest = pool.submit(cache.get, b"a", broken), pool.submit(cache.get, b"a", sound)
        assert honest.result(60) == b"1"
        with pytest.raises(CorruptData):
            hostile.result(60)
    assert cache.get(b"a", broken) == b"1"


def test_two_packs_that_code_each_other_s_bases_on_one_another_do_not_wait_for_ever() -> None:
    cache = BaseCache(100)
    both = threading.Barrier(2)

    def chain(first: bytes, second: bytes) -> bytes | bytearray:
        def outer() -> bytes:
            both.wait(60)
            cache.get(second, lambda: second)
            return first

        return cache.get(first, outer)

    with ThreadPoolExecutor(2) as pool:
        found = [pool.submit(chain, *names) for names in ((b"a", b"b"), (b"b", b"a"))]
        assert [one.result(60) for one in found] == [b"a", b"b"]


def test_a_base_that_fails_is_tried_again() -> None:
    cache = BaseCache(10)

    def broken() -> bytes:
        raise CorruptData("broken")

    for _ in range(2):
        with pytest.raises(CorruptData):
            cache.get(b"a", broken)
    assert cache.get(b"a", lambda: b"1") == b"1"
