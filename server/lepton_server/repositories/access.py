"""Access to a repository: each account with its role and all that brings it one."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, select

from git_lepton.wire.people import Access, AccountAccess
from lepton_server.database.tables import accounts, grants, members, team_grants, team_members, teams
from lepton_server.identity.accounts import caller_by_id
from lepton_server.repositories.permissions import role_of
from lepton_server.repositories.registry import Repository


def access(connection: Connection, repository: Repository) -> Access:
    """The accounts that have a role of more than what the visibility gives everybody, by name. Disabled ones can do nothing with
    theirs, and are said to be that."""
    reasons: dict[int, list[str]] = {}
    for account, reason in _reasons(connection, repository):
        reasons.setdefault(account, []).append(reason)
    query = select(accounts.c.id, accounts.c.name, accounts.c.kind, accounts.c.disabled).where(
        accounts.c.id.in_(reasons), accounts.c.deleted.is_(None), accounts.c.kind.in_(("user", "robot"))
    )
    found = []
    for row in connection.execute(query.order_by(accounts.c.folded)).all():
        role = role_of(connection, caller_by_id(connection, row.id), repository)
        assert role is not None  # each of the reasons gives one
        found.append(
            AccountAccess(row.name, row.kind, "owner" if role == "admin" else role, reasons[row.id], row.disabled is not None)
        )
    return Access(repository.visibility, found)


def _reasons(connection: Connection, repository: Repository) -> Iterator[tuple[int, str]]:
    """(Account, what gives it a role here), in words."""
    yield repository.owner_account, "owns it"
    admins = select(accounts.c.id).where(accounts.c.tenant == repository.tenant, accounts.c.admin)
    for (account,) in connection.execute(admins).all():
        yield account, "admin of the server"
    owned = (members.c.organisation == repository.owner_account) & (members.c.role == "owner")
    for (account,) in connection.execute(select(members.c.account).where(owned)).all():
        yield account, f"owner of the organisation {repository.owner}"
    own = select(grants.c.account, grants.c.role).where(grants.c.repository == repository.id)
    for account, role in connection.execute(own).all():
        yield account, f"granted {role}"
    through = select(team_members.c.account, teams.c.name, team_grants.c.role).join(teams, teams.c.id == team_members.c.team)
    through = through.join(team_grants, team_grants.c.team == teams.c.id).where(team_grants.c.repository == repository.id)
    for account, team, role in connection.execute(through.order_by(teams.c.folded)).all():
        yield account, f"team {repository.owner}/{team} granted {role}"
