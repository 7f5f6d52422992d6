"""Gates of a lepton.toml: what is read, and that nothing unknown or contradictory is."""

from __future__ import annotations

import pytest

from git_lepton.evidence.gates import Budget, Evaluation, Gate, gates_in
from git_lepton.format.lepton_toml import BadLeptonToml, parse_lepton_toml

WHOLE = """
[model.classifier]
files = ["models/classifier/*"]
[model.other]
files = ["models/other.safetensors"]
[eval.digits]
models = ["classifier"]
command = "python evaluate.py {model} --out {result}"
inputs = ["evaluate.py", "data/*.npz"]
timeout = "10m"
stages = ["push", "ci"]
repeat = 2
[gate.digits.accuracy]
goal = "higher"
min = 0.9
max_regression = "1%"
on_inconclusive = "fail"
[gate.model.size_bytes]
max = 50_000_000
[gates]
ungated = ["experiments/**"]
"""


def read(text: str):  # type: ignore[no-untyped-def]
    return gates_in(parse_lepton_toml(text.encode()))


def test_everything_is_read() -> None:
    gates = read(WHOLE)
    assert gates.evaluations["digits"] == Evaluation(
        "digits",
        "python evaluate.py {model} --out {result}",
        ("classifier",),
        ("evaluate.py", "data/*.npz"),
        600.0,
        ("push", "ci"),
        "",
        2,
    )
    accuracy = Gate("digits", "accuracy", True, ("classifier",), 0.9, None, Budget(0.01, True), Budget(0.02, True))
    assert gates.gates[0] == accuracy._replace(fail_when_inconclusive=True)
    assert gates.gates[1] == Gate("model", "size_bytes", False, ("classifier", "other"), None, 50_000_000.0)
    assert [gate.name for gate in gates.of_model("other")] == ["model.size_bytes"]
    assert gates.needs_no_gate("experiments/a/b.safetensors") and not gates.needs_no_gate("models/other.safetensors")


def test_a_budget_is_absolute_or_relative() -> None:
    assert Budget(0.01).of(50.0) == 0.01
    assert Budget(0.01, True).of(-50.0) == 0.5
    assert (str(Budget(0.01)), str(Budget(0.01, True))) == ("0.01", "1%")


def test_a_lepton_toml_without_gates_has_none() -> None:
    assert read('[store]\nurl = "https://h/o/r"').gates == ()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("timeout", "tiemout"), r"\[eval.digits\].*unknown key: tiemout"),
        (('"10m"', '"ten"'), "timeout of .*a time"),
        (('"10m"', "-1"), "timeout of .*a time"),
        (('models = ["classifier"]', 'models = ["clasifier"]'), "'clasifier', which is no model"),
        (("[gate.digits.accuracy]", "[gate.digit.accuracy]"), r"\[gate.digit\].*evaluation that there is not"),
        (("[gate.digits.accuracy]", "[gate.digits]"), r"\[gate.digits\].*needs the name of a metric"),
        (('goal = "higher"', 'goal = "max"'), 'goal of .*"higher" or "lower"'),
        (('goal = "higher"\n', ""), "lacks goal"),
        (('"1%"', '"-1%"'), "max_regression of"),
        (('"1%"', '"a%"'), "max_regression of"),
        (('"1%"', "true"), "max_regression of"),
        (("min = 0.9", "min = nan"), "min of"),
        (("min = 0.9", "min = 0.9\nmax = 0.5"), "never be satisfied"),
        (("min = 0.9\nmax_regression", "alpha = 0.7\nmax_regression"), "alpha"),
        (('min = 0.9\nmax_regression = "1%"\n', ""), "asks for nothing"),
        (("[gate.model.size_bytes]", "[gate.model.weight]"), "built in are"),
        (("[eval.digits]", "[eval.model]"), "built in"),
        (("[gates]", "[gates]\nallow = 1"), "unknown key: allow"),
        (("repeat = 2", "repeat = 0"), "repeat of"),
        (("[model.other]", '[model."a b"]'), "cannot be the name of a model"),
        (('["push", "ci"]', '["always"]'), "stages of"),
        (("[eval.digits]", "[eval]\nx = 1\n[eval.digits]"), r"\[eval.x\].*not a table"),
    ],
)
def test_what_is_wrong_is_named(change: tuple[str, str], told: str) -> None:
    assert change[0] in WHOLE
    with pytest.raises(BadLeptonToml, match=told):
        read(WHOLE.replace(*change))
