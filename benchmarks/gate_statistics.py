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
from git_lepton.evidence.statistics.paired_binary import paired_binary
from git_lepton.evidence.statistics.paired_mean import paired_mean

ALPHA, MOST = 0.05, 0.055
DRAWS = 10_000
SEED = 20261201
ITEMS = (50, 100, 200, 500, 1000, 2000, 5000)
DISCORDANCE = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
CLUSTER = 10
_AT_ONCE = 500
Array = npt.NDArray[np.float64]


@cache
def _low(gained: int, lost: int, items: int) -> float:
    return paired_binary(gained, lost, items, ALPHA).low  # what verdicts compare with the budget


def binary(items: int, discordance: float, margin: float, random: np.random.Generator) -> float:
    """The share of passes of right and wrong items: `discordance` of the pairs disagree."""
    gained, lost = (discordance - margin) / 2, (discordance + margin) / 2
    counts = random.multinomial(items, [gained, lost, 1 - discordance], DRAWS)
    kinds, times = np.unique(counts[:, :2], axis=0, return_counts=True)
    passes = [_low(int(won), int(gone), items) >= -margin for won, gone in kinds]
    return int(times[passes].sum()) / DRAWS


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
        for row in rows[low >= -margin]:
            after, before = _right_and_wrong(row, size) if size > 1 else (row, np.zeros(units))
            passes += paired_mean(after.tolist(), before.tolist(), ALPHA, clusters, seed).low >= -margin
    return passes / DRAWS


def _right_and_wrong(sums: Array, size: int) -> tuple[Array, Array]:
    """Scores of 0 and 1 of two versions whose differences have these sums in each cluster. One item is right for both."""
    differ = np.arange(size) < np.abs(sums)[:, None]
    after, before = (differ & (sums > 0)[:, None]).ravel(), (differ & (sums < 0)[:, None]).ravel()
    if after[-1] == before[-1]:
        after[-1] = before[-1] = True
    return after.astype(float), before.astype(float)


_KINDS: dict[str, Callable[[np.random.Generator, tuple[int, int]], Array]] = {
    "normal": lambda random, shape: random.standard_normal(shape),
    "skewed up": lambda random, shape: random.exponential(1.0, shape) - 1,
    "skewed down": lambda random, shape: 1 - random.exponential(1.0, shape),
    "heavy tails": lambda random, shape: random.standard_t(3, shape),
}


def main() -> int:
    """All tables, or those that are named: binary, clustered, scores."""
    mean_module.RESAMPLES = 1_000  # a quarter of what gates draw; more changes the third digit
    chosen = sys.argv[1:] or ["binary", "clustered", "scores"]
    worst = 0.0
    for name, title, measure in (
        ("binary", "Right and wrong", binary),
        ("clustered", f"Right and wrong, in clusters of {CLUSTER}", clustered),
    ):
        if name in chosen:
            worst = max(worst, _budgets(title, measure))
    if "scores" in chosen:
        worst = max(worst, _kinds())
    print(f"The worst cell: {100 * worst:.2f} %")
    return int(worst > MOST)


def _budgets(title: str, measure: Callable[[int, float, float, np.random.Generator], float]) -> float:
    print(f"**{title}.** With a budget of half the discordance, and of all of it:\n")
    print(f"| items | {' | '.join(f'{share:.1%} disagree' for share in DISCORDANCE)} |")
    print(f"| --- |{' ---: |' * len(DISCORDANCE)}")
    random, worst = np.random.default_rng(SEED), 0.0
    for items in ITEMS:
        pairs = [[measure(items, share, share * part, random) for part in (0.5, 1.0)] for share in DISCORDANCE]
        worst = max(worst, *(one for pair in pairs for one in pair))
        cells = [", ".join(f"{100 * one:.1f}" for one in pair) for pair in pairs]
        print(f"| {items:,} | {' | '.join(cells)} |", flush=True)
    print()
    return worst


def _kinds() -> float:
    print("**Scores of any kind**, by how their differences are distributed:\n")
    print(f"| items | {' | '.join(_KINDS)} |")
    print(f"| --- |{' ---: |' * len(_KINDS)}")
    random, worst = np.random.default_rng(SEED), 0.0
    for items in ITEMS:
        shares = [scores(items, kind, random) for kind in _KINDS]
        worst = max(worst, *shares)
        print(f"| {items:,} | {' | '.join(f'{100 * one:.1f}' for one in shares)} |", flush=True)
    print()
    return worst


if __name__ == "__main__":
    sys.exit(main())
