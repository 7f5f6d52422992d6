"""Resolution of a gate: the smallest loss that its items can tell, and what follows for its budget."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from git_lepton.evidence.gates import Gate
from git_lepton.evidence.pooling import Pooled, Run, by_environment, compared, pooled, seed_of
from git_lepton.evidence.statistics.power import error_of, items_to_see, refusal_chance, smallest_loss
from git_lepton.evidence.wording import amount

_USUAL_DISCORDANCE = 0.05  # of pairs of right and wrong, where no second version has been evaluated yet


class Resolution(NamedTuple):
    """What a gate can see. `smallest`: the loss that it finds with a probability of 80 %; `needed`: about how many items its budget
    would need; `noise`: by how much runs of one version differ; `refusals`: the probability that it refuses a version that is as good as
    the baseline; `sentence`: the finding, `sound` if nothing is wrong."""

    gate: Gate
    items: int
    smallest: float | None
    needed: int | None
    noise: float | None
    refusals: float | None
    sentence: str
    sound: bool


def resolution(gate: Gate, candidate: Sequence[Run], baseline: Sequence[Run]) -> Resolution | None:
    """What this gate can see, by the evidence of a version and, where there is some, of another. None for one without a budget or
    without evidence that is trusted enough. Runs count in one environment class: one that both versions have, if there is one."""
    ours, theirs = by_environment(candidate, gate.trust), by_environment(baseline, gate.trust)
    environment = next((known for known in ours if known in theirs), next(iter(ours), b""))
    candidate, baseline = ours.get(environment, []), theirs.get(environment, [])
    value = pooled(candidate, gate.metric) if candidate else None
    if gate.regression is None or value is None:
        return None
    budget = gate.regression.of(value.value)
    noise = _self_noise(candidate, gate.metric)
    items = len(value.scores)
    if not items:
        sentence = f"{gate.evaluation} tells no scores of items, so nothing is known of the noise of {gate.metric}"
        return Resolution(gate, 0, None, None, noise, None, sentence, False)
    before = pooled(baseline, gate.metric) if baseline else None
    bounds = compared(value, before, gate.alpha, seed_of(candidate, baseline)) if before else None
    deviation = bounds.deviation if bounds and bounds.deviation > 0 else _guessed(value)
    error = error_of(bounds, gate.alpha) if bounds else deviation / math.sqrt(items)
    refusals = refusal_chance(error, budget, gate.alpha, fails_when_inconclusive=gate.fail_when_inconclusive)
    smallest, needed = smallest_loss(deviation, items, gate.alpha), items_to_see(budget, deviation, gate.alpha)
    if noise is not None and noise > budget:
        sentence = f"runs of one version differ by {amount(noise)} in {gate.metric}, more than the budget of {gate.regression}"
        return Resolution(gate, items, smallest, needed, noise, refusals, sentence, False)
    if smallest > budget:
        wanted = f"; it would need about {int(float(f'{needed:.2g}')):,} items" if needed else ""
        sentence = (
            f"a budget of {gate.regression} is finer than {items:,} items can tell: a loss of {amount(smallest)} is the smallest that "
            f"they show four times in five{wanted}"
        )
        return Resolution(gate, items, smallest, needed, noise, refusals, sentence, False)
    sentence = f"{items:,} items show a loss of {amount(smallest)} four times in five; the budget is {gate.regression}"
    return Resolution(gate, items, smallest, needed, noise, refusals, sentence, True)


def false_refusals(chances: Iterable[float | None]) -> float:
    """Of a hundred versions that are as good as before, about how many some gate refuses by chance: each is judged by itself, and counts
    with its own probability. None for a gate of which nothing is known."""
    alone = 1.0
    for chance in chances:
        alone *= 1 - (chance or 0.0)
    return 100 * (1 - alone)


def _guessed(value: Pooled) -> float:
    """The standard deviation of the items' differences, where two versions that differ have not been seen yet."""
    if all(score in (0, 1) for score in value.scores):
        return math.sqrt(_USUAL_DISCORDANCE)
    mean = math.fsum(value.scores) / len(value.scores)
    return math.sqrt(math.fsum((score - mean) ** 2 for score in value.scores) / len(value.scores))


def _self_noise(runs: Sequence[Run], metric: str) -> float | None:
    values = [run.record.metrics[metric].value for run in runs if metric in run.record.metrics]
    return max(values) - min(values) if len(values) > 1 else None
