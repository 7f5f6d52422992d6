"""An archive: snapshots of a server, and the packs and parts that they share (docs/backup-format.md).

    lepton-backup               which format this is
    snapshots/ID                what one backup is made of; written last, so what has none is not a backup, only the rest of one
    parts/ab/SHA256             rows and git history, by the SHA-256 of their bytes
    packs/ab/NAME               packs as they lay in the server's store
    running/SERVER-TIME         somebody writes here

Whatever is read is compared with its name. Nothing that a complete snapshot names is ever changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from git_lepton.errors import LeptonError
from lepton_server.backup.archive_store import NoArchive, in_full, open_place
from lepton_server.backup.snapshot import BadSnapshot, Part, Snapshot, encode_head, parse_head, parse_snapshot
from lepton_server.content.pack_reader import check_whole_pack
from lepton_server.settings import S3Settings
from lepton_server.storage.object_store import ObjectMissing, ObjectStore, put

_HEAD, _SNAPSHOTS = "lepton-backup", "snapshots/"
PART_BYTES = 64 * 1024 * 1024
_PLAIN = S3Settings()


class NotAnArchive(LeptonError):
    """The place holds other things."""

    exit_code = 2


def pack_key(name: bytes) -> str:
    text = name.hex()
    return f"packs/{text[:2]}/{text}"


def part_key(part: Part) -> str:
    return f"parts/{part.sha256[:2]}/{part.sha256}"


def open_archive(place: str, s3: S3Settings = _PLAIN, *, make: bool = False) -> Archive:
    """The archive at `place` (a folder or s3://BUCKET/PREFIX); with `make` a new one where there is nothing at all.

    Raises NoArchive, NotAnArchive, UnknownBackupVersion, WrongUse.
    """
    place = in_full(place)
    store = open_place(place, s3, make=make)
    try:
        head = store.read(_HEAD, 0, store.size(_HEAD))
    except ObjectMissing:
        if not make:
            raise NoArchive(f"there are no backups in {place}", "Name the place that `lepton-server backup` wrote to.") from None
        if next(iter(store.keys()), None) is not None:
            raise NotAnArchive(f"{place} holds other things than backups", "Name an empty folder or prefix.") from None
        archive = Archive(store, place)
        archive.put(_HEAD, encode_head())
        return archive
    parse_head(head)
    return Archive(store, place)


class Archive:
    """Safe to use from any thread."""

    def __init__(self, store: ObjectStore, place: str) -> None:
        self.store = store
        self.place = place

    def snapshots(self, keys: Iterable[str] | None = None) -> list[Snapshot]:
        """The complete ones, oldest first; `keys` where they were listed a moment ago. Raises BadSnapshot."""
        found = [key for key in (self.store.keys() if keys is None else keys) if key.startswith(_SNAPSHOTS)]
        return sorted((self._snapshot(key) for key in found), key=lambda snapshot: (snapshot.finished, snapshot.id))

    def _snapshot(self, key: str) -> Snapshot:
        try:
            return parse_snapshot(self._whole(key))
        except BadSnapshot as error:
            raise BadSnapshot(f"{error.message} ({key})", "Delete it; the others stay good.") from None

    def pack(self, name: bytes) -> bytes | None:
        """The whole pack of this name, checked; None where the archive has none. Raises CorruptData where it is damaged."""
        try:
            data = self._whole(pack_key(name))
        except ObjectMissing:
            return None
        check_whole_pack(data, name)
        return data

    def read(self, part: Part) -> bytes:
        """The bytes of a part. Raises BadSnapshot where it is absent or damaged."""
        try:
            data = self.store.read(part_key(part), 0, part.size)
        except ObjectMissing:
            raise BadSnapshot(f"the part {part.sha256} of this backup is not there") from None
        if hashlib.sha256(data).hexdigest() != part.sha256:
            raise BadSnapshot(f"the part {part.sha256} of this backup is damaged: its SHA-256 does not match")
        return data

    def blocks(self, parts: Iterable[Part]) -> Iterator[bytes]:
        """These, one after the other."""
        return (self.read(part) for part in parts)

    def put(self, key: str, data: bytes) -> None:
        """Durable and visible when this returns, or not there at all."""
        put(self.store, key, data)

    def complete(self, snapshot: Snapshot) -> None:
        """Write the snapshot, last of all: from then on there is this backup."""
        self.put(_SNAPSHOTS + snapshot.id, snapshot.encode())

    def forget(self, snapshot: Snapshot) -> None:
        """Delete the snapshot: there is no such backup any more. What only it named stays until `prune` takes it away."""
        self.store.delete(_SNAPSHOTS + snapshot.id)

    def _whole(self, key: str) -> bytes:
        return self.store.read(key, 0, self.store.size(key))
