from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_lepton.transfer.http.retries import Attempts, GaveUp, Patience, Transient, retry_after_seconds


class Time:
    def __init__(self, **limits: float) -> None:
        self.now = 0.0
        self.naps: list[float] = []
        self.patience = replace(
            Patience(),
            clock=lambda: self.now,
            sleep=self.sleep,
            chance=lambda: 1.0,
            **limits,  # type: ignore[arg-type]
        )

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds

    def attempts(self, known: bool = True) -> Attempts:
        return Attempts("h", self.patience, lambda _text: None, lambda: known)


def fail_until_given_up(attempts: Attempts, trouble: Transient) -> GaveUp:
    with pytest.raises(GaveUp) as caught:
        for _ in range(1000):
            attempts.failed(trouble)
    return caught.value


def test_waits_double_up_to_a_limit() -> None:
    time = Time(first_wait_s=1.0, longest_wait_s=6.0, total_s=25.0)
    fail_until_given_up(time.attempts(), Transient("is odd"))
    assert time.naps == [1, 2, 4, 6, 6, 6]


def test_waits_are_jittered_over_their_whole_length() -> None:
    time = Time(first_wait_s=4.0)
    chances = iter([0.0, 0.25])
    time.patience = replace(time.patience, chance=lambda: next(chances))
    attempts = time.attempts()
    attempts.failed(Transient("x"))
    attempts.failed(Transient("x"))
    assert time.naps == [0.0, 2.0]


def test_success_makes_patience_whole_again() -> None:
    time = Time(first_wait_s=1.0, total_s=10.0)
    attempts = time.attempts()
    for _ in range(50):
        attempts.failed(Transient("x"))
        attempts.succeeded()
    assert time.naps == [1.0] * 50


def test_a_host_that_never_answered_is_given_up_sooner() -> None:
    time = Time(total_s=1000.0, first_contact_s=5.0)
    fail_until_given_up(time.attempts(known=False), Transient("cannot be reached", reached=False))
    assert time.now <= 5.0


def test_few_slow_failures_are_tried_again_all_the_same() -> None:
    time = Time(total_s=10.0)
    attempts = time.attempts()
    for _ in range(2):
        time.now += 100.0
        attempts.failed(Transient("went silent"))
    with pytest.raises(GaveUp, match="tried 3 times"):
        attempts.failed(Transient("went silent"))


def test_retry_after_is_a_lower_limit_and_has_an_upper_one() -> None:
    time = Time(first_wait_s=1.0, longest_retry_after_s=30.0)
    attempts = time.attempts()
    attempts.failed(Transient("x", retry_after=0.1))
    attempts.failed(Transient("x", retry_after=12))
    attempts.failed(Transient("x", retry_after=86400))
    assert time.naps == [1, 12, 30]


@given(st.floats(0.001, 5), st.floats(1, 100), st.floats(0, 1))
def test_it_always_ends_and_not_long_after_its_time(first: float, total: float, chance: float) -> None:
    time = Time(first_wait_s=first, total_s=total, longest_wait_s=10.0)
    time.patience = replace(time.patience, chance=lambda: max(chance, 0.05))
    fail_until_given_up(time.attempts(), Transient("x"))
    assert time.now <= max(total, 3 * 10.0)


def test_retry_after_in_all_its_forms() -> None:
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    later = format_datetime(datetime(2026, 1, 2, 3, 4, 35, tzinfo=UTC), usegmt=True)
    assert retry_after_seconds(" 17 ", now.timestamp()) == 17
    assert retry_after_seconds(later, now.timestamp()) == 30
    assert retry_after_seconds(later, now.timestamp() + 60) == 0
    assert retry_after_seconds("Fri, 02 Jan 2026 03:04:35 +0100", now.timestamp()) == 0


@given(st.text(max_size=40))
def test_nonsense_in_retry_after_is_nothing(text: str) -> None:
    assert retry_after_seconds(text, 0.0) >= 0.0
