"""Power of a gate: how often it refuses a version that is as good as its baseline, how small a loss it shows, how many items would do."""

from __future__ import annotations

import math

from git_lepton.evidence.statistics.bounds import Bounds, normal_quantile, normal_share

POWER = 0.8
"""The probability with which a loss is to be found where it is called visible."""


def error_of(bounds: Bounds, alpha: float) -> float:
    """The standard error of a difference that its wider bound stands for: never zero, also where no item differs."""
    return max(bounds.difference - bounds.low, bounds.high - bounds.difference) / normal_quantile(1 - alpha)


def refusal_chance(error: float, budget: float, alpha: float, *, fails_when_inconclusive: bool) -> float:
    """The probability that a version without any true difference is refused. A gate that lets the inconclusive pass refuses what looks
    worse than the budget; a stricter one refuses too what is not surely within it."""
    if error <= 0:
        return 0.0
    return normal_share((normal_quantile(1 - alpha) if fails_when_inconclusive else 0.0) - budget / error)


def smallest_loss(deviation: float, items: int, alpha: float) -> float:
    """The smallest true loss that a test at `alpha` shows with the probability POWER."""
    return _factor(alpha) * deviation / math.sqrt(items)


def items_to_see(loss: float, deviation: float, alpha: float) -> int | None:
    """How many items show this loss with the probability POWER; None where no number of them can be told."""
    return math.ceil((_factor(alpha) * deviation / loss) ** 2) if loss > 0 and deviation > 0 else None


def _factor(alpha: float) -> float:
    return normal_quantile(1 - alpha) + normal_quantile(POWER)
