"""Organisations: accounts without tokens, under whose names many people's repositories lie. Their members, and teams of these."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, delete, insert, select

from lepton_server.database.tables import accounts, members, team_grants, team_members, teams
from lepton_server.database.transactions import clock, insert_new
from lepton_server.errors import Refusal
from lepton_server.identity import audit_log
from lepton_server.identity.accounts import WELL_FORMED, AccountRow
from lepton_server.identity.caller import Caller

ROLES = ("member", "owner")


@dataclass(frozen=True)
class TeamRow:
    """A team of an organisation; `organisation` is its name."""

    id: int
    name: str
    organisation: str

    @property
    def full_name(self) -> str:
        return f"{self.organisation}/{self.name}"


def role_in(connection: Connection, caller: Caller, organisation: AccountRow) -> str | None:
    """owner (admins are too), member, or None for an outsider, to whom it is not there."""
    if organisation.kind != "organisation" or organisation.tenant != caller.tenant:
        return None
    if caller.admin:
        return "owner"
    mine = (members.c.organisation == organisation.id) & (members.c.account == caller.account)
    return connection.execute(select(members.c.role).where(mine)).scalar_one_or_none()


def of_caller(connection: Connection, caller: Caller) -> list[tuple[str, str]]:
    """The organisations that the caller is in, by name, with the role there; an admin is owner of all of the tenant's."""
    here = (accounts.c.kind == "organisation") & (accounts.c.tenant == caller.tenant) & accounts.c.deleted.is_(None)
    if caller.admin:
        rows = connection.execute(select(accounts.c.name).where(here).order_by(accounts.c.folded))
        return [(row.name, "owner") for row in rows]
    query = select(accounts.c.name, members.c.role).join(members, members.c.organisation == accounts.c.id)
    rows = connection.execute(query.where(here, members.c.account == caller.account).order_by(accounts.c.folded))
    return [(row.name, row.role) for row in rows]


def members_of(connection: Connection, organisation: AccountRow) -> list[tuple[str, str]]:
    query = select(accounts.c.name, members.c.role).join(accounts, accounts.c.id == members.c.account)
    here = (members.c.organisation == organisation.id) & accounts.c.deleted.is_(None)
    rows = connection.execute(query.where(here).order_by(accounts.c.folded))
    return [(row.name, row.role) for row in rows]


def set_member(connection: Connection, by: Caller, organisation: AccountRow, account: AccountRow, role: str) -> None:
    """From now on this is the account's role in the organisation. Raises Refusal."""
    if role not in ROLES:
        raise Refusal("bad_request", f"There is no role {role[:50]!r} in an organisation.", "The roles are member and owner.")
    if account.kind == "organisation" or organisation.kind != "organisation" or account.tenant != organisation.tenant:
        raise Refusal("bad_request", "Nobody of this name can be a member.", "Name a user or a robot of the same tenant.")
    connection.execute(delete(members).where(*_membership(organisation, account)))
    connection.execute(insert(members).values(organisation=organisation.id, account=account.id, role=role))
    audit_log.note(connection, by, "member.add", subject=account.name, organisation=organisation.name, role=role)


def remove_member(connection: Connection, by: Caller, organisation: AccountRow, account: AccountRow) -> None:
    """The account leaves the organisation and its teams; roles of its own in repositories stay."""
    if connection.execute(delete(members).where(*_membership(organisation, account))).rowcount:
        own = select(teams.c.id).where(teams.c.organisation == organisation.id)
        connection.execute(delete(team_members).where(team_members.c.account == account.id, team_members.c.team.in_(own)))
        audit_log.note(connection, by, "member.remove", subject=account.name, organisation=organisation.name)


def team(connection: Connection, organisation: AccountRow, name: str) -> TeamRow | None:
    mine = (teams.c.organisation == organisation.id) & (teams.c.folded == name.lower())
    row = connection.execute(select(teams.c.id, teams.c.name).where(mine)).one_or_none()
    return TeamRow(row.id, row.name, organisation.name) if row else None


def teams_of(connection: Connection, organisation: AccountRow) -> list[tuple[str, list[str]]]:
    """The teams by name, each with the names of its members."""
    query = select(teams.c.name, accounts.c.name).outerjoin(team_members, team_members.c.team == teams.c.id)
    is_member = (accounts.c.id == team_members.c.account) & accounts.c.deleted.is_(None)
    query = query.outerjoin(accounts, is_member).where(teams.c.organisation == organisation.id)
    found: dict[str, list[str]] = {}
    for name, member in connection.execute(query.order_by(teams.c.folded, accounts.c.folded)):
        found.setdefault(name, []).extend([member] if member else [])
    return list(found.items())


def ensure_team(connection: Connection, by: Caller, organisation: AccountRow, name: str) -> TeamRow:
    """The team of this name, made if it is not there. Raises Refusal."""
    if not WELL_FORMED.fullmatch(name) or organisation.kind != "organisation":
        raise Refusal("bad_request", f"{name[:100]!r} cannot be the name of a team.", "Use letters, digits, '.', '_' and '-'.")
    found = team(connection, organisation, name)
    if found is None:
        row = {"organisation": organisation.id, "name": name, "folded": name.lower(), "created": clock(connection)}
        connection.execute(insert(teams).values(row))
        found = team(connection, organisation, name)
        assert found is not None
        audit_log.note(connection, by, "team.create", subject=found.full_name)
    return found


def remove_team(connection: Connection, by: Caller, found: TeamRow) -> None:
    """With all that it was granted."""
    for table in (team_grants, team_members):
        connection.execute(delete(table).where(table.c.team == found.id))
    connection.execute(delete(teams).where(teams.c.id == found.id))
    audit_log.note(connection, by, "team.remove", subject=found.full_name)


def add_to_team(connection: Connection, by: Caller, organisation: AccountRow, found: TeamRow, account: AccountRow) -> None:
    """Raises Refusal for who is no member of the organisation."""
    if connection.execute(select(members.c.role).where(*_membership(organisation, account))).one_or_none() is None:
        raise Refusal("bad_request", f"{account.name} is no member of {organisation.name}.", "Add the account there first.")
    insert_new(connection, team_members, [{"team": found.id, "account": account.id}])
    audit_log.note(connection, by, "team.add", subject=account.name, team=found.full_name)


def remove_from_team(connection: Connection, by: Caller, found: TeamRow, account: AccountRow) -> None:
    gone = delete(team_members).where(team_members.c.team == found.id, team_members.c.account == account.id)
    if connection.execute(gone).rowcount:
        audit_log.note(connection, by, "team.drop", subject=account.name, team=found.full_name)


def _membership(organisation: AccountRow, account: AccountRow) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return members.c.organisation == organisation.id, members.c.account == account.id
