"""What a gate can see: budgets against the noise, of items, clusters and of repeated runs."""

from __future__ import annotations

from git_lepton.evidence.gates import Budget, Gate
from git_lepton.evidence.pooling import Run
from git_lepton.evidence.record import Items, Metric, Record
from git_lepton.evidence.resolution import Resolution, false_refusals, resolution

GATE = Gate("digits", "accuracy", True, ("m",), regression=Budget(0.005))
CPU, GPU = {"device": "cpu"}, {"device": "cuda"}


def run(
    name: str, scores: list[int], environment: dict[str, str] = CPU, clusters: tuple[str, ...] = (), trust: str = "self"
) -> Run:
    items = {"accuracy": Items(tuple(scores), clusters)} if scores else {}
    metrics = {"accuracy": Metric(sum(scores) / len(scores) if scores else 0.9)}
    return Run(name, Record("m", "a" * 64, "digits", "b" * 64, metrics, items, environment), trust)


def pair(items: int, differ: int) -> tuple[list[int], list[int]]:
    """Scores of two equally good versions that disagree on some items, side by side."""
    before = [item % 2 for item in range(items)]
    return [1 - score if item < differ else score for item, score in enumerate(before)], before


def told(after: list[int], before: list[int], gate: Gate = GATE, clusters: tuple[str, ...] = ()) -> Resolution:
    found = resolution(gate, [run("a", after, clusters=clusters)], [run("b", before, clusters=clusters)])
    assert found
    return found


def test_a_budget_finer_than_the_items_is_named() -> None:
    few, many = told(*pair(200, 10)), told(*pair(40_000, 2000))
    assert (few.sound, many.sound) == (False, True)
    assert "finer than 200 items can tell" in few.sentence and few.needed and few.needed > 10_000
    assert few.smallest and 0.038 < few.smallest < 0.040
    assert few.refusals and many.refusals is not None and few.refusals > 0.3 > many.refusals


def test_items_that_fare_alike_tell_less() -> None:
    after, before = pair(4000, 200)
    after = [1 if item < 100 else 0 if item < 200 else score for item, score in enumerate(before)]
    alike = told(after, before, clusters=tuple(str(item // 50) for item in range(4000)))
    alone = told(after, before)
    assert alike.smallest and alone.smallest and alike.smallest > 3 * alone.smallest


def test_runs_of_one_version_that_differ_by_more_than_the_budget() -> None:
    after, before = pair(1000, 0)
    worse = [0 if item < 20 else score for item, score in enumerate(after)]
    found = resolution(GATE, [run("a", after), run("c", worse)], [run("b", before)])
    assert found and not found.sound and round(found.noise or 0, 9) == 0.01 and "runs of one version differ" in found.sentence
    apart = resolution(GATE, [run("a", after), run("c", worse, GPU)], [run("b", before)])
    assert apart and apart.noise is None  # two machines are no two runs


def test_without_items_budget_or_trusted_evidence() -> None:
    scores = pair(100, 0)[0]
    bare = resolution(GATE, [run("a", [])], [])
    assert bare and not bare.sound and bare.refusals is None
    assert resolution(GATE._replace(regression=None), [run("a", scores)], []) is None
    assert resolution(GATE, [], []) is None
    assert resolution(GATE._replace(trust="ci"), [run("a", scores)], []) is None


def test_refusals_of_many_gates_add_up() -> None:
    assert false_refusals([]) == false_refusals([None, 0.0]) == 0
    assert 9.7 < false_refusals([0.05, 0.05, None]) < 9.8
