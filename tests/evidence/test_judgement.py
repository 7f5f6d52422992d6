"""Verdicts: what each gate asks, by what evidence, and that nothing missing is ever a pass."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import pytest

from git_lepton.evidence.gates import Budget, Gate
from git_lepton.evidence.judgement import Outcome, Run, judge, judge_built_in
from git_lepton.evidence.record import Items, Metric, Record

GATE = Gate("digits", "accuracy", True, ("m",), regression=Budget(0.02))
CPU, GPU = {"device": "cpu"}, {"device": "cuda"}


def run(
    right: int | float,
    items: int = 400,
    start: int = 0,
    *,
    trust: str = "self",
    environment: dict[str, str] = CPU,
    name: str = "",
) -> Run:
    """A run in which so many of these items are right, from one of them on; a fraction without items."""
    if isinstance(right, float):
        record = Record("m", "a" * 64, "digits", "b" * 64, {"accuracy": Metric(right)}, {}, environment)
    else:
        scores = tuple(1 if (item - start) % items < right else 0 for item in range(items))
        metrics = {"accuracy": Metric(right / items)}
        record = Record("m", "a" * 64, "digits", "b" * 64, metrics, {"accuracy": Items(scores)}, environment)
    return Run(name or hashlib.sha256(repr((record, trust)).encode()).hexdigest(), record, trust)


def outcome(candidate: Sequence[Run], baseline: Sequence[Run] | None = None, gate: Gate = GATE, **more: Sequence[Run]) -> str:
    return judge(gate, "m", candidate, baseline, **more).outcome.value


def test_better_worse_and_within_the_noise() -> None:
    assert outcome([run(380)], [run(300)]) == "pass"
    assert outcome([run(240)], [run(300)]) == "fail"
    verdict = judge(GATE, "m", [run(300, start=40)], [run(300)])
    assert (verdict.outcome, verdict.blocks, verdict.items) == (Outcome.INCONCLUSIVE, False, 400)
    assert verdict.more_items and verdict.more_items > 1000
    assert verdict.low is not None and verdict.high is not None and verdict.low < 0 < verdict.high
    assert "too close to tell; about" in verdict.sentence
    assert judge(GATE._replace(fail_when_inconclusive=True), "m", [run(300, start=40)], [run(300)]).blocks


def test_inconclusive_outside_of_the_budget_blocks() -> None:
    verdict = judge(GATE, "m", [run(290, start=40)], [run(300)])
    assert (verdict.outcome, verdict.blocks) == (Outcome.INCONCLUSIVE, True)


def test_lower_is_better_where_the_goal_says_so() -> None:
    loss = GATE._replace(higher=False)
    assert outcome([run(240)], [run(300)], loss) == "pass"
    assert outcome([run(380)], [run(300)], loss) == "fail"


def test_a_relative_budget_is_of_the_baseline() -> None:
    relative = GATE._replace(regression=Budget(0.5, True))
    assert outcome([run(200)], [run(300)], relative) == "pass"
    assert outcome([run(100)], [run(300)], relative) == "fail"


def test_limits_hold_for_the_value_or_for_its_bound() -> None:
    limit = Gate("digits", "accuracy", True, ("m",), least=0.9)
    assert outcome([run(364)], gate=limit) == "pass"
    assert outcome([run(359)], gate=limit) == "fail"
    assert outcome([run(364)], gate=limit._replace(confident=True)) == "fail"
    assert outcome([run(390)], gate=limit._replace(confident=True)) == "pass"
    most = Gate("digits", "accuracy", False, ("m",), most=0.1)
    assert (outcome([run(40)], gate=most), outcome([run(41)], gate=most)) == ("pass", "fail")


def test_without_evidence_nothing_passes() -> None:
    assert outcome([]) == "missing"
    assert outcome([run(380)], []) == "missing"
    assert "git lepton eval m" in judge(GATE, "m", [], None).remedy
    assert "--baseline" in judge(GATE, "m", [run(380)], []).remedy
    assert outcome([run(380)], gate=GATE._replace(metric="f1")) == "missing"
    assert all(judge(GATE, "m", candidate, baseline).blocks for candidate, baseline in (([], None), ([run(380)], [])))


def test_without_a_baseline_only_limits_count() -> None:
    assert outcome([run(10)]) == "pass"
    assert "nothing to compare" in judge(GATE, "m", [run(10)]).sentence
    assert outcome([run(10)], gate=GATE._replace(least=0.5)) == "fail"


def test_another_environment_is_not_comparable() -> None:
    verdict = judge(GATE, "m", [run(380, environment=GPU)], [run(300)])
    assert (verdict.outcome, "another environment" in verdict.sentence) == (Outcome.MISSING, True)
    both = [run(300), run(300, environment=GPU)]
    assert outcome([run(380, environment=GPU)], both) == "pass"
    assert outcome([run(380, environment=GPU), run(240)], both) == "fail"  # the worst of those that can be compared


def test_other_items_are_not_comparable() -> None:
    verdict = judge(GATE, "m", [run(190, items=200)], [run(300)])
    assert (verdict.outcome, "400 items and this version on 200" in verdict.sentence) == (Outcome.MISSING, True)


def test_items_in_other_clusters_are_not_comparable() -> None:
    (first, record, _), clusters = run(300), tuple(str(item // 10) for item in range(400))
    items = {"accuracy": Items(record.items["accuracy"].scores, clusters)}
    verdict = judge(GATE, "m", [Run(first, replace(record, items=items))], [run(300)])
    assert (verdict.outcome, verdict.blocks, "belong together" in verdict.sentence) == (Outcome.MISSING, True, True)


def test_a_bound_that_cannot_be_told_is_named() -> None:
    limit = Gate("digits", "accuracy", True, ("m",), least=0.9, confident=True)
    assert "no estimate of the noise" in judge(limit, "m", [run(0.95)]).sentence


def test_values_alone_are_compared_and_it_is_said() -> None:
    verdict = judge(GATE, "m", [run(0.74)], [run(0.75)])
    assert (verdict.outcome, "no estimate of the noise" in verdict.sentence) == (Outcome.PASS, True)
    assert outcome([run(0.72)], [run(0.75)]) == "fail"
    assert outcome([run(0.72)], [run(300)]) == "fail"


def test_runs_are_pooled() -> None:
    assert outcome([run(240), run(400)], [run(300)]) != "fail"
    verdict = judge(GATE, "m", [run(240), run(400)], [run(300)])
    assert verdict.value == pytest.approx(0.8)
    once = run(240)
    assert outcome([once, once], [run(300)]) == "fail"


def test_only_runs_that_are_trusted_enough_count() -> None:
    gate = GATE._replace(trust="ci")
    verdict = judge(gate, "m", [run(380)], [run(300, trust="ci")])
    assert (verdict.outcome, "trusted enough" in verdict.sentence) == (Outcome.MISSING, True)
    assert outcome([run(380), run(240, trust="ci")], [run(300, trust="ci")], gate) == "fail"
    assert outcome([run(380, trust="ci")], [run(300)], gate) == "missing"


def test_a_release_has_a_budget_of_its_own() -> None:
    gate = GATE._replace(total_regression=Budget(0.04))
    assert outcome([run(300)], [run(304)], gate, release=[run(308)]) in ("pass", "inconclusive")
    assert outcome([run(300)], [run(300)], gate, release=[run(380)]) == "fail"
    assert outcome([run(300)], [run(300)], gate, release=[]) == "pass"


def test_the_same_evidence_gives_the_same_verdict() -> None:
    candidate = [run(300, start=40), run(301, start=40)]
    assert judge(GATE, "m", candidate, [run(300)]) == judge(GATE, "m", candidate[::-1], [run(300)])


def test_built_in_metrics() -> None:
    size = Gate("model", "size_bytes", False, ("m",), most=100.0, regression=Budget(0.1, True))
    assert judge_built_in(size, "m", 100, 95).outcome is Outcome.PASS
    assert judge_built_in(size, "m", 101, 95).outcome is Outcome.FAIL
    assert judge_built_in(size, "m", 99, 80).outcome is Outcome.FAIL
    assert judge_built_in(size, "m", 99, None).outcome is Outcome.PASS
    assert judge_built_in(size, "m", None, 80).outcome is Outcome.MISSING
