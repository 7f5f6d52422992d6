"""Comparison of versions by the evidence there is: metrics side by side, and the best version of a model, or a tie within the noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from git_lepton.errors import WeightsMissing, WrongUse
from git_lepton.evidence.pooling import Pooled, Run, by_environment, compared, pooled, seed_of
from git_lepton.models.tree import Tree, revision_tree
from git_lepton.models.version import ModelVersion
from git_lepton.workflow.evaluation.baselines import commits_of
from git_lepton.workflow.evaluation.judging import Bench

_ALPHA = 0.05


class UnknownMetric(WrongUse):
    """No evidence tells such a metric."""


class NothingKnown(WeightsMissing):
    """There is no evidence to compare by."""


class Compared(NamedTuple):
    """One metric of one model in several versions: None where a version has no evidence of it."""

    model: str
    evaluation: str
    metric: str
    values: tuple[float | None, ...]


class Candidate(NamedTuple):
    """A version of a model in the history: the commit that brought it, and its metric."""

    commit: str
    version: ModelVersion
    value: float
    pooled: Pooled
    runs: tuple[Run, ...]


class Best(NamedTuple):
    """The best version, those that are not surely worse, and how many were looked at."""

    best: Candidate
    ties: tuple[Candidate, ...]
    looked_at: int


def side_by_side(bench: Bench, trees: Sequence[Tree]) -> list[Compared]:
    """Every metric that some of these versions have evidence of, by model, evaluation and metric."""
    found: dict[tuple[str, str, str], list[float | None]] = {}
    for at, tree in enumerate(trees):
        for name, model in bench.versions.gates(tree).models.items():
            version = bench.versions.version(tree, model)
            for metric, value in _metrics(bench.runs_of(version.digest) if version else []).items():
                found.setdefault((name, *metric), [None] * len(trees))[at] = value
    return [Compared(*key, tuple(values)) for key, values in sorted(found.items())]


def best_of(bench: Bench, head: Tree, model: str, metric: str, *, higher: bool | None, most_bytes: float | None = None) -> Best:
    """The best version of a model on the way to `head`. `metric`: METRIC or EVALUATION.METRIC; `higher`: whether more is better, None:
    as the evidence says, or a gate. Raises UnknownMetric, NothingKnown."""
    gates = bench.versions.gates(head)
    if model not in gates.models:
        raise UnknownMetric(f"lepton.toml has no model {model}", f"It has: {', '.join(gates.models) or 'none'}.")
    up = (
        higher
        if higher is not None
        else next((gate.higher for gate in gates.of_model(model) if metric in (gate.metric, gate.name)), None)
    )
    candidates: dict[str, Candidate] = {}
    for commit in commits_of(bench.workspace.git, gates.models[model], head.commit):
        version = bench.versions.version(revision_tree(bench.workspace.git, commit), gates.models[model])
        if version is None or (most_bytes is not None and version.size_bytes > most_bytes):
            continue
        runs = [run for run in bench.runs_of(version.digest) if _name(run, metric)]
        value = pooled(runs, _name(runs[0], metric)) if runs else None
        if value is not None:
            told = runs[0].record.metrics[_name(runs[0], metric)].higher_is_better
            up = told if up is None else up
            candidates[version.digest] = Candidate(commit, version, value.value, value, tuple(runs))
    if not candidates:
        raise NothingKnown(f"no version of {model} has evidence of {metric}", f"git lepton eval {model} --rev REV makes it.")
    if up is None:
        raise UnknownMetric(f"nothing says whether more of {metric} is better", "Say so: --goal higher, or --goal lower.")
    best = max(candidates.values(), key=lambda one: one.value if up else -one.value)
    ties = [one for one in candidates.values() if one is not best and not _surely_worse(one, best, up)]
    return Best(best, tuple(ties), len(candidates))


def _surely_worse(one: Candidate, best: Candidate, higher: bool) -> bool:
    """Whether the difference to the best is more than noise; of values without scores any difference is."""
    bounds = compared(best.pooled, one.pooled, _ALPHA, seed_of(best.runs, one.runs))
    if bounds is None:
        return one.value != best.value
    return bounds.low > 0 if higher else bounds.high < 0


def _metrics(runs: Sequence[Run]) -> dict[tuple[str, str], float]:
    """Each metric by (evaluation, metric), over the runs of the environment with most of them."""
    found = {}
    for digest in {run.record.evaluation_digest for run in runs}:
        environments = by_environment(run for run in runs if run.record.evaluation_digest == digest)
        most = max(environments.values(), key=len)
        for metric in most[0].record.metrics:
            value = pooled(most, metric)
            if value is not None:
                found[most[0].record.evaluation, metric] = value.value
    return found


def _name(run: Run, metric: str) -> str:
    """The metric's own name in this record, "" where it has none that is meant."""
    record = run.record
    if metric in record.metrics:
        return metric
    own = metric.removeprefix(f"{record.evaluation}.")
    return own if own != metric and own in record.metrics else ""
