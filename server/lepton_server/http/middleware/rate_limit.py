"""The rate at which one client may ask: token buckets in the memory of this process, by token, or by address where there is none.

Who guesses tokens is held up much sooner: only wrong ones count, by address, and tokens that were right a while ago pass all the same,
so that a stranger behind the same address does not lock anybody out. Times are in seconds.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable

from lepton_server.errors import Refusal
from lepton_server.identity.authentication import token_in

_MOST_KEYS = 50_000  # of which memory holds something; whoever was not seen for longest is forgotten
_MOST_TOKENS = 10_000


class Buckets:
    """For each key a bucket that holds what a minute allows, and fills up again in a minute."""

    def __init__(self, per_minute: int, now: Callable[[], float] = time.monotonic) -> None:
        """`per_minute` of 0: no limit."""
        self._most = per_minute
        self._now = now
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, key: str) -> float:
        """How long until there is one for this key; 0.0 if there is."""
        return max(0.0, (1.0 - self._level(key)) * 60.0 / self._most) if self._most else 0.0

    def take(self, key: str) -> float:
        """Take one if there is one; else how long until there is."""
        if wait := self.wait(key):
            return wait
        if self._most:
            self._levels[key] = self._level(key) - 1.0, self._now()
            self._levels.move_to_end(key)
            if len(self._levels) > _MOST_KEYS:
                self._levels.popitem(last=False)
        return 0.0

    def _level(self, key: str) -> float:
        level, then = self._levels.get(key, (float(self._most), 0.0))
        return min(float(self._most), level + (self._now() - then) * self._most / 60.0)


class Rates:
    """The limits of one process. Not thread-safe: for its event loop."""

    def __init__(self, requests_per_minute: int, failed_logins_per_minute: int) -> None:
        self._requests = Buckets(requests_per_minute)
        self._wrong = Buckets(failed_logins_per_minute)
        self._right: OrderedDict[str, None] = OrderedDict()  # digests of tokens that were right

    def admit(self, address: str, key: str) -> float:
        """0.0 if this request may go on, else in how many seconds to come again. `key`: see `token_key`."""
        if key and key not in self._right and (wait := self._wrong.wait(address)):
            return wait
        return self._requests.take(key if key in self._right else address)

    def heard(self, address: str, key: str, *, known: bool, refused: bool) -> None:
        """What became of a request: it was answered to an account that is `known`, or `refused` with 401."""
        if key and known:
            self._right[key] = None
            self._right.move_to_end(key)
            if len(self._right) > _MOST_TOKENS:
                self._right.popitem(last=False)
        elif key and refused:
            self._right.pop(key, None)
            self._wrong.take(address)


def token_key(authorization: bytes) -> str:
    """The name of a token's bucket, one for all ways to write the header, so that nobody gets a bucket for each; "" for no token."""
    try:
        said = token_in(authorization.decode("latin-1")).encode()
    except Refusal:
        said = authorization
    return hashlib.sha256(said).hexdigest() if authorization else ""
