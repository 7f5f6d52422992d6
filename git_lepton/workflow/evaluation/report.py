"""The report of a range: verdicts, metrics old and new, and what changed in the model, as data. How it looks is said elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from git_lepton.evidence.identity import Tensor
from git_lepton.evidence.judgement import Outcome, Run, Verdict
from git_lepton.evidence.pooling import by_environment, compared, pooled, seed_of
from git_lepton.evidence.resolution import false_refusals
from git_lepton.format.pointer import Pointer
from git_lepton.models.tree import Tree
from git_lepton.models.version import ModelVersion
from git_lepton.workflow.evaluation.judging import Bench, Judged, judge_tree, stored_bytes

_ALPHA = 0.05
_MOST_LAYERS = 40


class MetricChange(NamedTuple):
    """A metric in the baseline and in the candidate (None: no evidence), and one-sided 95 % bounds of the difference where items tell."""

    evaluation: str
    metric: str
    before: float | None
    after: float
    low: float | None = None
    high: float | None = None


class TensorChange(NamedTuple):
    """What happened to the tensors: how many are new, gone, changed and as they were; `where`: the share of changed bytes of each part
    of the model, in its order."""

    added: int
    removed: int
    changed: int
    same: int
    where: tuple[tuple[str, float], ...]


class ModelReport(NamedTuple):
    """One model of the range. `tensors`: None where its files' format does not tell them. Sizes in bytes."""

    model: str
    digest: str | None
    baseline: str | None
    changed: bool
    verdicts: tuple[Verdict, ...]
    metrics: tuple[MetricChange, ...]
    tensors: TensorChange | None
    size: int | None
    size_before: int | None
    stored: int | None


class Report(NamedTuple):
    """A whole range. `chance`: of 100 versions that are as good as before, about how many some gate of it refuses."""

    base: str
    head: str
    models: tuple[ModelReport, ...]
    chance: float

    @property
    def outcome(self) -> Outcome:
        """The worst that blocks, else the best that can be said."""
        blocking = [verdict.outcome for model in self.models for verdict in model.verdicts if verdict.blocks]
        for outcome in (Outcome.FAIL, Outcome.MISSING, Outcome.INCONCLUSIVE):
            if outcome in blocking:
                return outcome
        return Outcome.PASS


def report_of(bench: Bench, base: Tree | None, head: Tree) -> Report:
    """The report of what `head` changes, by the evidence there is; nothing is run, no weights are needed beyond what names tensors.

    Raises as `judge_tree`.
    """
    gates = bench.versions.gates(head)
    judged = judge_tree(bench, gates, head, base, bench.runs_of)
    models = tuple(_model(bench, one) for one in judged if one.changed or (one.version is None and one.baseline is not None))
    chances = [verdict.refusals for one in judged for verdict in one.verdicts]
    return Report(base.commit if base else "", head.commit, models, false_refusals(chances))


def _model(bench: Bench, judged: Judged) -> ModelReport:
    version, before = judged.version, judged.baseline
    runs, runs_before = (bench.runs_of(one.digest) if one else [] for one in (version, before))
    return ModelReport(
        judged.model,
        version.digest if version else None,
        before.digest if before else None,
        judged.changed,
        tuple(judged.verdicts),
        tuple(_metrics(runs, runs_before)),
        _tensors(bench, before, version) if version else None,
        version.size_bytes if version else None,
        before.size_bytes if before else None,
        stored_bytes(bench, version) if version else None,
    )


def _metrics(runs: Sequence[Run], before: Sequence[Run]) -> list[MetricChange]:
    """Every metric that the candidate has evidence of, beside the baseline's of the same evaluation and environment."""
    found: dict[tuple[str, str], MetricChange] = {}
    for digest in {run.record.evaluation_digest for run in runs}:
        ours = by_environment(run for run in runs if run.record.evaluation_digest == digest)
        theirs = by_environment(run for run in before if run.record.evaluation_digest == digest)
        for environment in sorted(ours, key=lambda one: one in theirs):  # those that can be compared have the last word
            mine, other = ours[environment], theirs.get(environment, [])
            for metric in mine[0].record.metrics:
                after = pooled(mine, metric)
                if after is None:
                    continue
                earlier = pooled(other, metric) if other else None
                bounds = compared(after, earlier, _ALPHA, seed_of(mine, other)) if earlier else None
                found[mine[0].record.evaluation, metric] = MetricChange(
                    mine[0].record.evaluation,
                    metric,
                    earlier.value if earlier else None,
                    after.value,
                    bounds.low if bounds else None,
                    bounds.high if bounds else None,
                )
    return [found[key] for key in sorted(found)]


def _tensors(bench: Bench, before: ModelVersion | None, after: ModelVersion) -> TensorChange | None:
    new = _all_tensors(bench, after)
    old = _all_tensors(bench, before) if before else {}
    if new is None or old is None:
        return None
    shared = new.keys() & old.keys()
    changed = {name for name in shared if new[name] != old[name]}
    parts: dict[str, list[int]] = {}
    for name, tensor in new.items():
        counts = parts.setdefault(_part(name), [0, 0])
        counts[0] += tensor.length
        counts[1] += tensor.length if name in changed or name not in old else 0
    where = tuple((part, moved / whole if whole else 0.0) for part, (whole, moved) in parts.items())
    return TensorChange(
        len(new.keys() - old.keys()), len(old.keys() - new.keys()), len(changed), len(shared) - len(changed), where[:_MOST_LAYERS]
    )


def _all_tensors(bench: Bench, version: ModelVersion) -> dict[str, Tensor] | None:
    found: dict[str, Tensor] = {}
    for file in version.files:
        if isinstance(file.content, Pointer):
            tensors = bench.tensors.tensors_of(file.content) if file.path.endswith(".safetensors") else None
            if tensors is None:
                return None
            found |= {tensor.name: tensor for tensor in tensors}
    return found


def _part(name: str) -> str:
    """The layer that a tensor belongs to: its name up to the first number, or its first two parts."""
    parts = name.split(".")
    for at, part in enumerate(parts[:-1]):
        if part.isdigit():
            return ".".join(parts[: at + 1])
    return ".".join(parts[: max(1, min(2, len(parts) - 1))])
