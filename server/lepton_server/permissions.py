"""Who may do what in which repository: one function decides, `role_of`, and `readable` says the same of all repositories at once.

Roles, from least to most: reader, writer, maintainer, owner, admin. An account is owner of what lies under its own name, and has
what it was granted elsewhere; without either it may read what is public, or internal to its tenant. No tenant reaches another.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, Select, or_, select

from lepton_server.accounts import Caller
from lepton_server.refusals import Refusal, not_found
from lepton_server.repositories import Repository
from lepton_server.tables import grants, repositories

ROLES = ("reader", "writer", "maintainer", "owner", "admin")
GRANTABLE = ROLES[:4]


class Action(StrEnum):
    """What a request wants to do with a repository."""

    READ = "read"
    WRITE = "write"
    MAINTAIN = "maintain"
    OWN = "own"


_LEAST = dict(zip(Action, ROLES, strict=False))


def role_of(connection: Connection, caller: Caller | None, repository: Repository) -> str | None:
    """The caller's role in a repository, None for an outsider."""
    if caller is None:
        return "reader" if repository.visibility == "public" else None
    if caller.tenant != repository.tenant:
        return None
    if caller.admin:
        return "admin"
    if caller.account == repository.owner_account:
        return "owner"
    mine = (grants.c.repository == repository.id) & (grants.c.account == caller.account)
    granted = connection.execute(select(grants.c.role).where(mine)).scalar_one_or_none()
    return granted or ("reader" if repository.visibility in ("public", "internal") else None)


def readable(caller: Caller) -> Select[int]:
    """The ids of all repositories in which the caller has a role."""
    within: list[ColumnElement[bool]] = [repositories.c.tenant == caller.tenant]
    if not caller.admin:
        granted = select(grants.c.repository).where(grants.c.account == caller.account)
        shown = repositories.c.visibility.in_(["public", "internal"])
        within.append(or_(shown, repositories.c.owner == caller.account, repositories.c.id.in_(granted)))
    return select(repositories.c.id).where(*within)


def require(connection: Connection, caller: Caller | None, repository: Repository | None, action: Action) -> str:
    """The caller's role, if it allows this. Raises Refusal: unauthenticated, not_found or forbidden."""
    role = role_of(connection, caller, repository) if repository else None
    if repository is None or role is None:
        raise (
            not_found()
            if caller
            else Refusal("unauthenticated", "A token is needed here.", "Run `git lepton login`, or set GIT_LEPTON_TOKEN.")
        )
    if ROLES.index(role) < ROLES.index(_LEAST[action]):
        if caller is None:
            raise Refusal("unauthenticated", "A token is needed for this.", "Run `git lepton login`, or set GIT_LEPTON_TOKEN.")
        raise Refusal(
            "forbidden", f"A {role} of {repository.full_name} may not {action} it.", "Ask one of its owners for the right."
        )
    return role
