"""Backups beside pushes and repack: each is whole, and has what was acknowledged before it began."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from lepton_server.admin import backups, maintenance
from lepton_server.backends import open_database
from lepton_server.backup.archive import open_archive
from lepton_server.backup.parts import rows_of
from lepton_server.coordination.file_lock import FolderBusy
from lepton_server.database.tables import packs
from lepton_server.settings import S3Settings
from tests.server.conftest import BOTH_DATABASES
from tests.server.weights_client import WeightsClient, weights
from tests.support.backends import Backends
from tests.support.running_server import RunningServer

pytestmark = [BOTH_DATABASES, pytest.mark.thorough]
_S3 = S3Settings()
_BACKUPS = 3


class Pushing(threading.Thread):
    """Pushes one small file after the other until it is told to end."""

    def __init__(self, client: WeightsClient, seed: int) -> None:
        super().__init__()
        self._client, self._source = client, random.Random(seed)
        self.stop = threading.Event()
        self.acknowledged: list[bytes] = []

    def run(self) -> None:
        while not self.stop.is_set():
            file = weights(self._source.randbytes(20_000), self._source.randbytes(5_000))
            if self._client.upload(file)["state"] == "done":
                self.acknowledged.append(file.oid.raw)


class Repacking(threading.Thread):
    def __init__(self, server: RunningServer) -> None:
        super().__init__()
        self._server = server
        self.stop = threading.Event()
        self.packs_read = 0

    def run(self) -> None:
        while not self.stop.is_set():
            try:
                self.packs_read += maintenance.repack(self._server.settings, None, 0).packs_read
            except FolderBusy:
                time.sleep(0.05)


def wait_until(happened: Callable[[], bool]) -> None:
    limit = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < limit
        time.sleep(0.02)


def back_up(server: RunningServer, place: str) -> str:
    while True:
        try:
            return backups.make(server.settings, place, _S3).snapshot.id
        except FolderBusy:  # repack is at it
            time.sleep(0.02)


def test_backups_beside_pushes_and_repack(
    server: RunningServer, connect: Callable[..., WeightsClient], backends: Backends, tmp_path: Path
) -> None:
    place = str(tmp_path / "archive")
    pushing = [Pushing(connect(f"admin/beside-{seed}"), seed) for seed in range(2)]
    repacking = Repacking(server)
    for thread in [*pushing, repacking]:
        thread.start()
    made: dict[str, set[bytes]] = {}
    try:
        for number in range(1, _BACKUPS + 1):
            wait_until(lambda: all(len(thread.acknowledged) >= 2 * number for thread in pushing))  # noqa: B023 (called at once)
            before = {oid for thread in pushing for oid in thread.acknowledged}
            made[back_up(server, place)] = before
        wait_until(lambda: repacking.packs_read > 0)
    finally:
        for thread in [*pushing, repacking]:
            thread.stop.set()
            thread.join()
    archive = open_archive(place)
    for snapshot in archive.snapshots():
        held = {bytes.fromhex(row["oid"]) for row in rows_of(archive, snapshot.tables["object_links"])}
        assert made[snapshot.id] <= held
        other = backends.place("sqlite-disk").settings(tmp_path / snapshot.id)
        assert backups.restore_server(other, place, _S3, snapshot.id, deep=True).objects == len(held)
    assert len(made) == _BACKUPS
    database = open_database(server.settings)
    with database.read() as connection:
        assert connection.execute(select(packs.c.id).where(packs.c.state == "condemned").limit(1)).first()
    database.close()
