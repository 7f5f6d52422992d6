"""The limit of large bodies that are on their way at once in this process, in all and from one address; those beyond it wait for a turn."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lepton_server.errors import Refusal

_TOO_MANY = ("Too many large requests come in at once.", "Try again.")


class Turns:
    """`together` bodies at once, `of_one` from one address (0: as many as come). For one event loop. Who has waited too long is told
    `refusal`: a sentence and a hint."""

    def __init__(self, together: int, of_one: int, refusal: tuple[str, str] = _TOO_MANY) -> None:
        self._together, self._of_one = together or sys.maxsize, of_one or sys.maxsize
        self._refusal = refusal
        self._at_it: Counter[str] = Counter()
        self._news = asyncio.Condition()

    @asynccontextmanager
    async def turn(self, address: str, patience: float) -> AsyncIterator[None]:
        """Raises Refusal (too_many_requests) where none comes in `patience` seconds."""
        try:
            async with asyncio.timeout(patience), self._news:
                await self._news.wait_for(lambda: self._is_room(address))
                self._at_it[address] += 1
        except TimeoutError:
            raise Refusal("too_many_requests", *self._refusal) from None
        try:
            yield
        finally:
            self._at_it[address] -= 1
            self._at_it += Counter()  # keeps only those that have any
            async with self._news:
                self._news.notify_all()

    def _is_room(self, address: str) -> bool:
        return self._at_it.total() < self._together and self._at_it[address] < self._of_one
