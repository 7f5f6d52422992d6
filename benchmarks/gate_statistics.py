"""`python -m benchmarks.gate_statistics`: how often gates pass a version that is exactly as much worse as the budget allows.

At the edge of the budget a test at alpha may pass a version in alpha of all cases. Each cell simulates 10,000 pairs of versions, whose true
difference is the budget, and counts the passes. Prints the tables of docs/evaluation.md, and exits with 1 if a cell is above 5.5 %.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt

from git_lepton.evidence.statistics import paired_mean as mean_module
from git_lepton.evidence.statistics.bounds import student_quantile
from git_lepton.evidence.statistics.paired_binary import not_worse
from git_lepton.evidence.statistics.paired_mean import paired_mean

ALPHA, MOST = 0.05, 0.055
DRAWS = 10_000
ITEMS = (50, 100, 200, 500, 1000, 2000, 5000)
DISCORDANCE = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
CLUSTER = 10
_AT_ONCE = 500
Array = npt.NDArray[np.float64]


@cache
def _passes(gained: int, lost: int, items: int, margin: float) -> bool:
    return not_worse(gained, lost, items, margin, ALPHA)


def binary(items: int, discordance: float, margin: float, random: np.random.Generator) -> float:
    """The share of passes of right and wrong items: `discordance` of the pairs disagree."""
    gained, lost = (discordance - margin) / 2, (discordance + margin) / 2
    counts = random.multinomial(items, [gained, lost, 1 - discordance], DRAWS)
    return sum(_passes(int(won), int(gone), items, margin) for won, gone, _ in counts) / DRAWS


def clustered(items: int, discordance: float, margin: float, random: np.random.Generator) -> float:
    """The same where the items of a cluster fare alike: each cluster has an inclination of its own."""

    def draw(shape: tuple[int, int]) -> Array:
        inclined = random.beta(2 * discordance, 2 * (1 - discordance), shape)
        differ = random.binomial(CLUSTER, inclined)
        lost = random.binomial(differ, (discordance + margin) / (2 * discordance))
        return (differ - 2 * lost).astype(float)

    return _passed(draw, items // CLUSTER, CLUSTER, margin)


def scores(items: int, kind: str, random: np.random.Generator) -> float:
    """The share of passes of scores whose differences are normal, skewed to one side, or have heavy tails."""
    return _passed(lambda shape: _KINDS[kind](random, shape) - 0.1, items, 1, 0.1)


def _passed(draw: Callable[[tuple[int, int]], Array], units: int, size: int, margin: float) -> float:
    """The share of passes of sums of the differences of `units` clusters of `size` items. `paired_mean` is asked only where Student's
    bound alone passes: its own bounds are the wider ones."""
    quantile, passes = student_quantile(1 - mean_module.CAUTION * ALPHA, units - 1), 0
    clusters = [str(unit) for unit in range(units) for _ in range(size)] if size > 1 else []
    for seed in range(DRAWS // _AT_ONCE):
        rows = draw((_AT_ONCE, units))
        error = rows.std(axis=1, ddof=1) / np.sqrt(units)
        low = (rows.mean(axis=1) - quantile * error) / size
        for row in rows[low > -margin]:
            each = np.repeat(row / size, size)  # only the sums of clusters and the range of the scores count
            if size > 1:
                each[0], each[1] = each[0] + 1, each[1] - 1
            passes += paired_mean(list(each), [0.0] * len(each), ALPHA, clusters, seed).low > -margin
    return passes / DRAWS


_KINDS: dict[str, Callable[[np.random.Generator, tuple[int, int]], Array]] = {
    "normal": lambda random, shape: random.standard_normal(shape),
    "skewed up": lambda random, shape: random.exponential(1.0, shape) - 1,
    "skewed down": lambda random, shape: 1 - random.exponential(1.0, shape),
    "heavy tails": lambda random, shape: random.standard_t(3, shape),
}


def main() -> int:
    mean_module.RESAMPLES = 1_000  # a quarter of what gates draw; more changes the third digit
    random = np.random.default_rng(20261201)
    worst = 0.0
    for title, measure in (("Right and wrong", binary), ("Right and wrong, in clusters of 10", clustered)):
        print(f"**{title}.** With a budget of half the discordance, and of all of it:\n")
        print(f"| items | {' | '.join(f'{share:.1%} disagree' for share in DISCORDANCE)} |")
        print(f"| --- |{' ---: |' * len(DISCORDANCE)}")
        for items in ITEMS:
            cells = []
            for share in DISCORDANCE:
                pair = [measure(items, share, share * part, random) for part in (0.5, 1.0)]
                worst = max(worst, *pair)
                cells.append(", ".join(f"{100 * one:.1f}" for one in pair))
            print(f"| {items:,} | {' | '.join(cells)} |", flush=True)
        print()
    print("**Scores of any kind**, by how their differences are distributed:\n")
    print(f"| items | {' | '.join(_KINDS)} |")
    print(f"| --- |{' ---: |' * len(_KINDS)}")
    for items in ITEMS:
        shares = [scores(items, kind, random) for kind in _KINDS]
        worst = max(worst, *shares)
        print(f"| {items:,} | {' | '.join(f'{100 * one:.1f}' for one in shares)} |", flush=True)
    print(f"\nThe worst cell: {100 * worst:.2f} %")
    return int(worst > MOST)


if __name__ == "__main__":
    sys.exit(main())
