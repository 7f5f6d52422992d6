"""Judgement: what a gate says of a version of a model, by the evidence of it and of its baseline (docs/evaluation.md, section 5)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from git_lepton.errors import LeptonError
from git_lepton.evidence.gates import Budget, Gate
from git_lepton.evidence.pooling import Pooled, Run, by_environment, compared, pooled, seed_of
from git_lepton.evidence.statistics.bounds import Bounds, normal_quantile
from git_lepton.evidence.statistics.power import error_of, refusal_chance
from git_lepton.evidence.wording import amount, change, items_would_decide

__all__ = ["Outcome", "Run", "Verdict", "judge", "judge_built_in", "missing"]


class Outcome(StrEnum):
    """What a gate says. The value is the word that reports use."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    MISSING = "missing"


_WORST = (Outcome.PASS, Outcome.INCONCLUSIVE, Outcome.MISSING, Outcome.FAIL)


class Verdict(NamedTuple):
    """What a gate says of a version. `blocks`: it may not land. `low` and `high` bound the difference to the baseline, candidate less
    baseline; `more_items`: about how many items would decide an inconclusive one; `remedy`: what to do where evidence is missing;
    `refusals`: the probability that the gate refuses a version that is as good as the baseline, where the noise is known."""

    gate: Gate
    model: str
    outcome: Outcome
    blocks: bool
    sentence: str
    value: float | None = None
    baseline: float | None = None
    low: float | None = None
    high: float | None = None
    method: str = ""
    items: int = 0
    more_items: int | None = None
    remedy: str = ""
    refusals: float | None = None


class _Side(NamedTuple):
    """One thing that a gate asks: what it says, and its sentence."""

    outcome: Outcome
    sentence: str
    blocks: bool = False
    bounds: Bounds | None = None
    baseline: float | None = None
    more_items: int | None = None
    refusals: float | None = None


def judge(
    gate: Gate,
    model: str,
    candidate: Sequence[Run],
    baseline: Sequence[Run] | None = None,
    release: Sequence[Run] | None = None,
) -> Verdict:
    """The verdict by these runs of the gate's evaluation. None for a baseline or a release that there is not: then only absolute limits
    count, or the other of the two; an empty one has no evidence yet.

    Where there are runs in several environment classes, the worst verdict of those counts that both sides have.
    """
    ours = by_environment(candidate, gate.trust)
    if not ours:
        return _missing(gate, model, _no_evidence(gate, model, candidate), f"git lepton eval {model}")
    theirs = by_environment(baseline or (), gate.trust)
    verdicts = []
    shared = [environment for environment in ours if environment in theirs]
    wants_baseline = gate.regression is not None and baseline is not None
    for environment in shared if wants_baseline and shared else ours:
        value = pooled(ours[environment], gate.metric)
        if value is None:
            known = ", ".join(sorted(ours[environment][0].record.metrics))
            verdicts.append(_missing(gate, model, f"{gate.evaluation} told no {gate.metric} of {model}; it told {known}", ""))
            continue
        sides: list[_Side | None] = [*_absolute(gate, value)]
        if wants_baseline:
            sides.append(_regression(gate, model, value, ours[environment], theirs, environment))
        if release is not None and gate.total_regression:
            sides.append(_total(gate, value, ours[environment], by_environment(release, gate.trust).get(environment)))
        verdicts.append(_together(gate, model, value, [side for side in sides if side], baseline is None))
    return max(verdicts, key=lambda verdict: (verdict.blocks, _WORST.index(verdict.outcome)))


def judge_built_in(gate: Gate, model: str, value: float | None, baseline: float | None, release: float | None = None) -> Verdict:
    """The verdict on a number without noise: of `size_bytes`, `parameters` or `stored_bytes`."""
    if value is None:
        return _missing(
            gate, model, f"{gate.metric} of {model} cannot be told: a file's format does not say, or it is not here", ""
        )
    sides: list[_Side] = list(_absolute(gate, Pooled(value)))
    for before, budget, what in ((baseline, gate.regression, "baseline"), (release, gate.total_regression, "last release")):
        if before is not None and budget:
            sides.append(_by_value(gate, value, before, budget, what))
    return _together(gate, model, Pooled(value), sides, baseline is None)


def missing(gate: Gate, model: str, why: LeptonError) -> Verdict:
    """The verdict where an evaluation was to be run and came to nothing: never a pass."""
    return Verdict(gate, model, Outcome.MISSING, True, f"{gate.evaluation} on {model}: {why.message}", remedy=why.hint)


def _missing(gate: Gate, model: str, sentence: str, remedy: str) -> Verdict:
    return Verdict(gate, model, Outcome.MISSING, True, sentence, remedy=remedy)


def _no_evidence(gate: Gate, model: str, candidate: Sequence[Run]) -> str:
    if candidate:
        return f"no evidence of {gate.evaluation} on this version of {model} is trusted enough: the gate wants {gate.trust}"
    return f"there is no evidence of {gate.evaluation} on this version of {model}"


def _absolute(gate: Gate, value: Pooled) -> list[_Side]:
    """Whether minimum and maximum hold: of the value, or of its own bound where the gate wants to be sure."""
    low = high = value.value
    about = ""
    if gate.confident and value.scores:
        spread = _own_spread(gate, value)
        low, high, about = value.value - spread, value.value + spread, f" (surely within {amount(spread)})"
    elif gate.confident:
        about = " (no estimate of the noise)"
    found = []
    for limit, edge, is_least in ((gate.least, low, True), (gate.most, high, False)):
        if limit is not None and (edge < limit if is_least else edge > limit):
            side = "below the minimum" if is_least else "above the maximum"
            found.append(_Side(Outcome.FAIL, f"{amount(value.value)}{about} is {side} of {amount(limit)}", True))
        elif limit is not None:
            side = "minimum" if is_least else "maximum"
            found.append(_Side(Outcome.PASS, f"{amount(value.value)}{about} keeps to the {side} of {amount(limit)}"))
    return found


def _own_spread(gate: Gate, value: Pooled) -> float:
    """How far the mean over all items of such a test may lie from this one, at the gate's alpha: against a version that is nothing."""
    zero = Pooled(0.0, (0.0,) * len(value.scores), value.clusters)
    bounds = compared(value, zero, gate.alpha, 0)
    return max(bounds.high - value.value, value.value - bounds.low) if bounds else 0.0


def _regression(
    gate: Gate, model: str, value: Pooled, ours: Sequence[Run], theirs: dict[bytes, list[Run]], environment: bytes
) -> _Side:
    assert gate.regression is not None
    if not theirs:
        return _Side(Outcome.MISSING, f"there is no evidence of {gate.evaluation} on the baseline of {model}", True)
    if environment not in theirs:
        return _Side(Outcome.MISSING, "the baseline was evaluated in another environment only, which is not comparable", True)
    return _against(gate, value, ours, theirs[environment], gate.regression, "the baseline")


def _total(gate: Gate, value: Pooled, ours: Sequence[Run], theirs: Sequence[Run] | None) -> _Side | None:
    """Against the last release. One that was never evaluated here cannot be compared with, and is no reason to refuse."""
    assert gate.total_regression is not None
    return _against(gate, value, ours, theirs, gate.total_regression, "the last release") if theirs else None


def _against(gate: Gate, value: Pooled, ours: Sequence[Run], theirs: Sequence[Run], budget: Budget, what: str) -> _Side:
    before = pooled(theirs, gate.metric)
    if before is None:
        return _Side(Outcome.MISSING, f"{gate.evaluation} told no {gate.metric} of {what}", True)
    bounds = compared(value, before, gate.alpha, seed_of(ours, theirs))
    if bounds is None:
        if len(value.scores) == len(before.scores) > 0:
            return _Side(Outcome.MISSING, f"the items of {what} belong together in other ways: not comparable", True)
        if value.scores and before.scores:
            sentence = f"{what} was judged on {len(before.scores)} items and this version on {len(value.scores)}: not comparable"
            return _Side(Outcome.MISSING, sentence, True)
        return _by_value(gate, value.value, before.value, budget, what, noiseless=False)
    allowed = budget.of(before.value)
    gain, least, most = _in_direction(gate, bounds)
    sentence = change(gate.metric, before.value, value.value, bounds) + f"; the budget is {budget}"
    error, strict = error_of(bounds, gate.alpha), gate.fail_when_inconclusive
    refusals = refusal_chance(error, allowed, gate.alpha, fails_when_inconclusive=strict)
    if least >= -allowed:
        return _Side(Outcome.PASS, sentence, False, bounds, before.value, refusals=refusals)
    if most < -allowed:
        return _Side(Outcome.FAIL, f"{sentence}: worse than allowed", True, bounds, before.value, refusals=refusals)
    needed = _items_to_decide(bounds, gain + allowed, gate.alpha)
    blocks = strict or gain < -allowed
    sentence += f": too close to tell{items_would_decide(needed)}"
    return _Side(Outcome.INCONCLUSIVE, sentence, blocks, bounds, before.value, needed, refusals)


def _by_value(gate: Gate, value: float, before: float, budget: Budget, what: str, *, noiseless: bool = True) -> _Side:
    """The same where only values are known."""
    worse = before - value if gate.higher else value - before
    failed = worse > budget.of(before)
    noise = "" if noiseless else ", no estimate of the noise"
    sentence = f"{gate.metric} was {amount(before)} in {what} and is {amount(value)}; the budget is {budget}{noise}"
    return _Side(Outcome.FAIL if failed else Outcome.PASS, sentence, failed, None, before)


def _in_direction(gate: Gate, bounds: Bounds) -> tuple[float, float, float]:
    """Difference and bounds so that more is better."""
    if gate.higher:
        return bounds.difference, bounds.low, bounds.high
    return -bounds.difference, -bounds.high, -bounds.low


def _items_to_decide(bounds: Bounds, distance: float, alpha: float) -> int | None:
    """About how many items would be needed to see that the difference is this far from the edge of the budget."""
    if distance == 0 or bounds.deviation == 0:
        return None
    needed = (normal_quantile(1 - alpha) * bounds.deviation / distance) ** 2
    return max(math.ceil(needed), bounds.items + 1) if needed < 1e9 else None


def _together(gate: Gate, model: str, value: Pooled, sides: Sequence[_Side], is_first: bool) -> Verdict:
    """One verdict of all that a gate asks: the worst."""
    if not sides:
        return Verdict(
            gate, model, Outcome.PASS, False, f"{amount(value.value)}; there is nothing to compare it with", value.value
        )
    worst = max(sides, key=lambda side: (side.blocks, _WORST.index(side.outcome)))
    told = worst if worst.outcome is not Outcome.PASS else next((side for side in sides if side.baseline is not None), worst)
    compared_side = next((side for side in sides if side.bounds), None)
    bounds = compared_side.bounds if compared_side else None
    sentence = f"{told.sentence}{'; there is no baseline' if is_first and gate.regression else ''}"
    remedy = f"git lepton eval {model} --baseline" if worst.outcome is Outcome.MISSING else ""
    return Verdict(
        gate,
        model,
        worst.outcome,
        worst.blocks,
        sentence,
        value.value,
        next((side.baseline for side in sides if side.baseline is not None), None),
        bounds.low if bounds else None,
        bounds.high if bounds else None,
        bounds.method if bounds else "",
        bounds.items if bounds else 0,
        worst.more_items,
        remedy,
        max((side.refusals for side in sides if side.refusals is not None), default=None),
    )
