"""Resolution of a gate: the smallest loss that its items can tell, and what follows for its budget."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from git_lepton.evidence.gates import Gate
from git_lepton.evidence.pooling import Pooled, Run, compared, pooled, seed_of
from git_lepton.evidence.statistics.bounds import normal_quantile
from git_lepton.evidence.wording import amount

_POWER = 0.8
_USUAL_DISCORDANCE = 0.05  # of pairs of right and wrong, where no second version has been evaluated yet


class Resolution(NamedTuple):
    """What a gate can see. `smallest`: the loss that it finds with a probability of 80 %; `needed`: about how many items its budget
    would need; `noise`: by how much runs of one version differ; `sentence`: the finding, `sound` if nothing is wrong."""

    gate: Gate
    items: int
    smallest: float | None
    needed: int | None
    noise: float | None
    sentence: str
    sound: bool


def resolution(gate: Gate, candidate: Sequence[Run], baseline: Sequence[Run]) -> Resolution | None:
    """What this gate can see, by the evidence of a version and, where there is some, of another. None for one without a budget or
    without evidence."""
    value = pooled(candidate, gate.metric) if candidate else None
    if gate.regression is None or value is None:
        return None
    budget = gate.regression.of(value.value)
    noise = _self_noise(candidate, gate.metric)
    items = len(value.scores)
    if not items:
        sentence = f"{gate.evaluation} tells no scores of items, so nothing is known of the noise of {gate.metric}"
        return Resolution(gate, 0, None, None, noise, sentence, False)
    deviation = _deviation(gate, value, candidate, baseline)
    factor = normal_quantile(1 - gate.alpha) + normal_quantile(_POWER)
    smallest = factor * deviation / math.sqrt(items)
    needed = math.ceil((factor * deviation / budget) ** 2) if budget > 0 and deviation > 0 else None
    if noise is not None and noise > budget:
        sentence = f"runs of one version differ by {amount(noise)} in {gate.metric}, more than the budget of {gate.regression}"
        return Resolution(gate, items, smallest, needed, noise, sentence, False)
    if smallest > budget:
        wanted = f"; it would need about {int(float(f'{needed:.2g}')):,} items" if needed else ""
        sentence = (
            f"a budget of {gate.regression} is finer than {items:,} items can tell: a loss of {amount(smallest)} is the smallest that "
            f"they show four times in five{wanted}"
        )
        return Resolution(gate, items, smallest, needed, noise, sentence, False)
    sentence = f"{items:,} items show a loss of {amount(smallest)} four times in five; the budget is {gate.regression}"
    return Resolution(gate, items, smallest, needed, noise, sentence, True)


def false_refusals(gates: Sequence[Gate]) -> float:
    """How many sound versions in a hundred some gate refuses by chance, at most: each is judged by itself, at its own alpha."""
    alone = 1.0
    for gate in gates:
        if gate.regression:
            alone *= 1 - gate.alpha
    return 100 * (1 - alone)


def _deviation(gate: Gate, value: Pooled, candidate: Sequence[Run], baseline: Sequence[Run]) -> float:
    """The standard deviation of the items' differences: as seen between the two versions, or guessed from one."""
    before = pooled(baseline, gate.metric) if baseline else None
    bounds = compared(value, before, gate.alpha, seed_of(candidate, baseline)) if before else None
    if bounds and bounds.deviation > 0:
        return bounds.deviation
    if value.is_binary:
        return math.sqrt(_USUAL_DISCORDANCE)
    mean = math.fsum(value.scores) / len(value.scores)
    return math.sqrt(math.fsum((score - mean) ** 2 for score in value.scores) / len(value.scores))


def _self_noise(runs: Sequence[Run], metric: str) -> float | None:
    values = [run.record.metrics[metric].value for run in runs if metric in run.record.metrics]
    return max(values) - min(values) if len(values) > 1 else None
