"""Fruitless pushes: accounts whose pushes lately came to nothing, refused or left in the middle. What git does for their next ones steps
back from the start, so that many short ones in a row do not take from others what a long one cannot."""

from __future__ import annotations

import time
from collections.abc import Callable

from lepton_server.git_bounds import MODEST_AFTER_SECONDS

_REMEMBERED_SECONDS = 60.0
_MOST = 10_000


class FruitlessPushes:
    """Fruitless pushes of each account, in this process. For one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: dict[str, float] = {}

    def note(self, account: str) -> None:
        """A push of this account did not land."""
        if len(self._last) >= _MOST:
            self._last.clear()
        self._last[account] = self._clock()

    def modest_after(self, account: str) -> float:
        """The seconds that its next push may work as others do."""
        last = self._last.get(account)
        return MODEST_AFTER_SECONDS if last is None or self._clock() - last > _REMEMBERED_SECONDS else 0.0
