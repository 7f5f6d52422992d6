"""Paired scores of any kind: by how much their mean differs between two versions on the same items, or in the same clusters of items.

The wider of two one-sided bounds on each side: Student's t, and the studentised bootstrap (Efron and Tibshirani 1993, chapter 12.5), which
follows skew. Clusters are what is drawn and counted where there are some (Miller 2024, arXiv 2411.00640).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from git_lepton.evidence.statistics.bounds import Bounds, student_quantile

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

RESAMPLES = 4_000
CAUTION = 0.9
"""Bounds are drawn at this share of alpha: on skewed clusters they were found to miss up to a tenth more often than they should
(`python -m benchmarks.gate_statistics`)."""
FEW_DIFFERENCES = 30
"""Fewer items that differ at all say little of those that might: bounds are then at least as wide as what nobody saw."""
_BLOCK = 4_000_000  # numbers drawn at once
_NO_ERROR, _FAR = 1e-300, 1e9  # a sample of equal differences is further away than any other


def paired_mean(
    candidate: Sequence[float], baseline: Sequence[float], alpha: float, clusters: Sequence[str] = (), seed: int = 0
) -> Bounds:
    """Bounds of the mean of `candidate` less that of `baseline`: as many scores, of the same items. The same `seed` draws the same."""
    import numpy as np

    scores, before = np.asarray(candidate, float), np.asarray(baseline, float)
    differences = scores - before
    sums, sizes = _grouped(differences, clusters)
    units, total = len(sums), float(sizes.sum())
    mean = float(sums.sum() / total)
    deviation = float(differences.std(ddof=1)) if len(differences) > 1 else 0.0
    method = "bootstrap of clusters" if clusters else "bootstrap"
    if units < 2:
        return Bounds(mean, -math.inf, math.inf, "none: one item or cluster", len(differences), deviation)
    error, tail = float(_errors(sums[None, :], sizes[None, :])[0]), CAUTION * alpha
    above = below = student_quantile(1 - tail, units - 1) * error
    if error > 0:
        drawn = _studentised(sums, sizes, mean, np.random.Generator(np.random.PCG64(seed)))
        above = max(above, -float(np.quantile(drawn, tail)) * error)
        below = max(below, float(np.quantile(drawn, 1 - tail)) * error)
    if np.count_nonzero(sums) < FEW_DIFFERENCES:
        spread = max(float(np.ptp(np.concatenate([scores, before]))), float(np.abs(differences).max()), 1e-12)
        unseen = spread * (1 - alpha ** (1 / units))
        above, below = max(above, unseen), max(below, unseen)
    return Bounds(mean, mean - below, mean + above, method, len(differences), error * math.sqrt(len(differences)))


def _grouped(differences: Array, clusters: Sequence[str]) -> tuple[Array, Array]:
    """Sum of the differences, and number of items, of each cluster; of each item where there are none."""
    import numpy as np

    if not clusters:
        return differences, np.ones(len(differences))
    _, of = np.unique(np.asarray(clusters), return_inverse=True)
    return np.bincount(of, weights=differences).astype(float), np.bincount(of).astype(float)


def _errors(sums: Array, sizes: Array) -> Any:
    """The standard error of the mean, for each row of clusters: of a ratio, linearised."""
    import numpy as np

    units = sums.shape[1]
    totals = sizes.sum(axis=1)
    residuals = sums - sizes * (sums.sum(axis=1) / totals)[:, None]
    return np.sqrt(np.square(residuals).sum(axis=1) * units / (units - 1)) / totals


def _studentised(sums: Array, sizes: Array, mean: float, random: np.random.Generator) -> Array:
    """How many standard errors the means of samples drawn from these clusters lie above the mean of all."""
    import numpy as np

    units = len(sums)
    rows = max(1, min(RESAMPLES, _BLOCK // units))
    found = []
    for start in range(0, RESAMPLES, rows):
        chosen = random.integers(0, units, (min(rows, RESAMPLES - start), units))
        some, counts = sums[chosen], sizes[chosen]
        errors = _errors(some, counts)
        away = some.sum(axis=1) / counts.sum(axis=1) - mean
        found.append(np.clip(away / np.maximum(errors, _NO_ERROR), -_FAR, _FAR))
    return np.concatenate(found)
