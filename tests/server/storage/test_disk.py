"""The disk keeps the contract of object stores, and survives what disks do."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from lepton_server.storage.disk import DiskStore
from lepton_server.storage.object_store import StoreFull, StoreTrouble
from tests.server.storage.object_store_contract import KEY, ObjectStoreContract


class TestDiskStore(ObjectStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> DiskStore:
        return DiskStore(tmp_path / "packs")


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, StoreFull), (errno.EDQUOT, StoreFull), (errno.EIO, StoreTrouble)])
def test_errors_of_the_disk_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception]
) -> None:
    store = DiskStore(tmp_path)
    incoming = store.begin(KEY)

    def fails(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", fails)
        with pytest.raises(kind):
            incoming.write(b"x")
    incoming.abort()
    assert list((tmp_path / "incoming").iterdir()) == []


def test_bytes_are_synced_before_they_get_their_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = DiskStore(tmp_path)
    incoming = store.begin(KEY)
    incoming.write(b"some")
    synced: list[bool] = []
    real = os.fsync

    def noted(descriptor: int) -> None:
        synced.append((tmp_path / KEY).exists())
        real(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    incoming.finish()
    assert synced[0] is False  # the file
    assert synced[-1] is True  # the folder, after the rename
