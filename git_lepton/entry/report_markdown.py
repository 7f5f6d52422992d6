"""A report as Markdown, for a comment at a pull request: the verdict first, then numbers, then where the model changed."""

from __future__ import annotations

from collections.abc import Iterator

from git_lepton.entry.terminal import human_bytes
from git_lepton.evidence.judgement import Outcome, Verdict
from git_lepton.evidence.wording import amount, signed
from git_lepton.format.visible import visible
from git_lepton.workflow.evaluation.report import MetricChange, ModelReport, Report, TensorChange

MARKER = "<!-- git-lepton report -->"
"""The first line, by which a comment is found again and updated."""
_MARKS = {
    Outcome.PASS: "✅ pass",
    Outcome.FAIL: "❌ fail",
    Outcome.INCONCLUSIVE: "❔ inconclusive",
    Outcome.MISSING: "❌ missing",
}
_HEADLINES = {
    Outcome.PASS: "✅ All gates pass",
    Outcome.FAIL: "❌ A gate fails",
    Outcome.MISSING: "❌ Evidence is missing",
    Outcome.INCONCLUSIVE: "❔ A gate cannot tell, and that blocks",
}
_BLOCKS = " ▁▂▃▄▅▆▇█"


def markdown(report: Report, most: int) -> str:
    """The report in at most `most` characters: models that do not fit are counted, those that block come first."""
    head = f"{MARKER}\n## {_HEADLINES[report.outcome] if report.models else 'No model changed'}\n\n"
    tail = _tail(report)
    models = sorted(report.models, key=lambda model: not any(verdict.blocks for verdict in model.verdicts))
    parts, left = [], most - len(head) - len(tail) - 100
    for number, model in enumerate(models):
        text = "".join(f"{line}\n" for line in _model(model)) + "\n"
        if len(text) > left:
            parts.append(f"... and {len(models) - number} more models; `git lepton report` shows them.\n\n")
            break
        parts.append(text)
        left -= len(text)
    return head + "".join(parts) + tail


def _model(model: ModelReport) -> Iterator[str]:
    yield f"### {_text(model.model)}"
    yield ""
    if model.digest is None:
        yield "This version has no files of the model any more."
        return
    if model.verdicts:
        yield "| gate | verdict | |"
        yield "| --- | --- | --- |"
        for verdict in sorted(model.verdicts, key=lambda one: not one.blocks):
            yield f"| {_text(verdict.gate.name)} | {_mark(verdict)} | {_text(verdict.sentence)} |"
        yield ""
    else:
        yield "No gate is for this model."
        yield ""
    if model.metrics:
        yield "| metric | before | after | change | noise (95 %, one-sided) |"
        yield "| --- | ---: | ---: | ---: | --- |"
        for change in model.metrics:
            yield _metric(change)
        yield ""
    yield from _size(model)
    if model.tensors:
        yield from _tensors(model.tensors)


def _mark(verdict: Verdict) -> str:
    mark = _MARKS[verdict.outcome]
    return f"**{mark}**" if verdict.blocks else mark


def _metric(change: MetricChange) -> str:
    name = f"{_text(change.evaluation)}.{_text(change.metric)}"
    if change.before is None:
        return f"| {name} | | {amount(change.after)} | new | |"
    noise = ""
    if change.low is not None and change.high is not None and abs(change.low) < 1e300:
        noise = f"{signed(change.low)} to {signed(change.high)}"
    return f"| {name} | {amount(change.before)} | {amount(change.after)} | {signed(change.after - change.before)} | {noise} |"


def _size(model: ModelReport) -> Iterator[str]:
    parts = [f"{human_bytes(model.size or 0)}"]
    if model.size_before is not None and model.size is not None and model.size != model.size_before:
        sign = "+" if model.size > model.size_before else "-"
        parts.append(f"{sign}{human_bytes(abs(model.size - model.size_before))}")
    if model.stored is not None:
        parts.append(f"{human_bytes(model.stored)} stored")
    yield f"Size: {', '.join(parts)}. Version `{(model.digest or '')[:12]}`, before `{(model.baseline or 'none')[:12]}`."
    yield ""


def _tensors(tensors: TensorChange) -> Iterator[str]:
    counts = [
        f"{count} {word}"
        for count, word in (
            (tensors.changed, "changed"),
            (tensors.added, "added"),
            (tensors.removed, "removed"),
            (tensors.same, "as before"),
        )
        if count
    ]
    yield f"Tensors: {', '.join(counts) or 'none'}."
    moved = [part for part, share in tensors.where if share > 0]
    if moved:
        picture = "".join(_BLOCKS[max(1, round(share * 8)) if share else 0] for _, share in tensors.where)
        yield ""
        yield f"`|{picture}|` {_text(tensors.where[0][0])} to {_text(tensors.where[-1][0])}: the share of each part that changed"


def _tail(report: Report) -> str:
    base = f"`{report.base[:12]}`" if report.base else "nothing"
    chance = f"Of 100 versions that are as good as before, these gates refuse about {report.chance:.0f} by chance."
    return f"<sub>{base} to `{report.head[:12]}`. {chance}</sub>\n"


def _text(text: str) -> str:
    """Text of others inside a table: it does nothing to it, and names nobody."""
    shown = visible(text).replace("\\", "\\\\")
    for sign in "|`*_<>[]@#":
        shown = shown.replace(sign, f"\\{sign}" if sign in "|`*_[]#" else {"<": "&lt;", ">": "&gt;", "@": "&#64;"}[sign])
    return shown
