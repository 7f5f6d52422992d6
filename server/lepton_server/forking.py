"""Forks: a repository of one's own with all that another holds, made on the server by links. No weights are read, none are copied.

The fork's git history is fetched first and its weights are linked after, in one transaction with the repository itself: what the one
names the other holds, and until then there is nothing to see.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, insert, literal, select

from lepton_server import audit, permissions, quotas, refs, repositories
from lepton_server.accounts import Caller
from lepton_server.database import Database
from lepton_server.git_hosting import create_bare, refs_of
from lepton_server.git_program import Git
from lepton_server.permissions import Action
from lepton_server.ref_turns import RefsBusy, hold_refs
from lepton_server.refusals import Refusal, not_found
from lepton_server.repositories import Repository
from lepton_server.settings import ServerSettings
from lepton_server.tables import chunk_links, object_links, tombstones

_PATIENCE_SECONDS = 10.0


def fork(database: Database, settings: ServerSettings, caller: Caller, source: Repository, owner: str, name: str) -> Repository:
    """OWNER/NAME from now on holds what `source` holds, and is private. Raises Refusal: forbidden, not_found, conflict,
    quota_exceeded, unavailable."""
    with database.read() as connection:
        _admit(connection, caller, source, owner, name)
    folder = repositories.unnamed_folder()
    history = _history(settings, source, settings.git_root / folder)
    with _still(database, settings, source), history as found, database.write() as connection:
        _admit(connection, caller, source, owner, name)
        columns: dict[str, Any] = {
            "kind": source.kind,
            "visibility": "private",
            "codecs": ",".join(map(str, sorted(source.codecs))),
        }
        columns |= {"default_branch": source.default_branch, "forked_from": source.id, "git_folder": folder}
        made = repositories.add(connection, caller, owner, name, **columns)
        for table in (chunk_links, object_links, tombstones):
            _link(connection, table, source, made)
        quotas.admit(connection, made)  # links take no room, and count all the same
        refs.replace_refs(connection, made, found)
        audit.note(connection, caller, "repository.fork", repository=made.full_name, subject=source.full_name)
    return made


def _admit(connection: Connection, caller: Caller, source: Repository, owner: str, name: str) -> None:
    permissions.require(connection, caller, repositories.by_id(connection, source.id), Action.READ)
    if not repositories.may_create(connection, caller, owner, name):
        raise not_found()
    if repositories.find_exactly(connection, owner, name) is not None:
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
def _history(settings: ServerSettings, source: Repository, folder: Path) -> Iterator[Mapping[str, str]]:
    """A copy of the source's git history in a new folder, which goes again where the block fails; its refs."""
    if source.kind != "hosted":
        yield {}
        return
    try:
        create_bare(folder.absolute())
        git, origin = Git(folder.absolute()), repositories.git_directory(settings, source).absolute()
        if origin.exists():
            git.run("fetch", "--quiet", "--no-write-fetch-head", str(origin), "+refs/*:refs/*")
            git.run("symbolic-ref", "HEAD", Git(origin).run("symbolic-ref", "HEAD").decode().strip())
        yield refs_of(git)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _link(connection: Connection, table: Table, source: Repository, made: Repository) -> None:
    """The rows of the source in a table, once more for the fork."""
    values: dict[str, Any] = {column.name: column for column in table.c if column.name != "id"}
    values["repository"] = literal(made.id)
    rows = select(*values.values()).where(table.c.repository == source.id)
    connection.execute(insert(table).from_select(list(values), rows))
