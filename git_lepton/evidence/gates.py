"""Evaluations and gates as a lepton.toml has them (docs/evaluation.md, section 1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from git_lepton.evidence.models import Model, models_in
from git_lepton.evidence.tables import Table, check_name, is_metric_name, subtables
from git_lepton.format.globs import matcher
from git_lepton.format.lepton_toml import BadLeptonToml

BUILT_IN = "model"
"""The evaluation that needs no command."""
BUILT_IN_METRICS = ("size_bytes", "parameters", "stored_bytes")
STAGES = ("commit", "push", "ci")
TARGET_BRANCH, BEST = "target-branch", "best"
_HOUR = 3600.0


class Evaluation(NamedTuple):
    """A program that finds out metrics of models. `timeout` in seconds; `models` and `inputs` as section 1 says."""

    name: str
    command: str
    models: tuple[str, ...]
    inputs: tuple[str, ...] = ()
    timeout: float = _HOUR
    stages: tuple[str, ...] = ("push",)
    python: str = ""
    repeat: int = 1


class Budget(NamedTuple):
    """By how much a metric may be worse: absolute, or as a share (0.01 for 1 %) of the baseline's value."""

    amount: float
    relative: bool = False

    def of(self, baseline: float) -> float:
        """The budget in the metric's own unit, at this value of the baseline."""
        return self.amount * abs(baseline) if self.relative else self.amount

    def __str__(self) -> str:
        return f"{self.amount * 100:g}%" if self.relative else f"{self.amount:g}"


class Gate(NamedTuple):
    """What one metric of an evaluation has to satisfy. `models`: those that it is for."""

    evaluation: str
    metric: str
    higher: bool
    models: tuple[str, ...]
    least: float | None = None
    most: float | None = None
    regression: Budget | None = None
    total_regression: Budget | None = None
    baseline: str = TARGET_BRANCH
    fail_when_inconclusive: bool = False
    trust: str = "self"
    alpha: float = 0.05
    confident: bool = False

    @property
    def name(self) -> str:
        """`EVAL.METRIC`, as people name it."""
        return f"{self.evaluation}.{self.metric}"


class Gates(NamedTuple):
    """All of it: models, evaluations and gates, by name; the globs of what needs no gate, and of tags that are releases."""

    models: Mapping[str, Model]
    evaluations: Mapping[str, Evaluation]
    gates: tuple[Gate, ...]
    ungated: tuple[str, ...] = ()
    release: str = "v*"

    def of_model(self, name: str) -> list[Gate]:
        """The gates that this model has to pass."""
        return [gate for gate in self.gates if name in gate.models]

    def of_stage(self, stage: str) -> Gates:
        """The same with only the gates that are judged at this stage; built-in metrics are judged at all of them."""
        kept = [gate for gate in self.gates if gate.evaluation == BUILT_IN or stage in self.evaluations[gate.evaluation].stages]
        return self._replace(gates=tuple(kept))

    def needs_no_gate(self, path: str) -> bool:
        """Whether a weight file at this path is left alone."""
        return any(matcher(glob.removeprefix("./").strip("/"))(path) for glob in self.ungated)


def gates_in(tables: Mapping[str, Any]) -> Gates:
    """The gates of a parsed lepton.toml. Raises BadLeptonToml for what is unknown, contradictory, or not as it should be."""
    models = {check_name("a model", model.name): model for model in models_in(tables)}
    evaluations = {name: _evaluation(name, value, models) for name, value in subtables(tables, "eval").items()}
    gates = []
    for evaluation, metrics in subtables(tables, "gate").items():
        if evaluation != BUILT_IN and evaluation not in evaluations:
            raise BadLeptonToml(
                f"[gate.{evaluation}] in lepton.toml is for an evaluation that there is not", f"[eval.{evaluation}]"
            )
        usual = tuple(models) if evaluation == BUILT_IN else evaluations[evaluation].models
        gates += [_gate(evaluation, metric, value, usual) for metric, value in _metrics(evaluation, metrics).items()]
    rest = Table("gates", tables.get("gates", {}))
    ungated, release = rest.texts("ungated"), rest.text("release", "v*")
    rest.end()
    return Gates(models, evaluations, tuple(gates), ungated, release)


def _evaluation(name: str, value: object, models: Iterable[str]) -> Evaluation:
    if name == BUILT_IN:
        raise BadLeptonToml(f"[eval.{BUILT_IN}] in lepton.toml: this evaluation is built in", "Choose another name.")
    table = Table(f"eval.{check_name('an evaluation', name)}", value)
    known = tuple(models)
    found = Evaluation(
        name,
        table.text("command"),
        table.texts("models", known),
        table.texts("inputs"),
        table.seconds("timeout", _HOUR),
        table.texts("stages", ("push",), one_of=STAGES),
        table.text("python", ""),
        table.count("repeat", 1, 20),
    )
    table.end()
    _check_models(table.name, found.models, known)
    return found


def _metrics(evaluation: str, value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(metric, Mapping) for metric in value.values()):
        raise BadLeptonToml(f"[gate.{evaluation}] in lepton.toml needs the name of a metric", f"[gate.{evaluation}.accuracy]")
    return dict(value)


def _gate(evaluation: str, metric: str, value: object, models: tuple[str, ...]) -> Gate:
    table = Table(f"gate.{evaluation}.{metric}", value)
    if not is_metric_name(metric):
        raise BadLeptonToml(f"[{table.name[:200]}] in lepton.toml: a metric cannot be called so")
    if evaluation == BUILT_IN and metric not in BUILT_IN_METRICS:
        raise BadLeptonToml(f"[{table.name}] in lepton.toml: built in are {', '.join(BUILT_IN_METRICS)}")
    goal = table.text("goal", "lower" if evaluation == BUILT_IN else None, one_of=("higher", "lower"))
    chosen = table.texts("models", models)
    least, most, alpha = table.number("min"), table.number("max"), table.number("alpha")
    regression, total = _budget(table, "max_regression"), _budget(table, "max_total_regression")
    gate = Gate(
        evaluation,
        metric,
        goal == "higher",
        chosen,
        least,
        most,
        regression,
        total if total or regression is None else regression._replace(amount=2 * regression.amount),
        table.text("baseline", TARGET_BRANCH),
        table.text("on_inconclusive", "warn", one_of=("warn", "fail")) == "fail",
        table.text("trust", "self", one_of=("self", "ci")),
        0.05 if alpha is None else alpha,
        table.flag("confident", False),
    )
    table.end()
    if not 0 < gate.alpha < 0.5:
        raise table.wrong("alpha", "between 0 and 0.5")
    if least is None and most is None and regression is None and total is None:
        raise BadLeptonToml(f"[{table.name}] in lepton.toml asks for nothing", "min = 0.9, or max_regression = 0.01")
    if least is not None and most is not None and least > most:
        raise BadLeptonToml(f"[{table.name}] in lepton.toml can never be satisfied: min is above max")
    _check_models(table.name, chosen, models)
    return gate


def _budget(table: Table, key: str) -> Budget | None:
    value = table.take(key)
    if value is None:
        return None
    text, relative = (value[:-1], True) if isinstance(value, str) and value.endswith("%") else (value, False)
    try:
        amount = float(text) if isinstance(text, str if relative else int | float) and not isinstance(text, bool) else -1.0
    except ValueError:
        amount = -1.0
    if not 0 <= amount < float("inf"):
        raise table.wrong(key, 'a number that is not negative, or a share such as "1%"')
    return Budget(amount / 100 if relative else amount, relative)


def _check_models(table: str, chosen: Iterable[str], known: Iterable[str]) -> None:
    known = set(known)
    for name in chosen:
        if name not in known:
            raise BadLeptonToml(f"[{table}] in lepton.toml is for {name!r}, which is no model of its", f"[model.{name}]")
