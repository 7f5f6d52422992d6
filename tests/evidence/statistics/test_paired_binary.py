"""Bounds of paired binary scores: against an independent enumeration, at both edges, and never without width."""

from __future__ import annotations

import math

import pytest

from git_lepton.evidence.statistics.bounds import normal_quantile
from git_lepton.evidence.statistics.paired_binary import FEW_PAIRS, exact_share, not_worse, paired_binary, tango

stats = pytest.importorskip("scipy.stats")


def test_the_score_interval_solves_its_equation() -> None:
    for gained, lost, items in ((40, 10, 360), (20, 22, 1000), (100, 130, 5000)):
        bounds = paired_binary(gained, lost, items, 0.05)
        assert bounds.method == "score"
        assert float(tango(gained, lost, items, bounds.low)) == pytest.approx(normal_quantile(0.95), abs=1e-2)
        assert float(tango(gained, lost, items, bounds.high)) == pytest.approx(-normal_quantile(0.95), abs=1e-2)


@pytest.mark.parametrize(
    ("gained", "lost", "items", "confidence", "low", "high"),
    [
        (
            1,
            7,
            21,
            0.95,
            -0.517,
            -0.026,
        ),  # Fagerland, Lydersen and Laake, Statistics in Medicine 33 (2014), 2850-2875: airway data
        (28, 25, 618, 0.90, -0.0148, 0.0247),  # what scoreci.mp(25, 28, 618, 0.9) of R's PropCIs answers
    ],
)
def test_tangos_interval_is_the_published_one(
    gained: int, lost: int, items: int, confidence: float, low: float, high: float
) -> None:
    wanted = normal_quantile((1 + confidence) / 2)
    for known, sign in ((low, 1), (high, -1)):
        before, after = float(tango(gained, lost, items, known - 6e-4)), float(tango(gained, lost, items, known + 6e-4))
        assert before > sign * wanted > after


def test_the_statistic_of_no_difference_is_mcnemars() -> None:
    assert float(tango(30, 14, 500, 0.0)) == pytest.approx((30 - 14) / math.sqrt(30 + 14))


def test_the_exact_probability_is_that_of_an_enumeration() -> None:
    """All outcomes of 25 pairs, by scipy's multinomial distribution, at many chances of the nuisance parameter."""
    items, gained, lost, difference = 25, 3, 4, -0.2
    here = float(tango(float(gained), float(lost), items, difference))
    outcomes = [(a, b) for a in range(items + 1) for b in range(items + 1 - a)]
    speaking = [(a, b) for a, b in outcomes if float(tango(float(a), float(b), items, difference)) >= here - 1e-9]
    worst = 0.0
    for share in [0.2 + step * 0.005 for step in range(81)]:
        chances = [share + difference, share, 1 - 2 * share - difference]
        worst = max(worst, sum(stats.multinomial.pmf([a, b, items - a - b], items, chances) for a, b in speaking))
    found = exact_share(gained, lost, items, difference)
    assert worst - 0.002 <= found <= worst + 0.002


@pytest.mark.parametrize("items", [1, 20, 360, 5000])
def test_no_difference_at_all_is_no_certainty(items: int) -> None:
    bounds = paired_binary(0, 0, items, 0.05)
    known = 1 - 0.05 ** (1 / items)  # what one binomial share of nothing can be
    assert bounds.high == -bounds.low
    assert known <= bounds.high <= 1.03 * known + 1e-3


@pytest.mark.parametrize(("gained", "lost", "items"), [(0, 3, 360), (7, 2, 100), (14, 15, 1000), (40, 10, 360), (5, 0, 5)])
def test_bounds_are_symmetric_hold_the_difference_and_widen_with_certainty(gained: int, lost: int, items: int) -> None:
    bounds, other = paired_binary(gained, lost, items, 0.05), paired_binary(lost, gained, items, 0.05)
    assert (bounds.low, bounds.high) == pytest.approx((-other.high, -other.low))
    assert bounds.low < bounds.difference < bounds.high or bounds.difference == 1 == bounds.high
    surer = paired_binary(gained, lost, items, 0.01)
    assert surer.low < bounds.low and surer.high >= bounds.high
    assert not_worse(gained, lost, items, -bounds.low + 0.001, 0.05)
    assert not not_worse(gained, lost, items, -bounds.low - 0.001, 0.05)


def test_few_and_many_pairs_hardly_differ_where_they_meet() -> None:
    few, many = paired_binary(14, FEW_PAIRS - 15, 1000, 0.05), paired_binary(15, FEW_PAIRS - 15, 1000, 0.05)
    assert (few.method, many.method) == ("exact", "score")
    assert many.low - few.low < 0.003
