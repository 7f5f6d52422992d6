from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from git_lepton.errors import CorruptData
from git_lepton.format.coding.difference.streams import BadDifference, Kept, StreamReader, write_stream
from tests.format.sources import noise

COUNT = 50_001


def geometric(zeros: float, count: int = COUNT) -> numpy.ndarray:
    """Values of which this share is 0, and of the others again that share 1, and so on."""
    return numpy.minimum(numpy.random.default_rng(1).geometric(zeros, count) - 1, 255).astype(numpy.uint8)


def two_sided(zeros: float, count: int = COUNT) -> numpy.ndarray:
    """Values as differences have them, of which this share is 0: one up and one down are equally frequent."""
    random = numpy.random.default_rng(2)
    steps = random.geometric(zeros, count) - 1
    return (2 * steps - (random.random(count) < 0.5) * (steps > 0)).clip(0, 255).astype(numpy.uint8)


def there_and_back(values: numpy.ndarray) -> bytes:
    stream = write_stream(values)
    reader = StreamReader(memoryview(stream + b"rest"), len(values))
    assert (reader.stream(len(values)) == values).all()
    assert bytes(reader.rest) == b"rest"
    return stream


SPARSE = geometric(0.99)
FAR = numpy.zeros(COUNT, numpy.uint8)
FAR[[0, 255, 511, 767, 1023, 30_000]] = [1, 2, 255, 3, 1, 9]


@pytest.mark.parametrize(
    ("values", "how", "bits"),
    [
        (numpy.frombuffer(noise(COUNT), numpy.uint8), Kept.RAW, 8.01),
        (geometric(0.05), Kept.FRAME, 5.9),
        (geometric(0.2), Kept.FRAME, 3.75),
        (geometric(0.4), Kept.TWO, 2.6),
        (two_sided(0.5), Kept.TWO, 2.6),
        (geometric(0.9), Kept.GAPS, 0.58),
        (SPARSE, Kept.GAPS, 0.11),
        (FAR, Kept.GAPS, 0.05),
        (numpy.full(COUNT, 7, numpy.uint8), Kept.CONSTANT, 0.01),
        (numpy.zeros(0, numpy.uint8), Kept.RAW, 1),
    ],
)
def test_each_way_is_taken_where_it_is_best(values: numpy.ndarray, how: Kept, bits: float) -> None:
    stream = there_and_back(values)
    assert stream[0] == how
    assert 8 * (len(stream) - 9) <= bits * len(values)


def test_the_values_between_gaps_are_packed() -> None:
    values = numpy.random.default_rng(3).choice(5, 300_000, p=[0.74, 0.125, 0.125, 0.005, 0.005]).astype(numpy.uint8)
    stream = there_and_back(values)
    gaps = int.from_bytes(stream[14:18], "little")
    assert (stream[0], stream[9], stream[18 + gaps]) == (Kept.GAPS, Kept.FRAME, Kept.FOUR)


@pytest.mark.parametrize("zeros", [0.02, 0.1, 0.3, 0.5, 0.7, 0.8, 0.95, 0.995])
@pytest.mark.parametrize("draw", [geometric, two_sided])
def test_streams_are_near_their_entropy(draw: Callable[[float, int], numpy.ndarray], zeros: float) -> None:
    values = draw(zeros, 300_000)
    shares = numpy.bincount(values) / len(values)
    shares = shares[shares > 0]
    entropy = -(shares * numpy.log2(shares)).sum() / 8 * len(values)
    assert len(there_and_back(values)) < 1.04 * entropy + 200


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 8, 9, 255, 256, 257])
@pytest.mark.parametrize("zeros", [0.2, 0.5, 0.9, 0.99])
def test_every_length_comes_back(size: int, zeros: float) -> None:
    values = geometric(zeros, size)
    assert len(there_and_back(values)) <= size + 9


@given(st.lists(st.sampled_from([0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 14, 15, 16, 254, 255]), max_size=700), st.integers(1, 40))
def test_any_values_come_back(values: list[int], times: int) -> None:
    there_and_back(numpy.array(values * times, numpy.uint8))


def head(how: int, count: int, size: int) -> bytes:
    return struct.pack("<BII", how, count, size)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        head(0, 4, 4) + b"abc",
        head(0, 4, 3) + b"abc",
        head(0, 5, 5) + b"abcde",
        head(1, 4, 4) + b"abcd",
        head(2, 4, 2) + b"ab",
        head(6, 4, 4) + b"abcd",
        head(3, 4, 0),
        head(3, 4, 20) + head(0, 2, 2) + b"\xff\xff" + head(0, 0, 0),  # overflow is missing
        head(3, 4, 21) + head(0, 2, 2) + b"\0\0" + head(0, 1, 1) + b"a",  # nothing overflows
        head(3, 4, 21) + head(0, 2, 2) + b"\0\0" + head(0, 0, 0) + b"a",  # bytes behind
        head(3, 4, 28) + head(3, 2, 10) + head(0, 1, 1) + b"\0" + head(0, 0, 0),  # packed in packed
        head(5, 4, 20) + head(0, 1, 1) + b"\x04" + head(0, 1, 1) + b"a",  # beyond the end
        head(5, 4, 20) + head(0, 1, 1) + b"\x00" + head(0, 1, 2) + b"ab",
        head(5, 4, 19) + head(0, 1, 1) + b"\x00" + head(0, 0, 0),  # a value is missing
        head(5, 4, 28) + head(0, 1, 1) + b"\x00" + head(5, 1, 9) + head(0, 0, 0),  # gaps in gaps
        head(5, 4, 24) + head(0, 5, 5) + b"\0\0\0\0\0" + head(0, 1, 1) + b"a",
    ],
)
def test_a_stream_that_is_none_is_refused(payload: bytes) -> None:
    with pytest.raises(CorruptData):
        StreamReader(memoryview(payload), 4).stream(4)


def test_a_stream_of_another_number_of_values_is_refused() -> None:
    stream = write_stream(numpy.arange(9, dtype=numpy.uint8))
    with pytest.raises(BadDifference):
        StreamReader(memoryview(stream), 9).stream(8)
    with pytest.raises(BadDifference):
        StreamReader(memoryview(stream), 9).stream(most=8)
    assert len(StreamReader(memoryview(stream), 9).stream(most=9)) == 9


@settings(max_examples=300)
@given(st.integers(0, 6), st.integers(0, 400), st.binary(max_size=200))
def test_any_bytes_are_values_or_corrupt(how: int, count: int, data: bytes) -> None:
    with suppress(CorruptData):
        assert len(StreamReader(memoryview(head(how, count, len(data)) + data), 300).stream()) == count
