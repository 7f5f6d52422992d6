from __future__ import annotations

import pytest

from git_lepton.transfer.progress import SILENT, Progress, RateEstimator


def test_a_rate_is_that_of_the_last_seconds() -> None:
    now = 0.0
    rate = RateEstimator(window_s=10, clock=lambda: now)
    assert rate.rate() == 0.0
    assert rate.seconds_left(100) is None
    for second in range(1, 11):
        now = float(second)
        rate.add(100)
    assert rate.rate() == pytest.approx(100)
    for second in range(11, 31):
        now = float(second)
        rate.add(1000)
    assert rate.rate() == pytest.approx(1000)
    assert rate.seconds_left(5000) == pytest.approx(5)


def test_bytes_that_must_travel_again_never_make_a_rate_negative() -> None:
    now = 0.0
    rate = RateEstimator(clock=lambda: now)
    now = 1.0
    rate.add(100)
    rate.add(-300)
    assert rate.rate() == 0.0


def test_silence_takes_everything() -> None:
    progress: Progress = SILENT
    progress.start(10)
    progress.advance(-3)
    progress.note("x")
    progress.finish()
