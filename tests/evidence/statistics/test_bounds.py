"""Quantiles against scipy's."""

from __future__ import annotations

import pytest

from git_lepton.evidence.statistics.bounds import normal_quantile, student_quantile, student_share

stats = pytest.importorskip("scipy.stats")


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 7, 30, 199, 1000, 5000])
def test_student(freedom: int) -> None:
    for share in (0.001, 0.05, 0.5, 0.9, 0.975, 0.999):
        assert student_quantile(share, freedom) == pytest.approx(stats.t.ppf(share, freedom), rel=2e-6, abs=1e-9)
    for value in (-3.0, 0.0, 0.3, 2.5):
        assert student_share(value, freedom) == pytest.approx(stats.t.cdf(value, freedom), abs=2e-7)


def test_normal() -> None:
    assert normal_quantile(0.95) == pytest.approx(1.6448536)
