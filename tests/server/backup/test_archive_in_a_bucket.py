"""An archive in a bucket, and a server restored from it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lepton_server.admin import backups
from lepton_server.backup.archive import NotAnArchive
from lepton_server.settings import ServerSettings
from tests.server.weights_client import WeightsClient, weights
from tests.support.backends import Backends
from tests.support.running_server import RunningServer


@pytest.mark.thorough
def test_backups_in_a_bucket(
    server: RunningServer,
    connect: Callable[..., WeightsClient],
    noise: Callable[[int], bytes],
    tmp_path: Path,
    backends: Backends,
) -> None:
    place = backends.place("postgres-moto")
    s3, bucket = place.settings(tmp_path).s3, place.storage.removesuffix("/packs")
    archive = f"{bucket}/backups/team"
    assert connect().upload(weights(noise(30_000)))["state"] == "done"
    first = backups.make(server.settings, archive, s3)
    assert connect().upload(weights(noise(20_000)))["state"] == "done"
    second = backups.make(server.settings, archive, s3, keep=1)
    assert first.copied_packs + second.copied_packs == second.snapshot.counts["packs"]
    assert [snapshot.id for snapshot in backups.listed(archive, s3)] == [second.snapshot.id]
    assert backups.verify(archive, s3) == []
    done = backups.restore_server(ServerSettings(tmp_path / "restored"), archive, s3, deep=True)
    assert done.objects == second.snapshot.counts["objects"]
    with pytest.raises(NotAnArchive):
        backups.make(server.settings, bucket, s3)
