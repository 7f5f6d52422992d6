"""The store of an archive of backups: a folder or a bucket, as an `ObjectStore` whose keys may have any number of steps."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from git_lepton.errors import WrongUse
from lepton_server.durable import make_folder
from lepton_server.settings import S3Settings
from lepton_server.storage.disk import DiskIncoming, DiskStore
from lepton_server.storage.object_store import ObjectStore

_INCOMING = "incoming"


class NoArchive(WrongUse):
    """There are no backups at this place."""


class Folder(DiskStore):
    """A folder of the disk. What is on its way lies in `incoming`, whose files are dropped by whoever writes next."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, _INCOMING)
        self._folder = root

    def begin(self, key: str) -> DiskIncoming:
        make_folder((self._folder / key).parent)
        return super().begin(key)

    def keys(self) -> Iterator[str]:
        for folder, inner, files in os.walk(self._folder):
            if Path(folder) == self._folder:
                inner.remove(_INCOMING)
            yield from ((Path(folder) / name).relative_to(self._folder).as_posix() for name in files)


def in_full(place: str) -> str:
    """The name of a place that means the same from every folder: of a folder its whole path."""
    scheme, found, rest = place.partition("://")
    return f"{scheme}://{rest.rstrip('/')}" if found and scheme != "file" else str(Path(place.removeprefix("file://")).resolve())


def open_place(place: str, s3: S3Settings, *, make: bool) -> ObjectStore:
    """What `place` names: a folder, file:///FOLDER or s3://BUCKET/PREFIX. Without `make` it must be there. Raises NoArchive, WrongUse."""
    scheme, found, _ = place.partition("://")
    if not found or scheme == "file":
        folder = Path(in_full(place))
        if not make and not folder.is_dir():
            raise NoArchive(f"there is no folder {folder}", "Name the place that `lepton-server backup` wrote to.")
        return Folder(folder)
    if scheme == "s3":
        from lepton_server.storage.s3.archive_bucket import Bucket

        return Bucket(place, s3, Path(tempfile.gettempdir()))
    raise WrongUse(f"backups cannot be kept at {scheme}://", "Name a folder, or s3://BUCKET/PREFIX.")
