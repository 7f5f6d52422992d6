"""One server at a time writes to an archive; what a dead one left gets in nobody's way for long."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from lepton_server.backup.archive import Archive, open_archive
from lepton_server.backup.archive_lock import ArchiveBusy, OneWriter

_OURS, _THEIRS = "a" * 32, "b" * 32


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return open_archive(str(tmp_path / "archive"), make=True)


def running(archive: Archive) -> list[str]:
    return [key for key in archive.store.keys() if key.startswith("running/")]  # noqa: SIM118 (a method of the store)


def test_another_server_waits(archive: Archive) -> None:
    with OneWriter(archive, _OURS), pytest.raises(ArchiveBusy, match="another server"), OneWriter(archive, _THEIRS):
        pass
    assert running(archive) == []
    with OneWriter(archive, _THEIRS):
        assert len(running(archive)) == 1


def test_a_server_that_died_is_its_own_successor(archive: Archive) -> None:
    archive.put(f"running/{_OURS}-{time.time_ns() // 1_000_000}", b"")
    with OneWriter(archive, _OURS):
        assert len(running(archive)) == 1
    assert running(archive) == []


def test_a_key_that_nobody_renews_grows_old(archive: Archive) -> None:
    archive.put(f"running/{_THEIRS}-{time.time_ns() // 1_000_000 - 16 * 60_000}", b"")
    with OneWriter(archive, _OURS) as writer:
        assert not any(_THEIRS in key for key in writer.keys)
    assert running(archive) == []


def test_it_is_renewed_and_never_absent(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    with OneWriter(archive, _OURS) as writer:
        (before,) = running(archive)
        time.sleep(0.002)
        monkeypatch.setattr("lepton_server.backup.archive_lock._RENEW_SECONDS", 0.0)
        deleted: list[int] = []
        delete = archive.store.delete
        monkeypatch.setattr(archive.store, "delete", lambda key: (deleted.append(len(running(archive))), delete(key)))
        writer.go_on()
        assert deleted == [2]
        assert running(archive) != [before]
