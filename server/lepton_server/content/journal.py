"""The journal: notes of what uploads made visible, in the storage beside the packs, under numbers that the database gives.

The database alone knows which repository holds which file and of which chunks it consists. Where it is lost, or an older copy of it is put
back, the storage knows of newer numbers than the database ever gave: so it is recognised, and can be told what it has forgotten
(`maintenance.adopt`).
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from git_lepton.errors import CheckFailed, CorruptData
from lepton_server.content.noted_bases import NotedBases
from lepton_server.content.noted_repositories import NotedRepository
from lepton_server.database.tables import facts, object_links, upload_manifests, uploads
from lepton_server.database.transactions import Database, clock
from lepton_server.identity import audit_log
from lepton_server.storage.object_store import ObjectStore, put

FOLDER = "journal"
_KEY = re.compile(rf"{FOLDER}/([0-9a-f]{{12}})-([0-9a-f]{{12}})")
_NUMBER, _OLDER = "journal.number", "journal.older"
OLDER = "the database is older than the packs in its storage: what was uploaded since is there, and it does not know of it"
WAYS_BACK = (
    "lepton-server scrub says what is missing. Put the newest database back, or restore a backup (lepton-server restore), "
    "or let packs be read back in: lepton-server scrub --adopt."
)
TO_CHECK = (
    "what was taken away since the copy was made is as it was then: check visibility, roles, teams, tokens, deletions and purges "
    "before people use the server again (lepton-server repo list, user list, token list)"
)
_VERSION = 2
_KEPT_MS = 30 * 86_400_000


@dataclass(frozen=True)
class Brought:
    """A file that an upload made visible in a repository."""

    repository: NotedRepository
    oid: bytes
    manifest: bytes
    bases: NotedBases


@dataclass(frozen=True)
class Older:
    """The database is older than its packs: it knew of no note after this number when that was noticed (milliseconds since 1970)."""

    number: int
    noticed: int


class UnknownNote(CorruptData):
    """A note was written by another version of the program, in a way that this one does not read."""


class DatabaseOlder(CheckFailed):
    """The database knows less than what lies in the storage: nothing may be taken for garbage."""


def refuse_older(database: Database, store: ObjectStore) -> None:
    """Raises DatabaseOlder where the database is older than the packs in its storage."""
    if compare(database, store):
        raise DatabaseOlder(OLDER, WAYS_BACK)


def compare(database: Database, store: ObjectStore) -> Older | None:
    """Whether the database is older than its packs, by what lies beside these or by what was noticed before."""
    newest = max((number for number, _, _ in _notes(store)), default=0)
    with database.read() as connection:
        known, older = _number(connection), older_than_packs(connection)
    if newest <= known:
        return older
    with database.write() as connection:
        known, older = _number(connection), older_than_packs(connection)
        if newest <= known:
            return older
        older = older or Older(known, clock(connection))
        _set(connection, _NUMBER, str(newest))  # what is noted from now on overwrites nothing
        _set(connection, _OLDER, json.dumps([older.number, older.noticed]))
        audit_log.note(connection, None, "database.older", known=known, newest=newest)
    return older


def older_than_packs(connection: Connection) -> Older | None:
    """What was noticed of an older database, until `settle`; None where nothing was."""
    text = connection.execute(select(facts.c.value).where(facts.c.name == _OLDER)).scalar_one_or_none()
    return Older(*json.loads(text)) if text else None


def settle(connection: Connection) -> None:
    """The database knows again what its packs hold, or somebody says that it is right as it is."""
    connection.execute(delete(facts).where(facts.c.name == _OLDER))


def notes_since(store: ObjectStore, number: int) -> list[str]:
    """The keys of the notes after this one, the oldest first."""
    return [key for found, _, key in sorted(_notes(store)) if found > number]


def brought(store: ObjectStore, note: str) -> list[Brought]:
    """What a note tells. Raises UnknownNote, CorruptData, StoreTrouble."""
    return list(_decoded(note, store.read(note, 0, store.size(note))))


def forget_old(database: Database, store: ObjectStore) -> None:
    """Delete notes that are older than any copy of the database that is worth putting back; the newest stays, as a mark."""
    with database.read() as connection:
        then = clock(connection) - _KEPT_MS
    for _, at, key in sorted(_notes(store))[:-1]:
        if at < then:
            store.delete(key)


def write(database: Database, store: ObjectStore, ended: Collection[str]) -> None:
    """A note of what these uploads made visible; of none it is a mark only. Raises StoreTrouble."""
    with database.read() as connection:
        files = [file for upload in ended for file in _files(connection, upload)]
    if ended and not files:
        return
    with database.write() as connection:
        number = _number(connection) + 1
        _set(connection, _NUMBER, str(number))
        now = clock(connection)
    put(store, f"{FOLDER}/{number:012x}-{now:012x}", zlib.compress(json.dumps({"version": _VERSION, "files": files}).encode(), 1))


def _files(connection: Connection, upload: str) -> list[dict[str, Any]]:
    repository_id = connection.execute(select(uploads.c.repository).where(uploads.c.id == upload)).scalar_one_or_none()
    if repository_id is None:
        return []
    repository = NotedRepository.of(connection, repository_id).written()
    linked = (object_links.c.repository == repository_id) & (object_links.c.oid == upload_manifests.c.oid)
    query = select(upload_manifests.c.oid, upload_manifests.c.manifest).join(object_links, linked)
    files = connection.execute(query.where(upload_manifests.c.upload == upload)).all()
    return [
        {
            "repository": repository,
            "oid": oid.hex(),
            "manifest": base64.b64encode(manifest).decode(),
            "bases": NotedBases.of(connection, repository_id, oid, manifest).written(),
        }
        for oid, manifest in files
    ]


def _decoded(key: str, data: bytes) -> Iterator[Brought]:
    try:
        note = json.loads(zlib.decompress(data))
        version = note["version"] if isinstance(note, dict) else 1
        if version != _VERSION:
            raise UnknownNote(
                f"the note {key} beside the packs is of version {str(version)[:20]!r}, and this program reads version {_VERSION}; "
                "let the lepton-server that wrote it read it, or push again from a clone what scrub says is missing"
            )
        for file in note["files"]:
            oid, manifest = bytes.fromhex(file["oid"]), base64.b64decode(file["manifest"])
            bases = NotedBases.read(file["bases"]) if "bases" in file else NotedBases()  # notes of before do not say them
            yield Brought(NotedRepository.read(file["repository"]), oid, manifest, bases)
    except (zlib.error, ValueError, KeyError, TypeError) as error:
        raise CorruptData(f"the note {key} beside the packs is damaged") from error


def _notes(store: ObjectStore) -> Iterator[tuple[int, int, str]]:
    """Number, time (milliseconds since 1970) and key of each note."""
    for key in store.keys_below(FOLDER):
        if match := _KEY.fullmatch(key):
            yield int(match[1], 16), int(match[2], 16), key


def _number(connection: Connection) -> int:
    """The number of the newest note that the database knows of."""
    return int(connection.execute(select(facts.c.value).where(facts.c.name == _NUMBER)).scalar_one_or_none() or 0)


def _set(connection: Connection, name: str, value: str) -> None:
    connection.execute(delete(facts).where(facts.c.name == name))
    connection.execute(insert(facts).values(name=name, value=value))
