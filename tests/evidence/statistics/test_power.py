"""Power: against simulation, and against the figures of the literature's formula."""

from __future__ import annotations

import math

import pytest

from git_lepton.evidence.statistics.paired_binary import paired_binary
from git_lepton.evidence.statistics.power import error_of, items_to_see, refusal_chance, smallest_loss

np = pytest.importorskip("numpy")


@pytest.mark.parametrize(("discordance", "points"), [(0.02, 1.1), (0.05, 1.8), (0.10, 2.5)])
def test_the_smallest_loss_of_a_thousand_items(discordance: float, points: float) -> None:
    deviation = math.sqrt(discordance)
    loss = smallest_loss(deviation, 1000, 0.05)
    assert 100 * loss == pytest.approx(points, abs=0.06)
    assert items_to_see(loss, deviation, 0.05) in (1000, 1001)
    assert items_to_see(0, deviation, 0.05) is items_to_see(0.01, 0, 0.05) is None


@pytest.mark.parametrize("strict", [False, True])
def test_refusals_of_a_version_that_is_as_good_are_as_many_as_in_a_simulation(strict: bool) -> None:
    items, discordance, budget = 1000, 0.1, 0.015
    counts = np.random.default_rng(1).multinomial(items, [discordance / 2, discordance / 2, 1 - discordance], 200)
    refused = 0
    for gained, lost, _ in counts:
        bounds = paired_binary(int(gained), int(lost), items, 0.05)
        refused += bounds.low < -budget if strict else bounds.difference < -budget
    error = error_of(paired_binary(50, 50, items, 0.05), 0.05)
    chance = refusal_chance(error, budget, 0.05, fails_when_inconclusive=strict)
    assert chance == pytest.approx(refused / 200, abs=0.1)
    assert (chance > 0.5) == strict


def test_where_nothing_differs_there_is_an_error_all_the_same() -> None:
    assert error_of(paired_binary(0, 0, 360, 0.05), 0.05) == pytest.approx(0.0083 / 1.645, rel=0.05)
