"""A server out of a snapshot, on whatever kind of database and storage: packs first, then git and all rows in one transaction.

Until that ends nothing is visible, and nothing that was there is touched: the place must be empty. A run that is killed is run again;
it goes on with the packs that lie there.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, select

from git_lepton.errors import CorruptData, WrongUse
from lepton_server.backends import IDENTITY_KEY
from lepton_server.backup.archive import Archive
from lepton_server.backup.git_bundles import restore_history
from lepton_server.backup.git_snapshots import bundles_of
from lepton_server.backup.parts import rows_of
from lepton_server.backup.restored_checks import check_chunks, check_files, count_files, incomplete_files, let_go_of
from lepton_server.backup.restored_git import GitFolder
from lepton_server.backup.snapshot import BadSnapshot, Snapshot, UnknownBackupVersion
from lepton_server.backup.table_dump import KEPT, fill, number_on
from lepton_server.content.pack_reader import check_whole_pack
from lepton_server.database.tables import SCHEMA_VERSION, accounts, facts, packs, tenants
from lepton_server.database.tables import repositories as repositories_table
from lepton_server.database.transactions import Database
from lepton_server.git.bare_repositories import GitRoot
from lepton_server.identity import audit_log
from lepton_server.repositories import registry
from lepton_server.settings import ServerSettings
from lepton_server.storage.object_store import ObjectMissing, ObjectStore, put

_AT_ONCE = 4  # packs, each of at most 64 MiB, in memory
_ROWS = {table.name for table in KEPT}


class NotEmpty(WrongUse):
    """There is a server already where one was to be restored."""


@dataclass(frozen=True)
class Restored:
    """What was restored; `incomplete` says of which files a part was not there when the backup was made: they count as stored no more."""

    snapshot: Snapshot
    packs: int
    chunks: int
    objects: int
    incomplete: list[str]


@dataclass(frozen=True)
class Target:
    """The empty place: `threads` decode at once; `check` raises where the right to fill it was lost."""

    database: Database
    store: ObjectStore
    settings: ServerSettings
    threads: int
    check: Callable[[], None]


def restore(archive: Archive, snapshot: Snapshot, target: Target, *, deep: bool = False) -> Restored:
    """Fill the target. Every pack is compared with its checksums, every chunk decoded and compared with its name, every file's list of
    chunks followed; with `deep` every file is rebuilt too and its SHA-256 compared.

    Raises NotEmpty, CorruptData, UnknownBackupVersion, StoreTrouble, GitFailed; nothing is visible then.
    """
    _check_known(snapshot)
    with target.database.read() as connection:
        identity = str(connection.execute(select(facts.c.value).where(facts.c.name == IDENTITY_KEY)).scalar_one())
        folder = GitFolder(target.settings.git_root, identity)
        try:
            _check_empty(connection)
        except NotEmpty:
            folder.release()  # a run that was killed at its very end has left it
            raise
    folder.claim()
    _copy_packs(archive, snapshot, target)
    with target.database.write() as connection:
        _check_empty(connection)
        _fill_tables(connection, archive, snapshot)
        broken = list(incomplete_files(connection))
        let_go_of(connection, broken)
        objects = count_files(connection)
        chunks = check_chunks(connection, target.store, target.threads)
        if deep:
            check_files(connection, target.store, target.threads)
        folder.clear()
        for row in rows_of(archive, snapshot.git):
            target.check()
            _restore_git(connection, archive, target.settings, row)
        audit_log.note(connection, None, "backup.restore", subject=snapshot.id, server=snapshot.server, place=archive.place)
        target.check()
    folder.release()
    return Restored(snapshot, snapshot.packs.rows, chunks, objects, [file.told() for file in broken])


def _check_known(snapshot: Snapshot) -> None:
    if snapshot.schema > SCHEMA_VERSION or not snapshot.tables.keys() <= _ROWS:
        raise UnknownBackupVersion(
            f"this backup has tables of version {snapshot.schema}; this lepton-server knows {SCHEMA_VERSION}",
            "Use the newer lepton-server that wrote it.",
        )


def _check_empty(connection: Connection) -> None:
    for table in (accounts, repositories_table, packs):
        if connection.execute(select(table.c.id).limit(1)).first():
            raise NotEmpty(
                "there is a server in this database already; nothing was changed",
                "Restore into an empty --data, --database and --storage.",
            )


def _fill_tables(connection: Connection, archive: Archive, snapshot: Snapshot) -> None:
    connection.execute(delete(tenants))  # the one that every new database has
    for table in KEPT:
        if table.name in snapshot.tables:
            rows = rows_of(archive, snapshot.tables[table.name])
            fill(connection, table, map(_moved, rows) if table is packs else rows)
    number_on(connection)


def _moved(row: dict[str, Any]) -> dict[str, Any]:
    """A pack's row with the key that it has in the new store: always the same, so that a run that goes on finds what lies there."""
    key = hashlib.sha256(str(row["storage_key"]).encode()).hexdigest()
    return row | {"storage_key": f"t{int(row['tenant'])}/{key[:2]}/{key[:32]}"}


# Packs


def _copy_packs(archive: Archive, snapshot: Snapshot, target: Target) -> None:
    checksums = {row["name"]: row["sha256"] for row in rows_of(archive, snapshot.packs)}
    running: deque[Future[None]] = deque()
    with ThreadPoolExecutor(_AT_ONCE, "restore") as pool:
        try:
            for row in map(_moved, rows_of(archive, snapshot.tables["packs"])):
                if row["name"] not in checksums:
                    raise BadSnapshot(f"this backup does not list pack {row['name']}")
                running.append(pool.submit(_copy_pack, archive, target.store, row, checksums[row["name"]]))
                if len(running) == _AT_ONCE:
                    running.popleft().result()
                    target.check()
            while running:
                running.popleft().result()
        finally:
            for future in running:
                future.cancel()


def _copy_pack(archive: Archive, store: ObjectStore, row: dict[str, Any], sha256: str) -> None:
    name, key = bytes.fromhex(row["name"]), str(row["storage_key"])
    if _lies_there(store, key, name, sha256):
        return
    data = archive.pack(name)
    if data is None:
        raise BadSnapshot(f"pack {name.hex()} is not in this backup")
    if hashlib.sha256(data).hexdigest() != sha256:
        raise CorruptData(f"pack {name.hex()} of this backup is damaged: its SHA-256 does not match")
    put(store, key, data)


def _lies_there(store: ObjectStore, key: str, name: bytes, sha256: str) -> bool:
    """Whether the very pack is under this key; what else is there goes."""
    try:
        data = store.read(key, 0, store.size(key))
    except ObjectMissing:
        return False
    if hashlib.sha256(data).hexdigest() == sha256:
        check_whole_pack(data, name)
        return True
    store.delete(key)
    return False


# Git


def _restore_git(connection: Connection, archive: Archive, settings: ServerSettings, row: dict[str, Any]) -> None:
    known = select(repositories_table.c.id).where(repositories_table.c.id == row["repository"])
    if connection.execute(known).first() is None:  # deleted while the backup was made
        return
    repository = registry.by_id(connection, row["repository"])
    root = settings.git_root.resolve()
    directory = registry.git_directory(settings, repository)
    if not directory.resolve().is_relative_to(root) or directory.resolve() == root:
        raise BadSnapshot(f"this backup would put the history of {repository.full_name} outside of {root}")
    bundles: Iterator[Iterator[bytes]] = (archive.blocks(parts) for parts in bundles_of(row))
    restore_history(directory, bundles, row["refs"], row["branch"], GitRoot(Path(root)).settings())
