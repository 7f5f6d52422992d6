"""The registry of repositories: found by name, made, and what is noted about them. Upper and lower case in names are the same."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, bindparam, delete, func, insert, select, update

from git_lepton.format.coding.encoded import RELEASED
from lepton_server.database.tables import accounts, members, redirects, repositories
from lepton_server.database.transactions import clock
from lepton_server.errors import Refusal, not_found
from lepton_server.identity import audit_log
from lepton_server.identity.accounts import WELL_FORMED, ensure_account
from lepton_server.identity.accounts import find as find_account
from lepton_server.identity.caller import Caller
from lepton_server.settings import ServerSettings

KINDS = ("hosted", "external")
VISIBILITIES = ("private", "internal", "public")
UNNAMED = ".unnamed"  # holds git folders that could not have their repository's name
_ROWS = (
    select(repositories.c.id, repositories.c.tenant, repositories.c.owner, accounts.c.name, repositories.c.name)
    .add_columns(repositories.c.kind, repositories.c.visibility, repositories.c.codecs)
    .add_columns(repositories.c.default_branch, repositories.c.git_folder, repositories.c.deleted)
    .join(accounts, accounts.c.id == repositories.c.owner)
)
_HERE = repositories.c.deleted.is_(None)
# Asked by most requests: made once, since making a query takes longer than asking it.
_NAMED = _ROWS.where(accounts.c.folded == bindparam("owner"), repositories.c.folded == bindparam("name"))


@dataclass(frozen=True)
class Repository:
    """One repository. `codecs` are the codec ids allowed in it, `git_folder` where its git history lies below the root of all,
    `deleted` since when it is to nobody there."""

    id: int
    tenant: int
    owner_account: int
    owner: str
    name: str
    kind: str
    visibility: str
    codecs: frozenset[int]
    default_branch: str | None
    git_folder: str = ""
    deleted: int | None = None

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"


def well_formed(owner: str, name: str) -> bool:
    """Whether a repository may be called so."""
    return bool(WELL_FORMED.fullmatch(owner) and WELL_FORMED.fullmatch(name)) and not name.lower().endswith(".git")


def find(connection: Connection, owner: str, name: str) -> Repository | None:
    """The repository that this name means, or meant before it was renamed."""
    found = find_exactly(connection, owner, name)
    if found is None and well_formed(owner, name):
        moved = select(redirects.c.repository).where(*_redirect(owner, name))
        row = connection.execute(_ROWS.where(_HERE, repositories.c.id.in_(moved))).one_or_none()
        return _repository(row) if row else None
    return found


def find_exactly(connection: Connection, owner: str, name: str) -> Repository | None:
    """The repository that is called so now."""
    if not well_formed(owner, name):
        return None
    row = connection.execute(_NAMED, {"owner": owner.lower(), "name": name.lower()}).one_or_none()
    return _repository(row) if row else None


def by_id(connection: Connection, repository: int) -> Repository:
    """The repository with this id, deleted or not."""
    return _repository(connection.execute(_ROWS.where(repositories.c.id == repository)).one())


def by_ids(connection: Connection, wanted: Select[int], after: str = "", limit: int | None = None) -> list[Repository]:
    """The repositories of a query of ids, in the order of their names; those after the OWNER/NAME `after`."""
    owner, _, name = after.lower().partition("/")
    later = (accounts.c.folded > owner) | ((accounts.c.folded == owner) & (repositories.c.folded > name))
    query = _ROWS.where(repositories.c.id.in_(wanted), later).order_by(accounts.c.folded, repositories.c.folded)
    return [_repository(row) for row in connection.execute(query.limit(limit))]


def all_of_server(connection: Connection) -> list[Repository]:
    """The repositories of all tenants, by name: for whoever runs the server."""
    return [_repository(row) for row in connection.execute(_ROWS.where(_HERE).order_by(accounts.c.folded, repositories.c.folded))]


def deleted(connection: Connection, tenant: int | None = None) -> list[Repository]:
    """The repositories that were deleted and can come back, of a tenant or of all, the last one first."""
    can = repositories.c.deleted.is_not(None) & repositories.c.kind.in_(KINDS)
    query = _ROWS.where(can if tenant is None else can & (repositories.c.tenant == tenant))
    return [_repository(row) for row in connection.execute(query.order_by(repositories.c.deleted.desc(), repositories.c.id))]


def git_folders(connection: Connection) -> set[str]:
    """Where the git histories of all repositories lie, or lay, below the root of all: also of those that were deleted."""
    return {_repository(row).git_folder for row in connection.execute(_ROWS)}


def named(connection: Connection, numbers: Collection[int]) -> list[str]:
    """What these repositories are called."""
    query = _ROWS.where(_HERE, repositories.c.id.in_(sorted(numbers))).order_by(accounts.c.folded, repositories.c.folded)
    return [_repository(row).full_name for row in connection.execute(query)]


def may_create(connection: Connection, caller: Caller, owner: str, name: str) -> bool:
    """Whether the caller may make OWNER/NAME: under their own name, that of an organisation that they own, or as admin; with a token that
    may write anywhere."""
    if not well_formed(owner, name) or "write" not in caller.scopes or caller.limited_to is not None:
        return False
    if caller.name.lower() == owner.lower():
        return caller.account != 0
    holder = find_account(connection, owner)
    if holder is None or caller.admin:
        return caller.admin and (holder is None or holder.tenant == caller.tenant)
    owned = (members.c.organisation == holder.id) & (members.c.account == caller.account) & (members.c.role == "owner")
    return connection.execute(select(members.c.role).where(owned)).one_or_none() is not None


def create(
    connection: Connection, caller: Caller, owner: str, name: str, kind: str = "hosted", visibility: str = "private"
) -> Repository:
    """A new repository, or the one that is there: of two who make it at once the second joins. Raises Refusal."""
    if not may_create(connection, caller, owner, name):
        raise not_found()
    if kind not in KINDS or visibility not in VISIBILITIES:
        raise Refusal("bad_request", f"There is no kind {kind[:50]!r} of repository with visibility {visibility[:50]!r}.")
    found = find_exactly(connection, owner, name)
    return found or add(connection, caller, owner, name, kind=kind, visibility=visibility)


def already_there(found: Repository) -> str:
    """What is said to whoever asks for a repository of a name that one has."""
    return f"there is a repository {found.full_name} already ({found.kind}, {found.visibility})"


def add(connection: Connection, caller: Caller, owner: str, name: str, **columns: Any) -> Repository:
    """A new repository where `may_create` and there is none of this name; `columns` as in the table."""
    row = {
        "tenant": caller.tenant,
        "owner": ensure_account(connection, owner, kind="organisation", tenant=caller.tenant, by=caller),
        "name": name,
        "folded": name.lower(),
        "codecs": ",".join(map(str, sorted(RELEASED))),
        "created": clock(connection),
        "git_folder": _free_folder(connection, owner, name),
    }
    connection.execute(delete(redirects).where(*_redirect(owner, name)))  # what is there is not elsewhere
    connection.execute(insert(repositories).values(row | columns))
    made = find_exactly(connection, owner, name)
    assert made is not None
    audit_log.note(connection, caller, "repository.create", repository=made.full_name, kind=made.kind, visibility=made.visibility)
    return made


def set_default_branch(connection: Connection, repository: Repository, branch: str) -> None:
    """Note which branch (without refs/heads/) HEAD names."""
    connection.execute(update(repositories).where(repositories.c.id == repository.id).values(default_branch=branch))


def allow_codecs(connection: Connection, repository: Repository, codecs: Collection[int], by: Caller | None = None) -> None:
    """From now on clients may write these, and those that cannot read them all are told to upgrade."""
    text = ",".join(map(str, sorted(codecs)))
    connection.execute(update(repositories).where(repositories.c.id == repository.id).values(codecs=text))
    audit_log.note(connection, by, "repository.codecs", repository=repository.full_name, codecs=text)


def git_directory(settings: ServerSettings, repository: Repository) -> Path:
    """Where the git history of a hosted repository lies, whatever it is called now."""
    return settings.git_root / repository.git_folder


def unnamed_folder() -> str:
    """A new place below the root of git repositories that no name leads to."""
    return f"{UNNAMED}/{secrets.token_hex(16)}.git"


def _free_folder(connection: Connection, owner: str, name: str) -> str | None:
    """What to store in `git_folder`: None for the default OWNER/NAME.git; a random folder where a renamed repository still has that one."""
    same = func.lower(repositories.c.git_folder) == f"{owner}/{name}.git".lower()
    return unnamed_folder() if connection.execute(select(repositories.c.id).where(same)).first() else None


def _redirect(owner: str, name: str) -> tuple[Any, Any]:
    return redirects.c.owner_folded == owner.lower(), redirects.c.name_folded == name.lower()


def _repository(row: Any) -> Repository:
    number, tenant, holder, owner, name, kind, visibility, codecs, branch, folder, deleted = row
    allowed = frozenset(int(codec) for codec in codecs.split(","))
    folder = folder or f"{owner}/{name}.git"
    return Repository(number, tenant, holder, owner, name, kind, visibility, allowed, branch, folder, deleted)
