"""Bounds of paired scores of any kind, against scipy's, and where there is little to go by."""

from __future__ import annotations

import math
import random

import pytest

from git_lepton.evidence.statistics.paired_mean import paired_mean

stats = pytest.importorskip("scipy.stats")
np = pytest.importorskip("numpy")


def noise(items: int, seed: int = 3) -> tuple[list[float], list[float]]:
    source = random.Random(seed)
    before = [source.gauss(2, 1) for _ in range(items)]
    return [score + source.gauss(0.1, 0.5) for score in before], before


def test_of_normal_differences_it_is_students_interval() -> None:
    after, before = noise(400)
    bounds = paired_mean(after, before, 0.05)
    known = stats.ttest_rel(after, before).confidence_interval(0.91)
    assert (bounds.low, bounds.high) == pytest.approx((known.low, known.high), abs=0.006)
    assert bounds.low <= known.low + 1e-12 and bounds.high >= known.high - 1e-12
    assert bounds.difference == pytest.approx(np.mean(after) - np.mean(before))


def test_of_skewed_differences_it_follows_the_skew() -> None:
    source = random.Random(5)
    after = [source.expovariate(1) ** 2 for _ in range(200)]
    bounds = paired_mean(after, [0.0] * 200, 0.05)
    known = stats.bootstrap((after,), np.mean, confidence_level=0.91, method="BCa", random_state=1).confidence_interval
    assert bounds.high >= known.high - 0.05
    assert bounds.high - bounds.difference > bounds.difference - bounds.low


def test_the_same_seed_gives_the_same_bounds() -> None:
    after, before = noise(60)
    assert paired_mean(after, before, 0.05, seed=7) == paired_mean(after, before, 0.05, seed=7)


def test_clusters_count_and_not_their_items() -> None:
    after, before = noise(40)
    many_after, many_before = [score for score in after for _ in range(25)], [score for score in before for _ in range(25)]
    clusters = [str(number) for number in range(40) for _ in range(25)]
    alone, together = paired_mean(after, before, 0.05), paired_mean(many_after, many_before, 0.05, clusters)
    assert (together.low, together.high) == pytest.approx((alone.low, alone.high), abs=0.01)
    assert paired_mean(many_after, many_before, 0.05).low > together.low
    assert together.method == "bootstrap of clusters"
    assert together.deviation == pytest.approx(5 * alone.deviation, rel=1e-6)  # a thousand items that say as much as 40


@pytest.mark.parametrize("change", [0.0, 0.01])
def test_equal_differences_are_no_certainty(change: float) -> None:
    before = [0.0, 1.0] * 100
    bounds = paired_mean([score + change for score in before], before, 0.05)
    if change == 0:
        assert bounds.high == -bounds.low == pytest.approx(1 - 0.05 ** (1 / 200))
    assert bounds.low < bounds.difference < bounds.high or change


@pytest.mark.parametrize(("scores", "clusters"), [([1.5], []), ([1.0, 2.0, 3.0], ["a", "a", "a"])])
def test_one_unit_bounds_nothing(scores: list[float], clusters: list[str]) -> None:
    bounds = paired_mean(scores, [0.0] * len(scores), 0.05, clusters)
    assert (bounds.low, bounds.high) == (-math.inf, math.inf)
