"""Pooling: all runs of one evaluation on one version, in one environment class, count as one: nobody gets a better verdict by trying
again."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from git_lepton.evidence.record import Items, Record
from git_lepton.evidence.statistics.bounds import Bounds
from git_lepton.evidence.statistics.paired_binary import paired_binary
from git_lepton.evidence.statistics.paired_mean import paired_mean

TRUST = ("self", "ci")


class Run(NamedTuple):
    """A record, its name, and how far it is trusted: `self` or `ci`."""

    name: str
    record: Record
    trust: str = "self"


class Pooled(NamedTuple):
    """A metric's mean over all runs, and the mean score of each item (none: no run told them, or they told of other items)."""

    value: float
    scores: tuple[float, ...] = ()
    clusters: tuple[str, ...] = ()
    runs: int = 1

    @property
    def is_binary(self) -> bool:
        """Whether every item is plainly right or wrong, and none belongs to a cluster."""
        return not self.clusters and all(score in (0, 1) for score in self.scores)


def by_environment(runs: Iterable[Run], trust: str = "self") -> dict[bytes, list[Run]]:
    """The runs that are trusted enough, each record once, by their environment class."""
    found: dict[bytes, dict[str, Run]] = {}
    for run in runs:
        if TRUST.index(run.trust) >= TRUST.index(trust):
            found.setdefault(run.record.environment_class, {})[run.name] = run
    return {environment: [known[name] for name in sorted(known)] for environment, known in sorted(found.items())}


def pooled(runs: Sequence[Run], metric: str) -> Pooled | None:
    """One metric over these runs, None where not every run has it."""
    values = [run.record.metrics.get(metric) for run in runs]
    if not values or any(value is None for value in values):
        return None
    mean = math.fsum(value.value for value in values if value) / len(values)
    items = [run.record.items.get(metric) for run in runs]
    first = items[0]
    if first is None or any(other is None or _shape(other) != _shape(first) for other in items):
        return Pooled(mean, runs=len(runs))
    columns = zip(*(other.scores for other in items if other), strict=True)
    return Pooled(mean, tuple(math.fsum(column) / len(items) for column in columns), first.clusters, len(runs))


def compared(candidate: Pooled, baseline: Pooled, alpha: float, seed: int) -> Bounds | None:
    """Bounds of candidate less baseline; None where not both have scores of the same items."""
    if not candidate.scores or len(candidate.scores) != len(baseline.scores) or candidate.clusters != baseline.clusters:
        return None
    if candidate.is_binary and baseline.is_binary:
        pairs = list(zip(candidate.scores, baseline.scores, strict=True))
        gained, lost = pairs.count((1, 0)), pairs.count((0, 1))
        return paired_binary(gained, lost, len(pairs), alpha)
    return paired_mean(candidate.scores, baseline.scores, alpha, candidate.clusters, seed)


def seed_of(*runs: Sequence[Run]) -> int:
    """A seed that the names of the records decide: the same evidence gives the same verdict everywhere."""
    names = " ".join(sorted(run.name for some in runs for run in some))
    return int.from_bytes(hashlib.sha256(names.encode()).digest()[:8], "big")


def _shape(items: Items) -> tuple[int, tuple[str, ...]]:
    return len(items.scores), items.clusters
