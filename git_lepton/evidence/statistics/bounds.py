"""Bounds of a difference, and quantiles of the normal and of Student's t distribution without a library that takes a second to load."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

_NORMAL = NormalDist()


class Bounds(NamedTuple):
    """The difference of two means, its one-sided bounds, how they were found, the items that were compared, and the standard
    deviation of the items' differences; where they are in clusters, that of as many independent ones with the same error."""

    difference: float
    low: float
    high: float
    method: str
    items: int
    deviation: float


def normal_quantile(share: float) -> float:
    """The value below which a standard normal variable lies with this probability (0 < share < 1)."""
    return _NORMAL.inv_cdf(share)


def normal_share(value: float) -> float:
    """The probability that a standard normal variable lies below `value`."""
    return _NORMAL.cdf(value)


def student_quantile(share: float, freedom: int) -> float:
    """The same of Student's t with so many degrees of freedom: by bisection of its distribution function."""
    if share < 0.5:
        return -student_quantile(1 - share, freedom)
    low, high = 0.0, 1.0
    while student_share(high, freedom) < share:
        low, high = high, high * 2
    for _ in range(100):
        middle = (low + high) / 2
        if student_share(middle, freedom) < share:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def student_share(value: float, freedom: int) -> float:
    """The probability that Student's t lies below `value`: Abramowitz and Stegun, 26.7.3 and 26.7.4."""
    if freedom > 1_000:
        return _NORMAL.cdf(value * (1 - 1 / (4 * freedom)) / math.sqrt(1 + value * value / (2 * freedom)))  # 26.7.8
    angle = math.atan2(value, math.sqrt(freedom))
    sine, square = math.sin(angle), math.cos(angle) ** 2
    odd = freedom % 2
    term = total = math.cos(angle) if odd else 1.0
    for step in range(3 if odd else 2, freedom - 1, 2):
        term *= square * (step - 1) / step
        total += term
    both = 2 / math.pi * (angle + (sine * total if freedom > 1 else 0.0)) if odd else sine * total
    return 0.5 + both / 2
