"""The target of a purge: `[OWNER/REPO@]REV:PATH` or `[OWNER/REPO@]OID`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy import Connection, select, union

from git_lepton.errors import LeptonError, WrongUse
from git_lepton.format.pointer import MAX_POINTER_BYTES, parse_pointer
from lepton_server.database.tables import object_links, objects, tenants, tombstones
from lepton_server.database.transactions import Database
from lepton_server.git.history import open_history
from lepton_server.git.program import Git, GitFailed
from lepton_server.repositories import registry
from lepton_server.repositories.naming import known_repository
from lepton_server.repositories.registry import Repository
from lepton_server.settings import ServerSettings

_OID = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
_NAMED = 5


class NoSuchWeights(WrongUse):
    """The words name no weights."""


class HeldElsewhere(WrongUse):
    """Other repositories hold the object too."""


@dataclass(frozen=True)
class Target:
    """One object (32 raw bytes) and the tenants that it is to be purged from."""

    oid: bytes
    tenants: tuple[int, ...]


def find_target(database: Database, settings: ServerSettings, text: str, *, everywhere: bool) -> Target:
    """What is meant. Raises NoSuchWeights, HeldElsewhere, HistoryAbsent."""
    place, at, rest = text.partition("@")
    what = rest if at else text
    with database.read() as connection:
        within = known_repository(connection, place) if at else None
    oid = _oid(settings, within, what)
    with database.read() as connection:
        held = _holders(connection, oid)
        others = [one.full_name for one in held if within is None or (one.tenant == within.tenant and one.id != within.id)]
        if not everywhere and len(others) > (0 if within else 1):
            named = ", ".join(others[:_NAMED]) + (f" and {len(others) - _NAMED} more" if len(others) > _NAMED else "")
            raise HeldElsewhere(f"{oid.hex()} is also in {named}", "Purging takes it from all of them: add --everywhere.")
        return Target(oid, (within.tenant,) if within else _tenants(connection, oid))


def _oid(settings: ServerSettings, within: Repository | None, what: str) -> bytes:
    if match := _OID.fullmatch(what):
        return bytes.fromhex(match[1])
    revision, colon, path = what.partition(":")
    if within is None or not colon or not revision or revision.startswith("-"):
        raise NoSuchWeights(f"{what!r} names no weights", "Write OWNER/REPO@REV:PATH, or the oid (64 hex digits).")
    try:
        return parse_pointer(_blob(open_history(settings, within), f"{revision}:{path}")).oid.raw
    except GitFailed as error:
        raise NoSuchWeights(f"{within.full_name} has no {what}", "Check the version and the path.") from error
    except LeptonError as error:
        raise NoSuchWeights(f"{what} of {within.full_name} is no pointer to weights", error.message) from error


def _blob(git: Git, name: str) -> bytes:
    """What git stores there, if it is short enough for a pointer."""
    blob = git.run("rev-parse", "--verify", "--end-of-options", name).decode().strip()
    return git.run("cat-file", "blob", blob) if int(git.run("cat-file", "-s", blob)) <= MAX_POINTER_BYTES else b""


def _holders(connection: Connection, oid: bytes) -> list[Repository]:
    numbers = connection.execute(select(object_links.c.repository).where(object_links.c.oid == oid)).scalars().all()
    return [registry.by_id(connection, number) for number in numbers]


def _tenants(connection: Connection, oid: bytes) -> tuple[int, ...]:
    """The tenants that have the object, or have purged it; where none has, there is nothing to take away from the first."""
    purged = select(tombstones.c.tenant).where(tombstones.c.oid == oid, tombstones.c.repository.is_(None))
    found = connection.execute(union(select(objects.c.tenant).where(objects.c.oid == oid), purged)).scalars()
    return tuple(sorted(found)) or (min(connection.execute(select(tenants.c.id)).scalars()),)
