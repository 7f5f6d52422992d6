"""Results: what an evaluation left behind, read as docs/evaluation.md, section 3, has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from git_lepton.evidence.record import Items, Metric
from git_lepton.evidence.tables import is_metric_name
from git_lepton.workflow.evaluation.harness import harness_result, read_harness
from git_lepton.workflow.evaluation.result_values import BadResult, Result, checked, finite, parse_json, read_bounded

_KEYS = {"metrics", "items", "clusters", "environment", "attachments"}


def read_result(path: Path, last_line: bytes) -> Result:
    """The result at `path`: a file, or the folder that lm-evaluation-harness wrote; where there is neither, what `last_line` of the
    output says. Raises BadResult."""
    if path.is_dir():
        return read_harness(path)
    if path.exists():
        return parse_result(read_bounded(path), "the result")
    written = sorted(path.parent.glob(f"{path.stem}_*.json"))  # the harness puts a time into the name that it was given
    if written:
        return read_harness(path.parent)
    if not last_line.strip():
        raise BadResult("the evaluation wrote no result", "It should write JSON to {result}, or print it as its last line.")
    return parse_result(last_line, "the last line of the output")


def parse_result(data: bytes, what: str) -> Result:
    """The result in these bytes. Raises BadResult."""
    value = parse_json(data, what)
    if not isinstance(value, dict):
        raise BadResult(f"{what} is no JSON object", '{"metrics": {"accuracy": 0.97}}')
    if "results" in value and "metrics" not in value:
        return harness_result(value, {})
    if not value.keys() & _KEYS:
        value = {"metrics": value}
    if unknown := sorted(value.keys() - _KEYS):
        raise BadResult(f"{what} has an unknown key: {', '.join(unknown)[:200]}", f"Known are {', '.join(sorted(_KEYS))}.")
    metrics = {_name(name, what): _metric(name, found, what) for name, found in _object(value, "metrics", what).items()}
    clusters = _object(value, "clusters", what)
    items = {name: _items(name, found, clusters.pop(name, []), what) for name, found in _object(value, "items", what).items()}
    if clusters:
        raise BadResult(f"{what} has clusters for {', '.join(sorted(clusters))[:200]}, and no items")
    texts = {key: _object(value, key, what) for key in ("environment", "attachments")}
    for key, found in texts.items():
        if not all(isinstance(text, str) for text in found.values()):
            raise BadResult(f"{key} in {what} has a value that is no text")
    return checked(Result(metrics, items, texts["environment"], texts["attachments"]), what)


def _object(value: dict[str, Any], key: str, what: str) -> dict[str, Any]:
    found = value.get(key, {})
    if not isinstance(found, dict):
        raise BadResult(f"{key} in {what} is no object")
    return dict(found)


def _name(name: str, what: str) -> str:
    if not is_metric_name(name):
        raise BadResult(f"{what} has a metric called {name[:100]!r}", "Use letters, digits, '.', '_', '-' and '/'.")
    return name


def _metric(name: str, value: object, what: str) -> Metric:
    if isinstance(value, dict):
        if unknown := sorted(value.keys() - {"value", "higher_is_better"}):
            raise BadResult(f"{name} in {what} has an unknown key: {', '.join(unknown)[:200]}")
        if "value" not in value:
            raise BadResult(f"{name} in {what} has no value")
        higher = value.get("higher_is_better")
        if not (higher is None or isinstance(higher, bool)):
            raise BadResult(f"higher_is_better of {name} in {what} is not true or false")
        return Metric(finite(value["value"], name, what), higher)
    return Metric(finite(value, name, what))


def _items(name: str, scores: object, clusters: object, what: str) -> Items:
    if not isinstance(scores, list) or not scores:
        raise BadResult(f"the items of {name[:100]} in {what} are no list of scores")
    if not isinstance(clusters, list) or (clusters and len(clusters) != len(scores)):
        raise BadResult(f"the clusters of {name[:100]} in {what} are not as many as its items")
    numbers = tuple(float(score) if isinstance(score, bool) else finite(score, name, what) for score in scores)
    return Items(numbers, tuple(str(cluster) for cluster in clusters))
