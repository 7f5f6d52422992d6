"""Takes the bytes of purged chunks out of the storage: every pack that has them is written anew without them, and deleted at once.

What counts is what lies in the files, not what the database says of them: bytes that nothing names any more are found too.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import delete, exists, select

from git_lepton.errors import CorruptData
from lepton_server.content.chunks import Encoding
from lepton_server.content.decoder import Decoder
from lepton_server.content.pack_reader import tells_of
from lepton_server.content.packs import contents_of, forget_pack
from lepton_server.database.tables import encodings, packs, pending_packs, repositories, stray_files, uploads
from lepton_server.database.transactions import Database
from lepton_server.maintenance.pack_replacement import move_out
from lepton_server.storage.disk import DiskStore
from lepton_server.storage.object_store import ObjectMissing, ObjectStore
from lepton_server.uploads import records

_TRIES = 10


class NotEmptied(CorruptData):
    """A pack holds purged bytes and other weights that cannot be read, so it cannot be written anew."""


class _Row(NamedTuple):
    id: int
    name: bytes
    state: str


class Sweeper:
    """Sweeps the packs of one tenant: what another has stored on its own is left alone."""

    def __init__(self, database: Database, store: ObjectStore, decoder: Decoder, tenant: int) -> None:
        self._database, self._store, self._decoder, self._tenant = database, store, decoder, tenant
        self.packs_deleted = self.bytes_deleted = 0

    def sweep(self, doomed: Collection[bytes]) -> None:
        """Delete every pack in which one of these chunks, none of which is stored any more, or a difference to one lies.

        Raises NotEmptied, after all others."""
        if not doomed:
            return
        stuck: list[str] = []
        for key in list(self._store.keys()):
            try:
                if tells_of(self._store, key, doomed) and not self._is_of_others(key):
                    self._clear(key, doomed)
            except ObjectMissing:
                continue
            except CorruptData as error:
                stuck.append(f"{key}: {error.message}")
        if isinstance(self._store, DiskStore):
            self._store.drop_incoming(lambda data: any(chunk in data for chunk in doomed))
        if stuck:
            raise NotEmptied(
                f"{len(stuck)} packs could not be written anew: {stuck[0]}", "Run lepton-server scrub, then purge again."
            )

    def _is_of_others(self, key: str) -> bool:
        with self._database.read() as connection:
            owner = select(packs.c.tenant).where(packs.c.storage_key == key)
            coming = select(repositories.c.tenant).join(uploads, uploads.c.repository == repositories.c.id)
            coming = coming.join(pending_packs, pending_packs.c.upload == uploads.c.id).where(pending_packs.c.storage_key == key)
            tenants = set(connection.execute(owner.union(coming)).scalars())
        return bool(tenants) and self._tenant not in tenants

    def _clear(self, key: str, doomed: Collection[bytes]) -> None:
        for _ in range(_TRIES):
            row, live = self._look(key)
            if row is None:
                return self._delete_stray(key)
            if any(encoding.chunk in doomed or encoding.base in doomed for encoding in live):
                return None  # it was pushed again, as part of something else
            move_out(self._database, self._store, self._decoder, self._tenant, live)
            if self._delete(key, row):
                return None
        raise NotEmptied(f"the pack {key} goes on being written to", "Run this again.")

    def _look(self, key: str) -> tuple[_Row | None, list[Encoding]]:
        with self._database.read() as connection:
            found = connection.execute(
                select(packs.c.id, packs.c.name, packs.c.state).where(packs.c.storage_key == key)
            ).one_or_none()
            row = _Row(*found) if found else None
            return row, contents_of(connection, {row.id: key}) if row else []

    def _delete(self, key: str, row: _Row) -> bool:
        """Whether nothing lies there any more, and it is gone."""
        size = self._store.size(key)
        with self._database.write() as connection:
            if connection.execute(select(exists().where(encodings.c.pack == row.id))).scalar_one():
                return False
            if row.state == "received":
                records.fail_pack(connection, row.id, "forbidden", row.name.hex(), "this pack holds weights that were purged")
            forget_pack(connection, row.id)
        self._store.delete(key)
        self.packs_deleted, self.bytes_deleted = self.packs_deleted + 1, self.bytes_deleted + size
        return True

    def _delete_stray(self, key: str) -> None:
        size = self._store.size(key)
        with self._database.write() as connection:
            connection.execute(delete(pending_packs).where(pending_packs.c.storage_key == key))
            connection.execute(delete(stray_files).where(stray_files.c.storage_key == key))
        self._store.delete(key)
        self.packs_deleted, self.bytes_deleted = self.packs_deleted + 1, self.bytes_deleted + size
