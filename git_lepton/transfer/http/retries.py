"""Retries: whether a request that failed is worth sending again, how long to wait before, and when to stop.

Exponential backoff with full jitter; never before the server's `Retry-After`. Pure but for the clock, the sleep and the
chance that it is given.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from git_lepton.errors import NetworkTrouble


class Transient(Exception):
    """A failure that may be over when the request is sent again. `reason` completes "HOST ...", `retry_after` is in seconds;
    `reached` tells whether the server was there at all."""

    def __init__(self, reason: str, hint: str = "", *, retry_after: float = 0.0, status: int = 0, reached: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint
        self.retry_after = retry_after
        self.status = status
        self.reached = reached


class GaveUp(NetworkTrouble):
    """A host did not do what it was asked, however often it was asked."""


@dataclass(frozen=True)
class Patience:
    """Limits, in seconds. `total_s`: from the first failure to giving up; `first_contact_s`: the same while the host never
    answered in this process; `first_wait_s` doubles up to `longest_wait_s`; a Retry-After counts for at most
    `longest_retry_after_s`. A server that answers 500 is asked `internal_errors` times."""

    total_s: float = 75.0
    first_contact_s: float = 10.0
    first_wait_s: float = 0.3
    longest_wait_s: float = 10.0
    longest_retry_after_s: float = 60.0
    fewest_attempts: int = 3
    internal_errors: int = 6
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random  # in [0, 1)


class Attempts:
    """The failures of one piece of work at one host. `succeeded` forgets them."""

    def __init__(self, host: str, patience: Patience, note: Callable[[str], object], known: Callable[[], bool]) -> None:
        self._host = host
        self._patience = patience
        self._note = note
        self._known = known
        self.succeeded()

    def succeeded(self) -> None:
        """Something came through: patience is whole again."""
        self._began: float | None = None
        self._failures = 0

    def failed(self, trouble: Transient) -> None:
        """Wait until it is worth trying again. Raises GaveUp when it is not."""
        self._failures += 1
        now = self._patience.clock()
        if self._began is None:
            self._began = now
        wait = self._wait(trouble)
        if self._is_over(trouble, now - self._began + wait):
            raise self._give_up(trouble, now - self._began) from trouble
        if wait >= 1.0:
            self._note(f"{self._host} {trouble.reason}; trying again in {wait:.0f} s")
        self._patience.sleep(wait)

    def _wait(self, trouble: Transient) -> float:
        patience = self._patience
        longest = min(patience.longest_wait_s, patience.first_wait_s * 2.0 ** min(self._failures - 1, 30))
        return max(longest * patience.chance(), min(trouble.retry_after, patience.longest_retry_after_s))

    def _is_over(self, trouble: Transient, elapsed: float) -> bool:
        patience = self._patience
        if trouble.status == 500 and self._failures >= patience.internal_errors:
            return True
        total = patience.total_s if self._known() else patience.first_contact_s
        return elapsed > total and self._failures >= patience.fewest_attempts

    def _give_up(self, trouble: Transient, elapsed: float) -> GaveUp:
        tries = f"tried {self._failures} times in {elapsed:.0f} s"
        again = "Run the same command again later: it goes on where it stopped."
        hint = trouble.hint or ("" if trouble.reached else "Is the server running, and are the address and your network right? ")
        return GaveUp(f"{self._host} {trouble.reason} ({tries})", f"{hint.strip()} {again}".strip())


def retry_after_seconds(value: str, now: float) -> float:
    """What a Retry-After header asks for, in seconds from `now` (a Unix time); 0.0 where it says nothing sensible."""
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment: float = parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return max(0.0, moment - now)
