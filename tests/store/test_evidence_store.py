"""Evidence on this machine: kept once, and what is damaged is passed over and can be brought again."""

from __future__ import annotations

from pathlib import Path

import pytest

from git_lepton.evidence.record import BadRecord, Metric, Record, Waiver
from git_lepton.store.evidence_store import EvidenceStore

MADE = "2026-12-01T12:00:00Z"


def record(value: float, model: str = "a" * 64) -> Record:
    return Record("m", model, "e", "b" * 64, {"x": Metric(value)}, made=MADE)


def test_records_are_kept_by_version_once(tmp_path: Path) -> None:
    store = EvidenceStore(tmp_path)
    assert store.models() == [] and store.of_model("a" * 64) == []
    kept = store.add(record(1).encode())
    assert store.add(record(1).encode()) == kept
    store.add(record(2).encode())
    store.add(record(3, "c" * 64).encode())
    assert [one.record.metrics["x"].value for one in EvidenceStore(tmp_path).of_model("a" * 64)] in ([1, 2], [2, 1])
    assert store.models() == ["a" * 64, "c" * 64]
    assert store.encoded("c" * 64) == {store.of_model("c" * 64)[0].name: record(3, "c" * 64).encode()}


def test_damage_is_passed_over_and_mended_by_the_same_record(tmp_path: Path) -> None:
    store = EvidenceStore(tmp_path)
    kept = store.add(record(1).encode())
    path = tmp_path / "evidence" / ("a" * 64) / f"{kept.name}.json"
    path.write_bytes(path.read_bytes().replace(b'"x"', b'"y"'))
    assert store.of_model("a" * 64) == []
    assert "is damaged" in store.passed_over[0]
    store.add(record(1).encode())
    assert [one.name for one in store.of_model("a" * 64)] == [kept.name]


def test_records_lie_where_their_model_is(tmp_path: Path) -> None:
    store = EvidenceStore(tmp_path)
    kept = store.add(record(1).encode())
    (tmp_path / "evidence" / ("a" * 64)).rename(tmp_path / "evidence" / ("d" * 64))
    assert store.of_model("d" * 64) == []  # of another version it says nothing
    assert store.of_model("../" + "a" * 61) == []
    assert kept.name


def test_a_waiver_is_none_of_ours(tmp_path: Path) -> None:
    waiver = Waiver("m", "a" * 64, "e", "b" * 64, "e.x", "because", "refs/heads/main", MADE)
    with pytest.raises(BadRecord):
        EvidenceStore(tmp_path).add(waiver.encode())
