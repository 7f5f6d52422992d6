"""What is kept of what servers said they took away."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from git_lepton.format.identifiers import ObjectId
from git_lepton.transfer import taken_notes
from git_lepton.transfer.taken_notes import note, read_notes
from git_lepton.wire.tombstones import Tombstone


def stone(name: str) -> tuple[ObjectId, Tombstone]:
    oid = ObjectId(hashlib.sha256(name.encode()).digest())
    return oid, Tombstone(oid.hex, 5, "expired", "too old\x1b", "ada", 1_700_000_000_000)


def test_the_last_answer_counts(tmp_path: Path) -> None:
    (one, first), (two, second) = stone("one"), stone("two")
    folder = tmp_path / "lepton"
    note(folder, [one, two], {})
    assert not folder.exists()
    note(folder, [one, two], {one: first, two: second})
    assert read_notes(folder) == {one: first, two: second}
    note(folder, [one], {})  # it came back
    changed = replace(second, kind="purged")
    note(folder, [two], {two: changed})
    assert read_notes(folder) == {two: changed}


@pytest.mark.parametrize("text", [b"", b"[]", b"[" * 100_000, b'{"tombstones": [{"oid": "zz"}]}', b"\xff"])
def test_damaged_notes_are_none(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "taken-away.json").write_bytes(text)
    assert read_notes(tmp_path) == {}
    oid, there = stone("one")
    note(tmp_path, [oid], {oid: there})
    assert read_notes(tmp_path) == {oid: there}


def test_of_many_the_last_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taken_notes, "_MOST", 2)
    stones = dict(map(stone, ["one", "two", "three"]))
    note(tmp_path, stones, stones)
    assert list(read_notes(tmp_path)) == list(stones)[1:]


def test_a_folder_that_takes_no_notes_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    oid, there = stone("one")
    note(tmp_path / "file" / "lepton", [oid], {oid: there})
    assert read_notes(tmp_path / "file" / "lepton") == {}
