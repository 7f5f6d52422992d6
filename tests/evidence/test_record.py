"""Records of evidence: they come back as they went, and nothing else is one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from git_lepton.evidence.canonical import NotCanonical, canonical
from git_lepton.evidence.record import (
    BadRecord,
    Items,
    Metric,
    Record,
    UnknownRecordVersion,
    Waiver,
    parse_record,
    record_name,
)

RECORD = Record(
    "classifier",
    "a" * 64,
    "digits",
    "b" * 64,
    {"accuracy": Metric(0.75, True), "loss": Metric(0.1)},
    {"accuracy": Items((1, 0, 1, 1), ("x", "x", "y", "y"))},
    {"device": "cpu", "system": "Linux"},
    {"log": "fine\n"},
    "2026-12-01T12:00:00Z",
    "Ada <ada@example.org>",
    "c" * 40,
    1.5,
)
WAIVER = Waiver(
    "classifier", "a" * 64, "digits", "b" * 64, "digits.accuracy", "v4 broke", "refs/heads/main", "2026-12-01T12:00:00Z"
)


def test_a_record_comes_back() -> None:
    data = RECORD.encode()
    assert parse_record(data) == RECORD
    assert parse_record(data).encode() == data  # type: ignore[union-attr]
    assert len(record_name(data)) == 64
    assert RECORD.key == ("a" * 64, "b" * 64)


def test_a_waiver_comes_back() -> None:
    assert parse_record(WAIVER.encode()) == WAIVER


def test_what_is_not_canonical_is_no_record() -> None:
    data = RECORD.encode()
    for other in (data + b"\n", data.replace(b":", b": ", 1), b"\xff", b"[" * 100_000, b'{"version":1,"version":1}'):
        with pytest.raises(NotCanonical):
            parse_record(other)
    with pytest.raises(NotCanonical):
        canonical({"a": float("nan")})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda value: value["metrics"].clear(), "1 to"),
        (lambda value: value["metrics"].update({"": {"value": 1}}), "name of a metric"),
        (lambda value: value["metrics"]["accuracy"].update(value="1"), "no number"),
        (lambda value: value["metrics"]["accuracy"].update(value=True), "no number"),
        (lambda value: value["metrics"]["accuracy"].update(value=10**400), "not finite"),
        (lambda value: value["metrics"]["accuracy"].update(value=0.76), "mean of its scores"),
        (lambda value: value["metrics"]["accuracy"].update(higher_is_better=1), "true or false"),
        (lambda value: value["metrics"]["accuracy"].update(noise=1), "has a value"),
        (lambda value: value["items"].update(f1={"scores": [1]}), "no such metric"),
        (lambda value: value["items"]["accuracy"].update(scores=[]), "scores"),
        (lambda value: value["items"]["accuracy"].update(clusters=["x"]), "4 scores and 1 clusters"),
        (lambda value: value["model"].update(digest="A" * 64), "64 hexadecimal"),
        (lambda value: value["model"].pop("name"), "a name and a digest"),
        (lambda value: value.update(attachments={"log": "x" * (1 << 20)}), "at most"),
        (lambda value: value.update(environment={"device": 1}), "texts"),
        (lambda value: value.update(made="today"), "a time"),
        (lambda value: value.update(by="\x1b[31m"), "plain text"),
        (lambda value: value.update(commit="abc"), "name of a commit"),
        (lambda value: value.update(trust="ci"), "unknown key: trust"),
        (lambda value: value.pop("seconds"), "no number"),
    ],
)
def test_what_contradicts_itself_is_no_record(change: Callable[[dict[str, Any]], object], told: str) -> None:
    value = json.loads(RECORD.encode())
    change(value)
    with pytest.raises(BadRecord, match=told):
        parse_record(canonical(value))


@pytest.mark.parametrize("change", [{"version": 2}, {"kind": "opinion"}, {"version": None}])
def test_an_unknown_version_or_kind_is_said(change: dict[str, Any]) -> None:
    with pytest.raises(UnknownRecordVersion, match="does not know"):
        parse_record(canonical(json.loads(RECORD.encode()) | change))


def test_what_could_not_be_read_again_is_not_written() -> None:
    with pytest.raises(NotCanonical):
        Record("m", "a" * 64, "e", "b" * 64, {"x": Metric(float("inf"))}, made="2026-12-01T12:00:00Z").encode()
