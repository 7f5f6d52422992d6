from __future__ import annotations

from hashlib import sha256

import numpy
import pytest

from git_lepton.format.chunking import pieces
from git_lepton.format.content_cuts import MAX_BYTES, MIN_BYTES, MULTIPLIER, THRESHOLD, Cutter
from git_lepton.format.identifiers import ChunkId
from tests.format.sources import Dribble, noise


def is_cut(window: bytes) -> bool:
    """The rule of the specification, one window at a time."""
    return int.from_bytes(window, "little") * MULTIPLIER % 2**64 >= THRESHOLD


def a_cut() -> bytes:
    """A window that is a cut."""
    number = next(number for number in range(2**20) if is_cut(number.to_bytes(8, "little")))
    return number.to_bytes(8, "little")


def lengths(data: bytes) -> list[int]:
    return [len(piece.data) for piece in pieces(Dribble(data))]


def test_the_example_of_the_specification() -> None:
    data = b"".join(sha256(number.to_bytes(8, "little")).digest() for number in range(32768))
    assert lengths(data) == [66262, 221515, 181616, 252099, 216959, 110125]
    name = "db74405cb50c5de827c0c42895a16198f96257be5a376551d7467aea9497c3f3"
    assert ChunkId.of(data[:66262]) == ChunkId.parse_hex(name)


def test_the_vectorised_search_keeps_the_rule() -> None:
    data = noise(2**20 + 12345)
    start = 0
    for length in lengths(data):
        ends = range(start + MIN_BYTES, min(start + MAX_BYTES, len(data)) + 1)
        found = next((end for end in ends if is_cut(data[end - 8 : end])), ends.stop - 1 if ends else len(data))
        assert start + length == found
        start += length
    assert start == len(data)


@pytest.mark.parametrize("end", [MIN_BYTES, MIN_BYTES + 1, MIN_BYTES + 7, 2**17 + MIN_BYTES - 1, 2**17 + MIN_BYTES, MAX_BYTES])
def test_a_cut_is_found_wherever_it_is(end: int) -> None:
    data = bytearray(MAX_BYTES + 100)
    data[end - 8 : end] = a_cut()
    assert Cutter().first(numpy.frombuffer(data, numpy.uint8)) == end


def test_a_cut_before_the_minimum_or_after_the_maximum_is_none() -> None:
    data = bytearray(MAX_BYTES + 100)
    data[MIN_BYTES - 9 : MIN_BYTES - 1] = a_cut()
    data[MAX_BYTES - 7 : MAX_BYTES + 1] = a_cut()
    assert Cutter().first(numpy.frombuffer(data, numpy.uint8)) == MAX_BYTES


@pytest.mark.parametrize("size", [1, 7, 8, MIN_BYTES - 1, MIN_BYTES, MIN_BYTES + 1])
def test_what_is_short_is_one_chunk(size: int) -> None:
    assert Cutter().first(numpy.zeros(size, numpy.uint8)) == size


@pytest.mark.parametrize("value", range(256))
def test_no_run_of_one_value_is_a_cut(value: int) -> None:
    assert not is_cut(bytes([value]) * 8)


def test_chunks_have_about_192_kib() -> None:
    found = lengths(noise(24 * 2**20))
    assert 150 * 1024 < sum(found) / len(found) < 240 * 1024
    assert all(MIN_BYTES <= length <= MAX_BYTES for length in found[:-1])


@pytest.mark.parametrize("put_in", [b"x", b"twelve bytes", bytes(1000)])
def test_an_insertion_moves_only_the_cuts_near_it(put_in: bytes) -> None:
    data = noise(8 * 2**20)
    middle = 3 * 2**20 + 17
    before = {ChunkId.of(piece.data) for piece in pieces(Dribble(data))}
    after = [ChunkId.of(piece.data) for piece in pieces(Dribble(data[:middle] + put_in + data[middle:]))]
    assert len(set(after) - before) <= 4 < len(after) // 4
