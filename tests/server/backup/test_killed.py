"""Backup and restore that die in the middle: nothing half is ever taken for whole, and the next run ends what the last began."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lepton_server.admin import backups
from lepton_server.backup.restore import NotEmpty
from lepton_server.settings import S3Settings, ServerSettings
from tests.server.backup.dying import KILLED
from tests.server.weights_client import WeightsClient, weights
from tests.support.running_server import RunningServer

pytestmark = pytest.mark.thorough

_S3 = S3Settings()


def dies(name: str, nth: int, *arguments: str) -> None:
    command = [sys.executable, "-m", "tests.server.backup.dying", name, str(nth), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3])
    assert done.returncode == KILLED, done.stderr


def test_a_backup_that_dies_is_none_and_the_next_one_goes_on(
    server: RunningServer, connect: Callable[..., WeightsClient], noise: Callable[[int], bytes], tmp_path: Path
) -> None:
    place = tmp_path / "archive"
    assert connect().upload(weights(noise(30_000)))["state"] == "done"
    for name, nth in [("archive.Archive.put", 3), ("archive.Archive.put", 12), ("archive.Archive.complete", 1)]:
        dies(name, nth, "backup", str(place), "--data", str(server.data))
        assert backups.listed(str(place), _S3) == []
    done = backups.make(server.settings, str(place), _S3, keep=1)
    assert done.copied_packs < done.snapshot.counts["packs"] or done.snapshot.counts["packs"] == 1
    assert backups.verify(str(place), _S3) == []
    assert list((place / "running").iterdir()) == []
    dies("prune.named_by", 1, "backup", str(place), "--data", str(server.data), "--keep", "1")
    assert len(backups.listed(str(place), _S3)) == 2
    assert backups.make(server.settings, str(place), _S3, keep=1).pruned_snapshots == 2
    assert backups.verify(str(place), _S3) == []


def test_a_restore_that_dies_shows_nothing_and_the_next_one_goes_on(
    server: RunningServer, connect: Callable[..., WeightsClient], noise: Callable[[int], bytes], tmp_path: Path
) -> None:
    place, data = str(tmp_path / "archive"), tmp_path / "data"
    assert connect().upload(weights(noise(30_000)))["state"] == "done"
    backups.make(server.settings, place, _S3)
    points = [("restore._copy_pack", 1), ("restore.check_chunks", 1), ("restored_git.GitFolder.clear", 1)]
    for name, nth in points:
        dies(name, nth, "restore", place, "--data", str(data))
    done = backups.restore_server(ServerSettings(data), place, _S3, deep=True)
    assert done.objects == done.snapshot.counts["objects"] >= 1

    late = tmp_path / "late"
    dies("restored_git.GitFolder.release", 1, "restore", place, "--data", str(late))
    with pytest.raises(NotEmpty):  # all of it is there
        backups.restore_server(ServerSettings(late), place, _S3)
    assert not (late / "git" / ".restoring").exists()
