"""Organisations: their members and teams (docs/wire-protocol.md, section 11). To who is in none of these roles there is none."""

from __future__ import annotations

from fastapi import APIRouter, Response
from sqlalchemy import Connection

from git_lepton.wire.people import Members, NamedRole, Organisations, RoleChange, Team, Teams
from git_lepton.wire.protocol import API
from lepton_server.content import borrowed_bases
from lepton_server.errors import Refusal, not_found
from lepton_server.http.dependencies import MessageRoute, RequiredCaller
from lepton_server.http.routes import borrowed
from lepton_server.http.state import ServicesDep
from lepton_server.identity import accounts, organisations
from lepton_server.identity.accounts import AccountRow
from lepton_server.identity.caller import Caller
from lepton_server.identity.organisations import TeamRow
from lepton_server.repositories.permissions import require_account

router = APIRouter(prefix=f"{API}/organisations", tags=["organisations"], route_class=MessageRoute)


@router.get("")
def listed(caller: RequiredCaller, services: ServicesDep) -> Organisations:
    """Those that the caller is in, and as what; all of the tenant for its admins."""
    require_account(caller, "read")
    with services.database.read() as connection:
        return Organisations([NamedRole(name, role) for name, role in organisations.of_caller(connection, caller)])


@router.get("/{organisation}/members")
def members(organisation: str, caller: RequiredCaller, services: ServicesDep) -> Members:
    with services.database.read() as connection:
        found = _seen(connection, caller, organisation)
        return Members([NamedRole(name, role) for name, role in organisations.members_of(connection, found)])


@router.put("/{organisation}/members/{account}", status_code=204, response_class=Response)
def set_member(
    organisation: str, account: str, asked: RoleChange, caller: RequiredCaller, services: ServicesDep, response: Response
) -> None:
    """Let an account be member or owner; who was the other is that no more."""
    with services.database.write() as connection:
        found = _owned(connection, caller, organisation)
        member = _account(connection, caller, account)
        organisations.set_member(connection, caller, found, member, asked.role)
        borrowed.tell(response, borrowed_bases.shown_to_member(connection, member.id, found.id))


@router.delete("/{organisation}/members/{account}", status_code=204, response_class=Response)
def remove_member(organisation: str, account: str, caller: RequiredCaller, services: ServicesDep) -> None:
    with services.database.write() as connection:
        found = _owned(connection, caller, organisation)
        organisations.remove_member(connection, caller, found, _account(connection, caller, account))


@router.get("/{organisation}/teams")
def teams(organisation: str, caller: RequiredCaller, services: ServicesDep) -> Teams:
    with services.database.read() as connection:
        found = _seen(connection, caller, organisation)
        return Teams([Team(name, names) for name, names in organisations.teams_of(connection, found)])


@router.put("/{organisation}/teams/{team}", status_code=204, response_class=Response)
def create_team(organisation: str, team: str, caller: RequiredCaller, services: ServicesDep) -> None:
    """Asking again for what is there is no error."""
    with services.database.write() as connection:
        organisations.ensure_team(connection, caller, _owned(connection, caller, organisation), team)


@router.delete("/{organisation}/teams/{team}", status_code=204, response_class=Response)
def remove_team(organisation: str, team: str, caller: RequiredCaller, services: ServicesDep) -> None:
    """With what it was granted."""
    with services.database.write() as connection:
        found = _owned(connection, caller, organisation)
        organisations.remove_team(connection, caller, _team(connection, found, team))


@router.put("/{organisation}/teams/{team}/members/{account}", status_code=204, response_class=Response)
def add_to_team(
    organisation: str, team: str, account: str, caller: RequiredCaller, services: ServicesDep, response: Response
) -> None:
    with services.database.write() as connection:
        found = _owned(connection, caller, organisation)
        member = _account(connection, caller, account)
        organisations.add_to_team(connection, caller, found, _team(connection, found, team), member)
        borrowed.tell(response, borrowed_bases.shown_to_member(connection, member.id, found.id))


@router.delete("/{organisation}/teams/{team}/members/{account}", status_code=204, response_class=Response)
def remove_from_team(organisation: str, team: str, account: str, caller: RequiredCaller, services: ServicesDep) -> None:
    with services.database.write() as connection:
        found = _owned(connection, caller, organisation)
        member = _account(connection, caller, account)
        organisations.remove_from_team(connection, caller, _team(connection, found, team), member)


def _seen(connection: Connection, caller: Caller, name: str) -> AccountRow:
    """The organisation, for its members. Raises Refusal."""
    require_account(caller, "read")
    return _role(connection, caller, name)[0]


def _owned(connection: Connection, caller: Caller, name: str) -> AccountRow:
    """The organisation, for who may change it. Raises Refusal."""
    found, role = _role(connection, caller, name)
    if role != "owner":
        raise Refusal("forbidden", f"A member of {found.name} may not change it.", "Ask one of its owners.")
    require_account(caller)
    return found


def _role(connection: Connection, caller: Caller, name: str) -> tuple[AccountRow, str]:
    found = accounts.account_in(connection, caller.tenant, name)
    role = organisations.role_in(connection, caller, found) if found else None
    if found is None or role is None:
        raise not_found()
    return found, role


def _account(connection: Connection, caller: Caller, name: str) -> AccountRow:
    found = accounts.account_in(connection, caller.tenant, name)
    if found is None:
        raise not_found()
    return found


def _team(connection: Connection, organisation: AccountRow, name: str) -> TeamRow:
    found = organisations.team(connection, organisation, name)
    if found is None:
        raise not_found()
    return found
