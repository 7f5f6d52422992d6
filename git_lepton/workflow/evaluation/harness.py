"""Output of lm-evaluation-harness, read as it is: `results_TIME.json`, and `samples_TASK_TIME.jsonl` where samples were logged."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from git_lepton.evidence.record import BadRecord, Items, Metric, check_mean
from git_lepton.evidence.tables import is_metric_name
from git_lepton.workflow.evaluation.result_values import BadResult, Result, checked, finite, parse_json, read_bounded

_MAX_SAMPLES_BYTES = 4 << 30  # of one task: prompts and answers are in it, which are passed over line by line
_MAX_LINE_BYTES = 64 << 20


def read_harness(folder: Path) -> Result:
    """The newest results of this folder or of those in it. Raises BadResult: the harness swallows errors in writing them."""
    found = sorted(folder.rglob("results_*.json"), key=lambda path: (path.name, path)) or sorted(folder.glob("*_*.json"))
    if not found:
        raise BadResult("the evaluation wrote a folder without results_*.json", "lm-eval run ... --output_path {result}")
    newest = found[-1]
    value = parse_json(read_bounded(newest), newest.name)
    if not isinstance(value, dict) or not isinstance(value.get("results"), dict):
        raise BadResult(f"{newest.name} is no result of lm-evaluation-harness")
    time = newest.stem.rpartition("_")[2]
    samples = {}
    for task in value["results"]:
        path = newest.parent / f"samples_{task}_{time}.jsonl"
        if path.is_file():
            samples[task] = path
    return harness_result(value, samples)


def harness_result(value: dict[str, Any], samples: Mapping[str, Path]) -> Result:
    """The result in what the harness wrote: the metric `acc,none` of a task is TASK/acc, one of another filter TASK/METRIC/FILTER.

    Scores of items are kept of metrics that are the mean of them. Raises BadResult.
    """
    metrics: dict[str, Metric] = {}
    items: dict[str, Items] = {}
    for task, numbers in value["results"].items():
        if not isinstance(numbers, dict):
            raise BadResult(f"the results of {str(task)[:100]} are no object")
        direction = _get(_get(value, "higher_is_better"), task)
        scores = _scores(samples[task]) if task in samples else {}
        for key, number in numbers.items():
            metric, comma, chosen = key.partition(",")
            name = f"{task}/{metric}" + ("" if chosen == "none" else f"/{chosen}")
            if not comma or metric.endswith("_stderr") or not is_metric_name(name):
                continue  # alias, sample_len and the like
            higher = _get(direction, metric)
            metrics[name] = Metric(finite(number, name, "the result"), higher if isinstance(higher, bool) else None)
            found = scores.get((metric, chosen))
            if found and _is_mean(name, metrics[name], found):
                items[name] = found
    return checked(Result(metrics, items, _environment(value), {}), "the result")


def _scores(path: Path) -> dict[tuple[str, str], Items]:
    """The scores by (metric, filter), in the order of the documents."""
    found: dict[tuple[str, str], dict[int, float]] = {}
    for sample in _lines(path):
        document, names = sample.get("doc_id"), sample.get("metrics")
        if not isinstance(document, int) or not isinstance(names, list):
            continue
        for name in names:
            score = sample.get(name) if isinstance(name, str) else None
            if isinstance(score, int | float):
                found.setdefault((name, str(sample.get("filter", "none"))), {})[document] = float(score)
    return {key: Items(tuple(scores[document] for document in sorted(scores))) for key, scores in found.items()}


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        if path.stat().st_size > _MAX_SAMPLES_BYTES:
            raise BadResult(f"{path.name} has more than {_MAX_SAMPLES_BYTES >> 30} GiB")
        with path.open("rb") as file:
            while line := file.readline(_MAX_LINE_BYTES):
                value = json.loads(line)
                if isinstance(value, dict):
                    yield value
    except (OSError, ValueError, RecursionError) as error:
        raise BadResult(f"{path.name} cannot be read: {str(error)[:200]}") from error


def _is_mean(name: str, metric: Metric, items: Items) -> bool:
    try:
        check_mean(name, metric, items)
    except BadRecord:
        return False  # a perplexity, an F1: not a mean over documents
    return True


def _environment(value: dict[str, Any]) -> dict[str, str]:
    """What has to be equal for two results to be comparable, as far as the harness tells it."""
    config = _get(value, "config")
    told = {
        "harness": _get(value, "lm_eval_version"),
        "transformers": _get(value, "transformers_version"),
        "device": _get(config, "device"),
        "dtype": _get(config, "model_dtype"),
        "batch_size": _get(config, "batch_size"),
    }
    return {key: str(found)[:200] for key, found in told.items() if isinstance(found, str | int) and found != ""}


def _get(value: object, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None
