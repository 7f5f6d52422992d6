"""A proxy before a server that lets chance break what passes: busy answers, and bodies that end early."""

from __future__ import annotations

import random
from dataclasses import dataclass

from tests.support.faulty_proxy import Fault, FaultyProxy, Seen

_SLOW_DOWN = b'<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>'
_LARGEST_CUT = 1 << 16


@dataclass
class Odds:
    """How often, of 1, a request is answered with 503 SlowDown, and how often a body is cut."""

    busy: float = 0.05
    cut: float = 0.02


class Unreliable(FaultyProxy):
    """`odds` may be changed at any time."""

    def __init__(self, target: str, odds: Odds, seed: int = 0) -> None:
        super().__init__(target)
        self.odds = odds
        self.passed = self.refused = self.cut = 0
        self._chance = random.Random(seed)

    def fault_for(self, seen: Seen) -> Fault:
        with self.lock:
            roll, length = self._chance.random(), self._chance.randrange(_LARGEST_CUT)
            if roll < self.odds.busy:
                self.refused += 1
                return Fault(status=503, headers={"Content-Type": "application/xml"}, body=_SLOW_DOWN)
            if roll < self.odds.busy + self.odds.cut:
                self.cut += 1
                if seen.length:
                    return Fault(cut_request_after=min(length, seen.length - 1))
                return Fault(cut_answer_after=length)
            self.passed += 1
            return Fault()
