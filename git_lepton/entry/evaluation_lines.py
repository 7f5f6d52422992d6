"""Lines about evaluations and verdicts on the terminal: progress with the time left, what was found, what gates say."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TextIO

from git_lepton.entry.terminal import human_seconds, say, show, shows_colours, warn
from git_lepton.errors import LeptonError
from git_lepton.evidence.judgement import Outcome, Verdict
from git_lepton.evidence.wording import amount
from git_lepton.format.visible import visible
from git_lepton.settings import Settings
from git_lepton.workflow.evaluation.evaluate import Evaluated
from git_lepton.workflow.evaluation.judging import Evaluator, Judged

_MARKS = {Outcome.PASS: "pass", Outcome.FAIL: "FAIL", Outcome.INCONCLUSIVE: "open", Outcome.MISSING: "MISSING"}
_COLOURS = {Outcome.PASS: "32", Outcome.FAIL: "31", Outcome.INCONCLUSIVE: "33", Outcome.MISSING: "31"}
_MOST_UNDECLARED = 5


def evaluator(*, force: bool = False) -> Evaluator:
    """Shows each run while it goes on, and what came of it."""
    return Evaluator(_begin, _end, force)


def _begin(evaluation: str, model: str, expected: float | None) -> Callable[[float], None]:
    name = visible(f"{evaluation} on {model}")
    screen = _screen()
    if screen is None:
        say(f"evaluating {name}")
        return lambda _: None

    def tick(passed: float) -> None:
        left = f", about {human_seconds(expected - passed)} left" if expected and expected > passed else ""
        screen.write(f"\r\x1b[Kevaluating {name}: {human_seconds(passed)}{left}")
        screen.flush()

    tick(0.0)
    return tick


@cache
def _screen() -> TextIO | None:
    """Where a line can move: the terminal, also behind pre-commit, which keeps what a hook says until it has ended."""
    if sys.stderr.isatty():
        return sys.stderr
    if Settings(None).environment.get("PRE_COMMIT"):
        with contextlib.suppress(OSError):
            return Path("/dev/tty").open("w", encoding="utf-8")
    return None


def _end(evaluation: str, model: str, found: Evaluated | LeptonError) -> None:
    screen = _screen()
    if screen is not None:
        screen.write("\r\x1b[K")
        screen.flush()
    if isinstance(found, LeptonError):
        warn(f"{evaluation} on {model}: {found.message}")
        if found.hint:
            say(found.hint)
        return
    record = found.kept.record
    values = ", ".join(f"{name} {amount(metric.value)}" for name, metric in sorted(record.metrics.items())[:8])
    more = f" and {len(record.metrics) - 8} more" if len(record.metrics) > 8 else ""
    say(f"{evaluation} on {model}: {values}{more} ({human_seconds(record.seconds)})")
    if found.undeclared:
        names = ", ".join(found.undeclared[:_MOST_UNDECLARED])
        rest = f" and {len(found.undeclared) - _MOST_UNDECLARED} more" if len(found.undeclared) > _MOST_UNDECLARED else ""
        warn(f"{evaluation} opened files that are not among its inputs, so a change of them goes unnoticed: {names}{rest}")


def show_judged(judged: Iterable[Judged]) -> None:
    """The verdicts by model, a line each."""
    for one in judged:
        if one.version is None:
            say(f"{one.model}: no files in this version")
        elif not one.verdicts:
            say(f"{one.model}: " + ("no gate is for it" if one.changed or one.baseline is None else "unchanged"))
        for verdict in one.verdicts:
            mark = _MARKS[verdict.outcome]
            if verdict.outcome is Outcome.INCONCLUSIVE and verdict.blocks:
                mark = "OPEN"
            shown = f"\x1b[{_COLOURS[verdict.outcome]}m{mark:<7}\x1b[0m" if shows_colours(sys.stdout) else f"{mark:<7}"
            sys.stdout.write(f"{shown} {visible(f'{one.model}  {verdict.gate.name}  {verdict.sentence}')}\n")
            if verdict.remedy and verdict.blocks:
                show(f"        {verdict.remedy}")


def exit_code(judged: Sequence[Judged]) -> int:
    """1 where a gate says no, 4 where evidence is missing, 3 where one cannot tell and that blocks, else 0."""
    blocking = {verdict.outcome for one in judged for verdict in one.verdicts if verdict.blocks}
    for outcome, code in ((Outcome.FAIL, 1), (Outcome.MISSING, 4), (Outcome.INCONCLUSIVE, 3)):
        if outcome in blocking:
            return code
    return 0


def as_json(judged: Iterable[Judged]) -> list[dict[str, Any]]:
    """The same for programs."""
    return [
        {
            "model": one.model,
            "digest": one.version.digest if one.version else None,
            "baseline": one.baseline.digest if one.baseline else None,
            "changed": one.changed,
            "gates": [verdict_json(verdict) for verdict in one.verdicts],
        }
        for one in judged
    ]


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """One verdict for programs; bounds that are infinite are left out, since JSON has none."""
    finite = {
        key: value for key, value in (("low", verdict.low), ("high", verdict.high)) if value is not None and abs(value) < 1e300
    }
    return {
        "gate": verdict.gate.name,
        "verdict": verdict.outcome.value,
        "blocks": verdict.blocks,
        "sentence": verdict.sentence,
        "value": verdict.value,
        "baseline": verdict.baseline,
        **finite,
        "items": verdict.items,
        "method": verdict.method,
        "remedy": verdict.remedy,
    }
