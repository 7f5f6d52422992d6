"""Permissions: who may do what in which repository. `role_of` decides, and `readable` says the same of all repositories at once.

Roles, from least to most: reader, writer, maintainer, owner, admin. An account is owner of what lies under its own name and under
the organisations that it owns, and has elsewhere the most of what it and its teams were granted; without any of it it may read what
is public, or internal to its tenant. An admin is one in their own tenant. No tenant reaches another.

A token caps that twice: by its scopes, and by the repositories that it is limited to; to it there are no others.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, Select, false, literal, or_, select, union_all

from lepton_server.database.tables import grants, members, repositories, team_grants, team_members
from lepton_server.errors import Refusal, not_found
from lepton_server.identity.caller import Caller
from lepton_server.repositories import registry
from lepton_server.repositories.registry import Repository

ROLES = ("reader", "writer", "maintainer", "owner", "admin")
GRANTABLE = ROLES[:4]
_LOG_IN = "Run `git lepton login`, or set GIT_LEPTON_TOKEN."


class Action(StrEnum):
    """What a request wants to do with a repository."""

    READ = "read"
    WRITE = "write"
    EVIDENCE = "vouch for"
    MAINTAIN = "maintain"
    OWN = "own"


_NEEDS = {  # the least role, and the scope of the token
    Action.READ: ("reader", "read"),
    Action.WRITE: ("writer", "write"),
    Action.EVIDENCE: ("writer", "evidence"),
    Action.MAINTAIN: ("maintainer", "admin"),
    Action.OWN: ("owner", "admin"),
}


def role_of(connection: Connection, caller: Caller | None, repository: Repository) -> str | None:
    """The caller's role in a repository, None for an outsider, and for everybody where it was deleted."""
    return None if repository.deleted is not None else former_role(connection, caller, repository)


def former_role(connection: Connection, caller: Caller | None, repository: Repository) -> str | None:
    """The caller's role in a repository, deleted or not: of a deleted one what it would be if that came back. None for an outsider."""
    if caller is None:
        return "reader" if repository.visibility == "public" else None
    if caller.tenant != repository.tenant:
        return None
    if caller.limited_to is not None and repository.id not in caller.limited_to:
        return None
    if caller.admin:
        return "admin"
    if caller.account == repository.owner_account:
        return "owner"
    shown = ["reader"] if repository.visibility in ("public", "internal") else []
    granted = connection.execute(_granted(caller, repository)).scalars()
    return max([*shown, *granted], key=ROLES.index, default=None)


def _granted(caller: Caller, repository: Repository) -> Select[str]:
    """The roles that the caller has by own grants, by teams and by owning the organisation."""
    own = select(grants.c.role).where(grants.c.repository == repository.id, grants.c.account == caller.account)
    mine = (team_members.c.team == team_grants.c.team) & (team_members.c.account == caller.account)
    teams = select(team_grants.c.role).join(team_members, mine).where(team_grants.c.repository == repository.id)
    theirs = (members.c.organisation == repository.owner_account) & (members.c.account == caller.account)
    owned = select(literal("owner")).where(theirs, members.c.role == "owner")
    return select(union_all(own, teams, owned).subquery())


def readable(caller: Caller) -> Select[int]:
    """The ids of all repositories in which the caller has a role; none where the token lacks the scope to read."""
    within: list[ColumnElement[bool]] = [repositories.c.tenant == caller.tenant, repositories.c.deleted.is_(None)]
    if "read" not in caller.scopes:
        within.append(false())
    if caller.limited_to is not None:
        within.append(repositories.c.id.in_(caller.limited_to))
    if not caller.admin:
        within.append(_shown_to(caller))
    return select(repositories.c.id).where(*within)


def _shown_to(caller: Caller) -> ColumnElement[bool]:
    granted = select(grants.c.repository).where(grants.c.account == caller.account)
    mine = (team_members.c.team == team_grants.c.team) & (team_members.c.account == caller.account)
    teams = select(team_grants.c.repository).join(team_members, mine)
    owned = select(members.c.organisation).where(members.c.account == caller.account, members.c.role == "owner")
    return or_(
        repositories.c.visibility.in_(["public", "internal"]),
        repositories.c.owner == caller.account,
        repositories.c.owner.in_(owned),
        repositories.c.id.in_(granted),
        repositories.c.id.in_(teams),
    )


def located(connection: Connection, caller: Caller | None, owner: str, name: str) -> Repository | None:
    """The repository that this name means to the caller. One that moved away is found by its old name by those who may know of it;
    to others that name is free."""
    found = registry.find(connection, owner, name)
    if found is None or (found.owner.lower(), found.name.lower()) == (owner.lower(), name.lower()):
        return found
    return found if role_of(connection, caller, found) else None


def require(connection: Connection, caller: Caller | None, repository: Repository | None, action: Action) -> str:
    """The caller's role, if it and the token allow this. Raises Refusal: unauthenticated, not_found or forbidden."""
    role = role_of(connection, caller, repository) if repository else None
    if repository is None or role is None:
        raise not_found() if caller else Refusal("unauthenticated", "A token is needed here.", _LOG_IN)
    least, scope = _NEEDS[action]
    if ROLES.index(role) < ROLES.index(least):
        if caller is None:
            raise Refusal("unauthenticated", "A token is needed for this.", _LOG_IN)
        raise Refusal(
            "forbidden", f"A {role} of {repository.full_name} may not {action} it.", "Ask one of its owners for the right."
        )
    if caller and scope not in caller.scopes:
        raise lacks_scope(scope)
    return role


def require_account(caller: Caller, scope: str = "admin") -> None:
    """Whether the caller's token may change (or see: `read`) what belongs to an account and not to a repository. Raises Refusal
    (forbidden), before anything is looked up."""
    if scope not in caller.scopes:
        raise lacks_scope(scope)
    if caller.limited_to is not None:
        raise Refusal("forbidden", "This token is for some repositories only.", "Use one that is not limited.")


def require_admin(caller: Caller) -> None:
    """Whether the caller administers their tenant. Raises Refusal (forbidden), before anything is looked up."""
    if not caller.admin:
        raise Refusal("forbidden", "Only an admin may do this.", "Ask one.")
    require_account(caller)


def lacks_scope(scope: str) -> Refusal:
    return Refusal("forbidden", f"This token lacks the scope {scope}.", "Use one that has it.")
