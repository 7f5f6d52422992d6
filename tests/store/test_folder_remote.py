"""Deltas between two folders, each of which keeps chunks in its own way. The rest is in end_to_end/test_folder_store."""

from __future__ import annotations

from pathlib import Path

from git_lepton.store.folder_remote import FolderRemote
from git_lepton.store.local_store import LocalStore
from git_lepton.transfer.progress import SILENT
from tests.support.versions import History
from tests.transfer.weights import holds


def test_a_delta_goes_after_its_base(tmp_path: Path) -> None:
    history = History(1)
    with LocalStore(tmp_path / "here") as here:
        base = history.add(here, 0)
        pointer = history.add(here, 1, 0)
        FolderRemote(tmp_path).push(here, [pointer, base], SILENT)
        with LocalStore(tmp_path / "lepton") as there:
            assert holds(there, pointer)
            assert there.base(history.name(1)) == history.name(0)


def test_a_base_that_is_not_pushed_stays_here(tmp_path: Path) -> None:
    """2 lies on 1, which was dropped, and that on 0, which is there; 3 lies on nothing that is."""
    history = History(3)
    with LocalStore(tmp_path / "here") as here:
        first = history.add(here, 0)
        history.add(here, 1, 0)
        second = history.add(here, 2, 1)
        history.add(here, 5)
        third = history.add(here, 6, 5)
        FolderRemote(tmp_path).push(here, [first], SILENT)
        FolderRemote(tmp_path).push(here, [second, third], SILENT)
        with LocalStore(tmp_path / "lepton") as there:
            assert holds(there, second) and holds(there, third)
            assert there.missing([history.name(1), history.name(5)]) == {history.name(1), history.name(5)}
            assert (there.base(history.name(2)), there.base(history.name(6))) == (history.name(0), None)


def test_what_is_fetched_brings_its_bases(tmp_path: Path) -> None:
    history = History(4)
    with LocalStore(tmp_path / "lepton") as there:
        history.add(there, 0)
        pointer = history.add(there, 1, 0)
    with LocalStore(tmp_path / "here") as here:
        FolderRemote(tmp_path).fetch(here, [pointer], SILENT)
        assert here.base(history.name(1)) == history.name(0)


def test_a_delta_whose_base_lies_deeper_there_goes_without(tmp_path: Path) -> None:
    history = History(2)
    with LocalStore(tmp_path / "here") as here, LocalStore(tmp_path / "lepton") as there:
        history.add(here, 3)
        pointer = history.add(here, 4, 3)
        history.add(there, 0)
        for number in (1, 2, 3):
            history.add(there, number, number - 1)
        there.close()
        FolderRemote(tmp_path).push(here, [pointer], SILENT)
        there.refresh()
        assert there.depth(history.name(4)) == 0
        assert holds(there, pointer)
