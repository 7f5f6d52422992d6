"""Deltas between two folders, each of which keeps chunks in its own way. The rest is in end_to_end/test_folder_store."""

from __future__ import annotations

from pathlib import Path

from git_lepton.store.folder_remote import FolderRemote
from git_lepton.store.local_store import LocalStore
from git_lepton.transfer.progress import SILENT
from tests.support.versions import History
from tests.transfer.weights import holds


def test_a_delta_takes_its_bases_along(tmp_path: Path) -> None:
    history = History(1)
    with LocalStore(tmp_path / "here") as here:
        history.add(here, 0)
        pointer = history.add(here, 1, 0)
        FolderRemote(tmp_path).push(here, [pointer], SILENT)
        with LocalStore(tmp_path / "lepton") as there:
            assert holds(there, pointer)
            assert there.base(history.name(1)) == history.name(0)


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
