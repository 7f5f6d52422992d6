"""One run of `lepton-server backup`, beside a server that serves: refs first, git second, weights last, then the snapshot that names
them all. So a backup never holds a ref whose weights it lacks. The caller keeps gc, repack and purge away meanwhile.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from git_lepton import __version__
from git_lepton.errors import CorruptData
from lepton_server.backends import IDENTITY_KEY
from lepton_server.backup import git_snapshots, pack_copies
from lepton_server.backup.archive import Archive
from lepton_server.backup.archive_lock import OneWriter
from lepton_server.backup.git_snapshots import Tips
from lepton_server.backup.pack_copies import PackCopies, StoredPack
from lepton_server.backup.parts import PartWriter, rows_of
from lepton_server.backup.prune import prune
from lepton_server.backup.snapshot import Listing, Snapshot
from lepton_server.backup.table_dump import KEPT, dumped
from lepton_server.coordination import maintenance_runs
from lepton_server.database.tables import SCHEMA_VERSION, backups, encodings, facts, object_links, packs, repositories
from lepton_server.database.transactions import Database, clock
from lepton_server.identity import audit_log
from lepton_server.settings import ServerSettings
from lepton_server.storage.object_store import ObjectStore


class Damaged(CorruptData):
    """Some packs of the server are damaged, so this is no backup of it."""


@dataclass(frozen=True)
class BackedUp:
    """What a run did: the snapshot, what it copied that no earlier one had (packs; bytes of packs, and of rows and git), and what was
    pruned."""

    snapshot: Snapshot
    copied_packs: int
    copied_bytes: int
    other_bytes: int
    pruned_snapshots: int
    pruned_files: int


def back_up(
    database: Database,
    store: ObjectStore,
    archive: Archive,
    settings: ServerSettings,
    keep: int | None,
    check: Callable[[], None],
) -> BackedUp:
    """A new snapshot; of this server's the newest `keep` stay (None: all). `check` raises where the right to do this was lost.

    Raises Damaged, ArchiveBusy, HistoryLost, BadSnapshot, StoreTrouble; what was copied then stays, for the next run to find.
    """
    with database.read() as connection:
        server = str(connection.execute(select(facts.c.value).where(facts.c.name == IDENTITY_KEY)).scalar_one())
        started = clock(connection)
    with OneWriter(archive, server) as writer:

        def go_on() -> None:
            check()
            writer.go_on()

        done = _Run(database, store, archive, settings, writer, go_on).run(server, started)
        pruned = prune(archive, writer, server, keep) if keep is not None else None
    if pruned is None:
        return done
    return BackedUp(done.snapshot, done.copied_packs, done.copied_bytes, done.other_bytes, pruned.snapshots, pruned.files)


class _Run:
    def __init__(
        self,
        database: Database,
        store: ObjectStore,
        archive: Archive,
        settings: ServerSettings,
        writer: OneWriter,
        go_on: Callable[[], None],
    ) -> None:
        self._database, self._archive, self._settings, self._go_on = database, archive, settings, go_on
        self._before = archive.snapshots(writer.keys)
        self._parts = PartWriter(archive, writer.keys)
        self._packs = PackCopies(store, archive, writer.keys, self._checksums(), go_on)

    def run(self, server: str, started: int) -> BackedUp:
        tips = git_snapshots.tips(self._database)
        git = self._parts.listing(git_snapshots.COLUMNS, self._history(server, tips))
        with self._database.read() as connection:
            tables = {table.name: self._table(connection, table.name, tips) for table in KEPT}
            needed = _needed(connection)
            counts = _counts(connection)
        copied = self._parts.listing(pack_copies.COLUMNS, self._packs.rows(needed))
        if self._packs.damaged:
            raise Damaged(
                f"{len(self._packs.damaged)} packs of this server are damaged, so there is no new backup: {self._packs.damaged[0]}",
                "Run `lepton-server scrub`, with --repair-from where an earlier backup has them; what was copied is kept.",
            )
        with self._database.read() as connection:
            finished = clock(connection)
        counts |= {"packs": copied.rows, "pack_bytes": sum({pack.name: pack.size for pack in needed}.values())}
        name = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(finished // 1000))}.{finished % 1000:03}Z-{secrets.token_hex(4)}"
        snapshot = Snapshot(name, server, __version__, SCHEMA_VERSION, started, finished, tables, copied, git, counts)
        self._go_on()
        _complete(self._database, self._archive, snapshot)
        return BackedUp(snapshot, self._packs.copied, self._packs.copied_bytes, self._parts.written_bytes, 0, 0)

    def _checksums(self) -> dict[bytes, str]:
        rows = (row for snapshot in self._before for row in rows_of(self._archive, snapshot.packs))
        return {bytes.fromhex(row["name"]): str(row["sha256"]) for row in rows}

    def _history(self, server: str, tips: list[Tips]) -> Iterator[list[Any]]:
        last = next((snapshot for snapshot in reversed(self._before) if snapshot.server == server), None)
        before = {row["repository"]: row for row in rows_of(self._archive, last.git)} if last else {}
        for row in git_snapshots.written(self._parts, self._settings, tips, before):
            self._go_on()
            yield row

    def _table(self, connection: Connection, name: str, tips: list[Tips]) -> Listing:
        """The rows of a table; refs, and the branch that HEAD names, as they were when git was copied."""
        self._go_on()
        table = next(table for table in KEPT if table.name == name)
        columns = [column.name for column in table.columns]
        rows = dumped(connection, table)
        if name == "refs":
            known = set(connection.execute(select(repositories.c.id)).scalars())
            kept = [tip for tip in tips if tip.repository.id in known]
            rows = iter([[tip.repository.id, *ref] for tip in kept for ref in sorted(tip.refs.items())])
        elif name == "repositories":
            rows = _with_branches(rows, columns.index("default_branch"), tips)
        return self._parts.listing(columns, rows)


def _with_branches(rows: Iterator[list[Any]], column: int, tips: list[Tips]) -> Iterator[list[Any]]:
    branches = {tip.repository.id: tip.repository.default_branch for tip in tips}
    for row in rows:
        row[column] = branches.get(row[0])
        yield row


def _needed(connection: Connection) -> list[StoredPack]:
    """The packs in which encodings lie."""
    lies_there = select(encodings.c.pack).where(encodings.c.pack == packs.c.id).exists()
    query = select(packs.c.name, packs.c.storage_key, packs.c.size).where(packs.c.state == "verified", lies_there)
    return [StoredPack(*row) for row in connection.execute(query.order_by(packs.c.id))]


def _counts(connection: Connection) -> dict[str, int]:
    found = {"repositories": select(func.count()).select_from(repositories)}
    found["objects"] = select(func.count(object_links.c.object.distinct()))
    return {name: int(connection.execute(query).scalar_one()) for name, query in found.items()}


def _complete(database: Database, archive: Archive, snapshot: Snapshot) -> None:
    """Let there be this backup, known to those who take weights away before it is there: rather one too many than one too few."""
    detail: dict[str, Any] = {"snapshot": snapshot.id, **snapshot.counts}
    row = {"destination": archive.place, "started": snapshot.started, "finished": snapshot.finished}
    with database.write() as connection:
        made = connection.execute(insert(backups).values(**row, detail=json.dumps(detail, sort_keys=True))).inserted_primary_key
    assert made is not None
    try:
        archive.complete(snapshot)
    except BaseException:
        with database.write() as connection:
            connection.execute(delete(backups).where(backups.c.id == made[0]))
        raise
    with database.write() as connection:
        audit_log.note(connection, None, "backup.make", subject=archive.place, **detail)
        maintenance_runs.note(connection, "backup")
