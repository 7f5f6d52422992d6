"""Grants: roles in a repository, given to accounts and to teams of the organisation that it lies under."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from lepton_server.database.tables import accounts, grants, team_grants, teams
from lepton_server.errors import Refusal
from lepton_server.identity import audit_log
from lepton_server.identity.accounts import AccountRow
from lepton_server.identity.caller import Caller
from lepton_server.repositories.permissions import GRANTABLE
from lepton_server.repositories.registry import Repository


def check_role(role: str) -> None:
    """Raises Refusal for what is no role that can be granted."""
    if role not in GRANTABLE:
        raise Refusal("bad_request", f"There is no role {role[:50]!r}.", f"The roles are {', '.join(GRANTABLE)}.")


def grant(connection: Connection, by: Caller, repository: Repository, account: AccountRow, role: str) -> None:
    """From now on this is the account's role there, whatever it was before. Raises Refusal."""
    check_role(role)
    if account.kind == "organisation" or account.tenant != repository.tenant:
        raise Refusal("bad_request", "Nobody of this name can have a role.", "Name a user, a robot or a team of the same tenant.")
    connection.execute(delete(grants).where(grants.c.repository == repository.id, grants.c.account == account.id))
    connection.execute(insert(grants).values(repository=repository.id, account=account.id, role=role))
    audit_log.note(connection, by, "grant.add", repository=repository.full_name, subject=account.name, role=role)


def revoke(connection: Connection, by: Caller, repository: Repository, account: AccountRow) -> None:
    """The account has no role of its own there any more; what teams and visibility give it stays."""
    gone = delete(grants).where(grants.c.repository == repository.id, grants.c.account == account.id)
    if connection.execute(gone).rowcount:
        audit_log.note(connection, by, "grant.remove", repository=repository.full_name, subject=account.name)


def grant_team(connection: Connection, by: Caller, repository: Repository, team: int, name: str, role: str) -> None:
    """From now on all members of a team of the repository's own organisation have this role there, as long as they are members. Raises
    Refusal."""
    check_role(role)
    connection.execute(delete(team_grants).where(team_grants.c.repository == repository.id, team_grants.c.team == team))
    connection.execute(insert(team_grants).values(repository=repository.id, team=team, role=role))
    audit_log.note(connection, by, "team-grant.add", repository=repository.full_name, subject=name, role=role)


def revoke_team(connection: Connection, by: Caller, repository: Repository, team: int, name: str) -> None:
    gone = delete(team_grants).where(team_grants.c.repository == repository.id, team_grants.c.team == team)
    if connection.execute(gone).rowcount:
        audit_log.note(connection, by, "team-grant.remove", repository=repository.full_name, subject=name)


def of_accounts(connection: Connection, repository: Repository) -> list[tuple[str, str]]:
    """The accounts that were granted a role there, and which."""
    query = select(accounts.c.name, grants.c.role).join(accounts, accounts.c.id == grants.c.account)
    here = (grants.c.repository == repository.id) & accounts.c.deleted.is_(None)
    rows = connection.execute(query.where(here).order_by(accounts.c.folded))
    return [(row.name, row.role) for row in rows]


def of_teams(connection: Connection, repository: Repository) -> list[tuple[str, str]]:
    """The teams that were granted a role there, and which."""
    query = select(teams.c.name, team_grants.c.role).join(teams, teams.c.id == team_grants.c.team)
    rows = connection.execute(query.where(team_grants.c.repository == repository.id).order_by(teams.c.folded))
    return [(row.name, row.role) for row in rows]
