"""Repositories by name: found, made, and what is said about them. Upper and lower case in names are the same."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, select, update

from git_lepton.format.coding.codec import RELEASED
from lepton_server.accounts import WELL_FORMED, Caller, account_id, ensure_account
from lepton_server.database import clock, insert_new
from lepton_server.refusals import Refusal, not_found
from lepton_server.settings import ServerSettings
from lepton_server.tables import accounts, redirects, repositories

KINDS = ("hosted", "external")
VISIBILITIES = ("private", "internal", "public")


@dataclass(frozen=True)
class Repository:
    """One repository. `codecs` are the codec ids allowed in it."""

    id: int
    tenant: int
    owner_account: int
    owner: str
    name: str
    kind: str
    visibility: str
    codecs: frozenset[int]
    default_branch: str | None

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"


def well_formed(owner: str, name: str) -> bool:
    """Whether a repository may be called so."""
    return bool(WELL_FORMED.fullmatch(owner) and WELL_FORMED.fullmatch(name)) and not name.lower().endswith(".git")


def find(connection: Connection, owner: str, name: str) -> Repository | None:
    """The repository that this name means, or meant before it was renamed."""
    if not well_formed(owner, name):
        return None
    named = (accounts.c.folded == owner.lower()) & (repositories.c.folded == name.lower())
    row = connection.execute(_rows().where(named)).one_or_none()
    if row is None:
        moved = select(redirects.c.repository).where(
            redirects.c.owner_folded == owner.lower(), redirects.c.name_folded == name.lower()
        )
        row = connection.execute(_rows().where(repositories.c.id.in_(moved))).one_or_none()
    return _repository(row) if row else None


def by_id(connection: Connection, repository: int) -> Repository:
    return _repository(connection.execute(_rows().where(repositories.c.id == repository)).one())


def may_create(caller: Caller, owner: str, name: str) -> bool:
    """Under one's own name, or as admin."""
    return well_formed(owner, name) and (caller.admin or caller.name.lower() == owner.lower())


def create(
    connection: Connection, caller: Caller, owner: str, name: str, kind: str = "hosted", visibility: str = "private"
) -> Repository:
    """A new repository, or the one that is there: of two who make it at once the second joins. Raises Refusal."""
    if not may_create(caller, owner, name):
        raise not_found()
    if kind not in KINDS or visibility not in VISIBILITIES:
        raise Refusal("bad_request", f"There is no kind {kind!r} of repository with visibility {visibility!r}.")
    holder = account_id(connection, owner) or ensure_account(connection, owner, kind="organisation")
    row = {
        "tenant": caller.tenant,
        "owner": holder,
        "name": name,
        "folded": name.lower(),
        "kind": kind,
        "visibility": visibility,
        "codecs": ",".join(map(str, sorted(RELEASED))),
        "created": clock(connection),
    }
    insert_new(connection, repositories, [row])
    found = find(connection, owner, name)
    if found is None or found.tenant != caller.tenant:
        raise not_found()
    return found


def set_default_branch(connection: Connection, repository: Repository, branch: str) -> None:
    """Note which branch (without refs/heads/) HEAD names."""
    connection.execute(update(repositories).where(repositories.c.id == repository.id).values(default_branch=branch))


def allow_codecs(connection: Connection, repository: Repository, codecs: Collection[int]) -> None:
    """From now on clients may write these, and those that cannot read them all are told to upgrade."""
    text = ",".join(map(str, sorted(codecs)))
    connection.execute(update(repositories).where(repositories.c.id == repository.id).values(codecs=text))


def git_directory(settings: ServerSettings, repository: Repository) -> Path:
    """Where the git history of a hosted repository lies."""
    return settings.git_root / repository.owner / f"{repository.name}.git"


def _rows() -> Select[Any]:
    columns = (
        repositories.c.id,
        repositories.c.tenant,
        repositories.c.owner,
        accounts.c.name,
        repositories.c.name,
        repositories.c.kind,
        repositories.c.visibility,
        repositories.c.codecs,
        repositories.c.default_branch,
    )
    return select(*columns).join(accounts, accounts.c.id == repositories.c.owner)


def _repository(row: Any) -> Repository:
    number, tenant, holder, owner, name, kind, visibility, codecs, branch = row
    allowed = frozenset(int(codec) for codec in codecs.split(","))
    return Repository(number, tenant, holder, owner, name, kind, visibility, allowed, branch)
