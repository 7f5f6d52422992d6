"""Values of a result: what it consists of, and how untrusted bytes become them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from git_lepton.errors import CheckFailed
from git_lepton.evidence.record import MAX_RECORD_BYTES, BadRecord, Items, Metric, check_mean


class BadResult(CheckFailed):
    """An evaluation wrote nothing that its metrics could be read from."""


class Result(NamedTuple):
    """Metrics, scores of items and, where the evaluation told it, its environment (device, dtype, versions) and texts to keep."""

    metrics: dict[str, Metric]
    items: dict[str, Items]
    environment: dict[str, str]
    attachments: dict[str, str]


def read_bounded(path: Path) -> bytes:
    """The bytes of a file of a result. Raises BadResult for a longer one than any result is, and for what is no file."""
    try:
        if not path.is_file():
            raise BadResult(f"the result, {path.name}, is not an ordinary file")
        with path.open("rb") as file:
            data = file.read(MAX_RECORD_BYTES + 1)
    except OSError as error:
        raise BadResult(f"the result cannot be read: {error.strerror}") from error
    if len(data) > MAX_RECORD_BYTES:
        raise BadResult(f"the result, {path.name}, has more than {MAX_RECORD_BYTES >> 20} MiB")
    return data


def checked(result: Result, what: str) -> Result:
    """The result, as it is. Raises BadResult where it has no metric, or scores that do not average to one."""
    if not result.metrics:
        raise BadResult(f"{what} has no metrics", '{"metrics": {"accuracy": 0.97}}')
    try:
        for name, found in result.items.items():
            check_mean(name, result.metrics.get(name), found)
    except BadRecord as error:
        raise BadResult(f"{what}: {error.message}") from error
    return result


def parse_json(data: bytes, what: str) -> Any:
    """The JSON value in these bytes; NaN and infinities are refused as the evaluation's, by name. Raises BadResult."""

    def constant(name: str) -> float:
        raise BadResult(f"{what} has a value that is not finite: {name}", "An evaluation that found no number found nothing.")

    try:
        return json.loads(data.decode("utf-8"), parse_constant=constant)
    except (ValueError, RecursionError) as error:
        raise BadResult(f"{what} is not JSON: {str(error)[:200]}") from error


def finite(value: object, name: str, what: str) -> float:
    """The number, as it is. Raises BadResult for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadResult(f"{name[:100]} in {what} is no number")
    if isinstance(value, float) and not abs(value) < float("inf"):  # 1e999 is read as an infinity
        raise BadResult(f"{name[:100]} in {what} is not finite")
    return value
