from __future__ import annotations

import os
from pathlib import Path

import pytest

from lepton_server import durable
from lepton_server.durable import make_folder, sync_tree, write_private, write_whole


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What was brought to the disk by name, in order."""
    paths: list[Path] = []
    monkeypatch.setattr(durable, "_sync", paths.append)
    return paths


@pytest.mark.skipif(os.name == "nt", reason="Windows syncs no folders")
def test_a_folder_is_made_with_those_above_it_and_each_name_is_synced(tmp_path: Path, synced: list[Path]) -> None:
    make_folder(tmp_path / "a/b")
    assert (tmp_path / "a/b").is_dir()
    assert synced == [tmp_path, tmp_path / "a"]
    make_folder(tmp_path / "a/b")
    assert len(synced) == 2


@pytest.mark.skipif(os.name == "nt", reason="Windows syncs no folders")
def test_of_a_tree_everything_is_synced(tmp_path: Path, synced: list[Path]) -> None:
    (tmp_path / "t/inner").mkdir(parents=True)
    (tmp_path / "t/inner/file").write_text("x")
    sync_tree(tmp_path / "t")
    assert set(synced) == {tmp_path / "t", tmp_path / "t/inner", tmp_path / "t/inner/file"}


def test_a_file_is_replaced_whole_or_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mark"
    write_whole(file, "old\n", 0o600)
    with monkeypatch.context() as patch, pytest.raises(OSError, match="no room"):
        patch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError("no room")))
        write_whole(file, "new\n", 0o755)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old\n"]
    write_whole(file, "new\n", 0o755)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"new\n"]
    assert os.name == "nt" or file.stat().st_mode & 0o777 == 0o755


def test_a_private_file_is_its_owners_and_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    write_private(file, "first")
    write_private(file, "second")
    assert file.read_bytes() == b"first\n"
    assert os.name == "nt" or file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("links", [True, False])
def test_a_private_file_is_never_there_in_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    file = tmp_path / "secret"
    if not links:  # as on some file systems of networks
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(PermissionError("no hard links")))
    with monkeypatch.context() as patch, pytest.raises(OSError, match="no room"):
        patch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError("no room")))
        write_private(file, "first")
    assert list(tmp_path.iterdir()) == []
    write_private(file, "first")
    write_private(file, "second")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"first\n"]
