from __future__ import annotations

import numpy
import pytest
import zstandard

from git_lepton.format.coding import frames
from git_lepton.format.coding.frames import BadFrame, Writer, read_frame, smaller_writer, write_frame
from tests.format.sources import noise

DATA = b"weights and weights and weights " * 400


@pytest.mark.parametrize("writer", Writer)
@pytest.mark.parametrize("data", [b"a", DATA, noise(100_000), bytes(3_000_000)])
def test_a_frame_is_read_as_it_was_written(data: bytes, writer: Writer) -> None:
    frame = write_frame(memoryview(data), writer)
    assert read_frame(memoryview(frame), len(data)) == data


def test_repeats_and_runs_become_short() -> None:
    assert len(write_frame(memoryview(DATA), Writer.REPEATS)) < 200
    assert len(write_frame(memoryview(bytes(3_000_000)), Writer.SYMBOLS)) < 2_000


def test_symbols_are_coded_better_without_looking_for_repeats() -> None:
    rng = numpy.random.default_rng(1)
    exponents = (rng.normal(size=500_000).astype("<f4").view("<u4") >> 23).astype(numpy.uint8)
    symbols, repeats = (len(write_frame(exponents.data, writer)) for writer in (Writer.SYMBOLS, Writer.REPEATS))
    assert symbols < 0.95 * repeats


@pytest.mark.parametrize("length", [0, 1, len(DATA) - 1, len(DATA) + 1, 2**40])
def test_another_length_is_refused(length: int) -> None:
    with pytest.raises(BadFrame):
        read_frame(memoryview(write_frame(memoryview(DATA), Writer.REPEATS)), length)


FRAME = zstandard.compress(DATA)


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\x28",
        b"not a frame",
        FRAME[:-1],
        FRAME[:10],
        FRAME + b"x",
        FRAME + FRAME,
        b"\x50\x2a\x4d\x18\x00\x00\x00\x00" + FRAME,  # a skippable frame before it
        zstandard.ZstdCompressor(write_content_size=False).compress(DATA),
        zstandard.ZstdCompressor(dict_data=zstandard.ZstdCompressionDict(DATA[:1000])).compress(DATA),
    ],
    ids=["none", "one byte", "other", "cut", "head", "more", "two", "skippable", "sizeless", "dictionary"],
)
def test_what_is_not_one_whole_frame_is_refused(frame: bytes) -> None:
    with pytest.raises(BadFrame):
        read_frame(memoryview(frame), len(DATA))


def test_a_bomb_that_lies_about_its_size_is_refused() -> None:
    bomb = bytearray(zstandard.ZstdCompressor(level=19).compress(bytes(2**28)))
    honest = zstandard.frame_header_size(bytes(bomb))
    small = zstandard.ZstdCompressor().compress(b"\0" * 1000)
    lying = small[: zstandard.frame_header_size(small)] + bytes(bomb[honest:])
    assert zstandard.frame_content_size(lying) == 1000
    for frame, length in ((bytes(bomb), 1000), (lying, 1000)):
        with pytest.raises(BadFrame):
            read_frame(memoryview(frame), length)


def test_the_writer_is_chosen_by_what_it_makes_of_a_part() -> None:
    rng = numpy.random.default_rng(1)
    assert smaller_writer(memoryview(DATA * 10)) is Writer.REPEATS
    assert smaller_writer((rng.normal(size=200_000) * 9).astype("i1").data.cast("B")) is Writer.SYMBOLS
    assert smaller_writer(memoryview(b"")) in Writer


@pytest.mark.parametrize("binding", [True, False], ids=["with the second binding", "without"])
def test_symbols_take_what_their_entropy_says(monkeypatch: pytest.MonkeyPatch, binding: bool) -> None:
    if not binding:
        monkeypatch.setattr(frames, "literal_writer", lambda: None)
    monkeypatch.setattr(frames, "_zstd", frames._PerThread())
    exponents = (numpy.random.default_rng(1).normal(size=500_000).astype("<f4").view("<u4") >> 23).astype("u1")
    parts = numpy.bincount(exponents) / len(exponents)
    entropy = -(parts[parts > 0] * numpy.log2(parts[parts > 0])).sum()
    frame = write_frame(exponents.data, Writer.SYMBOLS)
    assert read_frame(memoryview(frame), len(exponents)) == exponents.tobytes()
    assert 8 * len(frame) < 1.03 * entropy * len(exponents)


def test_runs_among_symbols_become_short_in_spite_of_their_code() -> None:
    mostly_zero = numpy.zeros(500_000, "u1")
    mostly_zero[::1000] = 7
    assert len(write_frame(mostly_zero.data, Writer.SYMBOLS)) < 20_000
