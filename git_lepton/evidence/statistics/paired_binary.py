"""Paired binary scores: by how much the share of right answers differs between two versions on the same items.

`gained` items only the candidate has right, `lost` ones only the baseline. Where many pairs disagree: the score interval of Tango (1998,
Statistics in Medicine 17, 891-908). Where few do, that is liberal: then the exact unconditional test that orders outcomes by the
same statistic, its nuisance parameter kept to a confidence interval (Berger and Boos 1994, JASA 89, 1012-1016).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from git_lepton.evidence.statistics.bounds import Bounds, normal_quantile

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

FEW_PAIRS = 30
"""Fewer that disagree are judged exactly."""
_NUISANCE_RISK = 0.0005
_NUISANCE_POINTS = 48
_TAIL = 1e-9


def paired_binary(gained: int, lost: int, items: int, alpha: float) -> Bounds:
    """Bounds of the difference of two shares. `items` counts all pairs, also those that agree: at least 1."""
    exact = gained + lost < FEW_PAIRS
    lower = _exact_lower if exact else _score_lower
    difference = (gained - lost) / items
    deviation = math.sqrt(max((gained + lost) / items - difference**2, 0.0))
    low, high = lower(gained, lost, items, alpha), -lower(lost, gained, items, alpha)
    return Bounds(difference, low, high, "exact" if exact else "score", items, deviation)


def not_worse(gained: int, lost: int, items: int, margin: float, alpha: float) -> bool:
    """Whether the difference is surely above -`margin`: what `paired_binary`'s lower bound says, without looking for it."""
    if gained + lost < FEW_PAIRS:
        return exact_share(gained, lost, items, -margin) < alpha
    return float(tango(gained, lost, items, -margin)) > normal_quantile(1 - alpha)


def tango(gained: Any, lost: Any, items: int, difference: float) -> Any:
    """Tango's statistic of these counts (numbers or arrays) under a difference: standard normal where that is the true one."""
    import numpy as np

    a = 2.0 * items
    b = -gained - lost + (2 * items - gained + lost) * difference
    c = -lost * difference * (1 - difference)
    share = (np.sqrt(np.maximum(b * b - 4 * a * c, 0)) - b) / (2 * a)
    variance = np.maximum(items * (2 * share + difference * (1 - difference)), 0)
    above = gained - lost - items * difference
    with np.errstate(divide="ignore", invalid="ignore"):
        found = above / np.sqrt(variance)
        return np.where(variance > 0, found, np.where(above == 0, 0.0, np.sign(above) * np.inf))


def exact_share(gained: int, lost: int, items: int, difference: float) -> float:
    """The probability, at most, of a result that speaks as much for more than `difference`, where that is the true one."""
    import numpy as np

    rest = max(0.0, -difference)  # the share of lost items is at least that
    least, most = _nuisance(gained + lost, items, difference)
    shares = np.linspace(max(rest, (least - difference) / 2), max(rest, (most - difference) / 2), _NUISANCE_POINTS)
    bound = int(items * (2 * shares[-1] + difference))
    reach = min(items, bound + 8 * math.isqrt(bound + 1) + 24)
    wins, losses, z = _outcomes(reach, items, difference)
    here = float(tango(float(gained), float(lost), items, difference))
    speaking = z >= here - 1e-9 * max(1.0, abs(here))
    wins, losses = wins[speaking], losses[speaking]
    ways = _ways(items, reach)
    kinds = ways[0][: reach + 1]  # logarithms of factorials
    count = ways[1] - kinds[wins] - kinds[losses] - ways[2][wins + losses]
    worst = 0.0
    for share in shares:
        win, loss = share + difference, share
        even = 1 - win - loss
        if win < -1e-15 or even < 0:
            continue
        with np.errstate(divide="ignore", invalid="ignore"):
            logarithm = count + _times(wins, win) + _times(losses, loss) + _times(items - wins - losses, even)
        worst = max(worst, float(np.exp(logarithm).sum()))
    return min(1.0, worst + _NUISANCE_RISK + _TAIL)


def _score_lower(gained: int, lost: int, items: int, alpha: float) -> float:
    wanted = normal_quantile(1 - alpha)
    return _bisected(lambda difference: float(tango(float(gained), float(lost), items, difference)) > wanted, gained, lost, items)


def _exact_lower(gained: int, lost: int, items: int, alpha: float) -> float:
    return _bisected(lambda difference: exact_share(gained, lost, items, difference) < alpha, gained, lost, items)


def _bisected(surely_above: Any, gained: int, lost: int, items: int) -> float:
    """The largest difference that the true one is surely above, to 1/10,000 of its distance from what was seen."""
    low, high = -1.0, (gained - lost) / items
    step = 4 / items
    while high - step > low and not surely_above(high - step):
        step *= 2
    low = max(low, high - step)
    while high - low > 1e-4 * step:
        middle = (low + high) / 2
        if surely_above(middle):
            low = middle
        else:
            high = middle
    return low


def _nuisance(discordant: int, items: int, difference: float) -> tuple[float, float]:
    """A confidence interval of the share of pairs that disagree, at 1 - _NUISANCE_RISK: Clopper and Pearson (1934)."""
    risk = _NUISANCE_RISK / 2
    least = 0.0 if discordant == 0 else _binomial_root(discordant - 1, items, 1 - risk)
    most = 1.0 if discordant == items else _binomial_root(discordant, items, risk)
    floor = abs(difference)
    return max(least, floor), min(1.0, max(most, floor))


@lru_cache(maxsize=4096)
def _binomial_root(count: int, items: int, share: float) -> float:
    """The chance at which a binomial variable is at most `count` with the probability `share`."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if _at_most(count, items, middle) > share:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _at_most(count: int, items: int, chance: float) -> float:
    if chance <= 0:
        return 1.0
    if chance >= 1:
        return 1.0 if count >= items else 0.0
    odds = math.log(chance) - math.log1p(-chance)
    term = items * math.log1p(-chance)
    total = 0.0
    for step in range(count + 1):
        total += math.exp(term)
        term += math.log(items - step) - math.log(step + 1) + odds if step < items else -math.inf
    return min(1.0, total)


def _outcomes(reach: int, items: int, difference: float) -> tuple[Any, Any, Any]:
    """All counts (wins, losses) of at most `reach` pairs that disagree, and Tango's statistic of each."""
    import numpy as np

    wins, losses = np.indices((reach + 1, reach + 1)).reshape(2, -1)
    inside = wins + losses <= reach
    wins, losses = wins[inside], losses[inside]
    return wins, losses, tango(wins.astype(float), losses.astype(float), items, difference)


@lru_cache(maxsize=64)
def _ways(items: int, reach: int) -> tuple[Array, float, Array]:
    """Logarithms of the factorials of 0 to `reach`, of `items`, and of `items` less 0 to `reach`."""
    import numpy as np

    small = np.array([math.lgamma(count + 1) for count in range(reach + 1)])
    left = np.array([math.lgamma(items - count + 1) for count in range(reach + 1)])
    return small, math.lgamma(items + 1), left


def _times(count: Any, chance: float) -> Any:
    """count * log(chance), 0 where the count is."""
    import numpy as np

    if chance <= 0:
        return np.where(count == 0, 0.0, -np.inf)
    return count * math.log(chance)
