"""Forks: a repository of one's own with all that another holds, made on the server by links. No weights are read, none are copied.

The fork's git history is fetched first, while others push; what has moved meanwhile is fetched again while no ref moves, and its weights
are linked then, in one transaction with the repository itself: what the one names the other holds, and until then there is nothing to see.
An account makes one fork at a time in one process.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, insert, literal, select

from lepton_server.database.tables import borrowed_chunks, chunk_links, object_links, tombstones
from lepton_server.database.tables import repositories as rows
from lepton_server.database.transactions import Database
from lepton_server.errors import Refusal, not_found
from lepton_server.git import disk_usage, folder_marks, ref_mirror
from lepton_server.git.bare_repositories import create_bare
from lepton_server.git.program import Git
from lepton_server.git.ref_lock import RefsBusy, hold_refs
from lepton_server.git.refs import refs_of
from lepton_server.git_bounds import Leash
from lepton_server.identity import audit_log
from lepton_server.identity.caller import Caller
from lepton_server.repositories import permissions, quotas, registry
from lepton_server.repositories.permissions import Action
from lepton_server.repositories.registry import Repository
from lepton_server.settings import ServerSettings

_PATIENCE_SECONDS = 10.0
_ABANDONED_SECONDS = 24 * 3600.0
_forking: set[int] = set()  # the accounts whose fork is being made
_mutex = threading.Lock()


def fork(
    database: Database,
    settings: ServerSettings,
    caller: Caller,
    source: Repository,
    owner: str,
    name: str,
    leash: Leash | None = None,
) -> Repository:
    """OWNER/NAME from now on holds what `source` holds, and is private. Raises Refusal: forbidden, not_found, conflict,
    quota_exceeded, unavailable, too_many_requests; GitFailed, also where the leash is cut."""
    with database.read() as connection:
        _admit(connection, caller, source, owner, name)
        if source.kind == "hosted":
            folder_marks.check(connection, settings, source)
    folder = registry.unnamed_folder()
    with (
        _only_one_of(caller),
        _new_folder(settings, source, settings.git_root / folder, leash or Leash()) as copy,
        _still(database, settings, source),
    ):
        found = copy.brought_up_to_date()
        size = disk_usage.stored_bytes(settings.git_root / folder)
        with database.write() as connection:
            made = _made(connection, caller, source, owner, name, folder, found, size)
    if made.kind == "hosted":
        with database.read() as connection:
            folder_marks.adopt(connection, settings, made)
    return made


def _made(
    connection: Connection,
    caller: Caller,
    source: Repository,
    owner: str,
    name: str,
    folder: str,
    found: Mapping[str, str],
    size: int,
) -> Repository:
    """The fork with these refs, whose git history lies in `folder`."""
    _admit(connection, caller, source, owner, name)
    columns: dict[str, Any] = {
        "kind": source.kind,
        "visibility": "private",
        "codecs": ",".join(map(str, sorted(source.codecs))),
    }
    columns |= {"default_branch": source.default_branch, "forked_from": source.id, "git_folder": folder}
    made = registry.add(connection, caller, owner, name, **columns)
    for table in (chunk_links, borrowed_chunks, object_links, tombstones):
        _link(connection, table, source, made)
    quotas.note_git(connection, made, size)
    quotas.admit(connection, made)  # links take no room, and count all the same
    ref_mirror.replace_refs(connection, made, found)
    audit_log.note(connection, caller, "repository.fork", repository=made.full_name, subject=source.full_name)
    return made


def _admit(connection: Connection, caller: Caller, source: Repository, owner: str, name: str) -> None:
    permissions.require(connection, caller, registry.by_id(connection, source.id), Action.READ)
    if not registry.may_create(connection, caller, owner, name):
        raise not_found()
    if registry.find_exactly(connection, owner, name) is not None:
        raise Refusal("conflict", f"There is a repository {owner}/{name} already.", "Choose another name.")


@contextmanager
def _still(database: Database, settings: ServerSettings, source: Repository) -> Iterator[None]:
    """No ref of the source moves while the block runs, and gc lets nothing of it go. Raises Refusal (unavailable)."""
    try:
        with hold_refs(database, settings, source.id, _PATIENCE_SECONDS):
            yield
    except RefsBusy as error:
        raise Refusal("unavailable", "The refs of this repository are moving.", "Try again.") from error


@contextmanager
def _only_one_of(caller: Caller) -> Iterator[None]:
    """Raises Refusal (too_many_requests) where another fork of the same account is being made."""
    with _mutex:
        if caller.account in _forking:
            raise Refusal(
                "too_many_requests", "Another fork of yours is being made; one at a time is.", "Try again when it is there."
            )
        _forking.add(caller.account)
    try:
        yield
    finally:
        with _mutex:
            _forking.discard(caller.account)


@contextmanager
def _new_folder(settings: ServerSettings, source: Repository, folder: Path, leash: Leash) -> Iterator[_Copy]:
    """A copy of the source's git history in a new folder, which goes again where the block fails."""
    folder, origin = folder.absolute(), registry.git_directory(settings, source).absolute()
    if source.kind != "hosted":
        yield _Copy(None, None)
        return
    bounds = settings.git_bounds
    copy = _Copy(Git(folder, bounds=bounds, leash=leash), Git(origin, bounds=bounds) if origin.exists() else None)
    try:
        create_bare(folder)
        folder_marks.begin_copy(folder)
        with leash.stepping_back():  # nobody waits for this
            copy.fetch()
        yield copy
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


@dataclass(frozen=True)
class _Copy:
    """The new history, and that of the source; None where there is none."""

    new: Git | None
    source: Git | None

    def fetch(self) -> None:
        if self.new and self.source:
            self.new.run("fetch", "--quiet", "--prune", "--no-write-fetch-head", str(self.source.directory), "+refs/*:refs/*")

    def brought_up_to_date(self) -> Mapping[str, str]:
        """The refs of both, while those of the source stay where they are."""
        if self.new is None:
            return {}
        if self.source is not None:
            if refs_of(self.new) != refs_of(self.source):
                self.fetch()
            self.new.run("symbolic-ref", "HEAD", self.source.run("symbolic-ref", "HEAD").decode().strip())
        return refs_of(self.new)


def clear_abandoned(database: Database, settings: ServerSettings) -> None:
    """Remove the folders of forks whose process died: no repository has them. That the database knows none is not enough, for it may be an
    older one: what may be a history stays, and scrub names it."""
    with database.read() as connection:
        known = set(connection.execute(select(rows.c.git_folder).where(rows.c.git_folder.is_not(None))).scalars())
    for folder in (settings.git_root / registry.UNNAMED).glob("*.git"):
        with contextlib.suppress(FileNotFoundError):
            if f"{registry.UNNAMED}/{folder.name}" in known or time.time() - folder.stat().st_mtime <= _ABANDONED_SECONDS:
                continue
            if folder_marks.is_abandoned(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _link(connection: Connection, table: Table, source: Repository, made: Repository) -> None:
    """The rows of the source in a table, once more for the fork."""
    values: dict[str, Any] = {column.name: column for column in table.c if column.name != "id"}
    values["repository"] = literal(made.id)
    rows = select(*values.values()).where(table.c.repository == source.id)
    connection.execute(insert(table).from_select(list(values), rows))
