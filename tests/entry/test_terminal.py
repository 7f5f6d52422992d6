"""What a person sees: one line that moves on a terminal, few lines elsewhere."""

from __future__ import annotations

import io
import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_lepton.entry.terminal import ProgressLine, counted, human_bytes, human_seconds, shows_colours


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm")


def run(stream: io.StringIO, seconds: float, *, total: int = 1000_000_000, steps: int = 1000) -> None:
    clock = Clock()
    line = ProgressLine("Downloading", stream, clock)
    line.start(total)
    for _ in range(steps):
        clock.now += seconds / steps
        line.advance(total // steps)
    line.finish()


def test_the_line_has_share_rate_and_time_left_and_leaves_a_sum_behind() -> None:
    stream = Terminal()
    run(stream, 10)
    drawn = stream.getvalue().split("\r")
    middle = next(text for text in drawn if "50 %" in text)
    assert re.fullmatch(r"Downloading: 50 % \(50\d MB of 1\.0 GB\), 100 MB/s, 5 s left *", middle)
    assert drawn[-1] == "Downloading: 1.0 GB in 10 s (100 MB/s)\n"
    assert drawn[-2].strip() == ""


def test_a_short_transfer_and_one_that_broke_off_leave_nothing_behind() -> None:
    stream, clock = Terminal(), Clock()
    run(stream, 0.9)
    line = ProgressLine("Uploading", stream, clock)
    line.start(1000)
    clock.now += 30
    line.advance(500)
    line.finish()
    assert "\n" not in stream.getvalue()
    assert stream.getvalue().split("\r")[-2].strip() == ""


def test_time_left_is_never_nothing() -> None:
    stream = Terminal()
    run(stream, 10)
    assert "1 s left" in stream.getvalue()
    assert ", 0 s left" not in stream.getvalue()


def test_counted() -> None:
    assert [counted(n, "object") for n in (0, 1, 2)] == ["0 objects", "1 object", "2 objects"]


def test_it_is_drawn_at_most_ten_times_a_second() -> None:
    stream = Terminal()
    run(stream, 10, steps=5000)
    assert 50 <= stream.getvalue().count("Downloading") <= 100


@given(st.integers(1, 200))
def test_the_line_never_wraps(columns: int) -> None:
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(columns)
    try:
        stream = Terminal()
        run(stream, 5, steps=60)
    finally:
        os.environ["COLUMNS"] = before or ""
    assert max(map(len, stream.getvalue().split("\r"))) < max(columns, 2)


def test_elsewhere_a_short_transfer_is_quiet_and_a_long_one_says_one_line() -> None:
    short, long = io.StringIO(), io.StringIO()
    run(short, 1)
    run(long, 60)
    assert short.getvalue() == ""
    assert long.getvalue() == "Downloading: 1.0 GB in 1 min 00 s (16.7 MB/s)\n"


def test_a_note_does_not_mix_with_the_line() -> None:
    stream, clock = Terminal(), Clock()
    line = ProgressLine("Uploading", stream, clock)
    line.start(100)
    clock.now += 1
    line.advance(50)
    line.note("waiting for the server")
    assert "\rUploading: waiting for the server\n" in stream.getvalue()


def test_a_transfer_that_must_repeat_goes_back() -> None:
    stream, clock = Terminal(), Clock()
    line = ProgressLine("Uploading", stream, clock)
    line.start(1000)
    for count in (800, -300):
        clock.now += 1
        line.advance(count)
    assert "50 %" in stream.getvalue().split("\r")[-1]


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (99_960, "100 kB"), (999_999, "1.0 MB"), (2.5e12, "2.5 TB")]
)
def test_human_bytes(count: float, text: str) -> None:
    assert human_bytes(count) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.2, "0 s"), (59.4, "59 s"), (61, "1 min 01 s"), (7300, "2 h 01 min")])
def test_human_seconds(seconds: float, text: str) -> None:
    assert human_seconds(seconds) == text


@given(st.floats(0, 1e15))
def test_human_bytes_stays_short(count: float) -> None:
    assert len(human_bytes(count)) <= 8


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shows_colours(Terminal())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not shows_colours(Terminal())
    assert not shows_colours(io.StringIO())
