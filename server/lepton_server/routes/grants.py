"""Roles in a repository: who was granted which, for its owners (docs/wire-protocol.md, section 11)."""

from __future__ import annotations

from fastapi import APIRouter, Response
from sqlalchemy import Connection

from git_lepton.wire.people import Grants, NamedRole, RoleChange
from git_lepton.wire.protocol import API
from lepton_server import accounts, grants, organisations
from lepton_server.accounts import AccountRow
from lepton_server.authentication import RequiredCaller
from lepton_server.organisations import TeamRow
from lepton_server.refusals import Refusal, not_found
from lepton_server.repositories import Repository
from lepton_server.routes.access import MessageRoute, OwnedRepository
from lepton_server.services import ServicesDep

router = APIRouter(prefix=f"{API}/repositories/{{owner}}/{{name}}", tags=["rights"], route_class=MessageRoute)


@router.get("/grants")
def listed(repository: OwnedRepository, services: ServicesDep) -> Grants:
    with services.database.read() as connection:
        people = [NamedRole(*row) for row in grants.of_accounts(connection, repository)]
        return Grants(people, [NamedRole(*row) for row in grants.of_teams(connection, repository)])


@router.put("/grants/{account}", status_code=204, response_class=Response)
def grant(account: str, asked: RoleChange, repository: OwnedRepository, caller: RequiredCaller, services: ServicesDep) -> None:
    """From now on this is the account's role, whatever it was before."""
    with services.database.write() as connection:
        grants.grant(connection, caller, repository, _account(connection, repository, account), asked.role)


@router.delete("/grants/{account}", status_code=204, response_class=Response)
def revoke(account: str, repository: OwnedRepository, caller: RequiredCaller, services: ServicesDep) -> None:
    with services.database.write() as connection:
        grants.revoke(connection, caller, repository, _account(connection, repository, account))


@router.put("/team-grants/{team}", status_code=204, response_class=Response)
def grant_team(team: str, asked: RoleChange, repository: OwnedRepository, caller: RequiredCaller, services: ServicesDep) -> None:
    """The same for a team of the organisation that the repository lies under."""
    with services.database.write() as connection:
        found = team_of(connection, repository, team)
        grants.grant_team(connection, caller, repository, found.id, found.full_name, asked.role)


@router.delete("/team-grants/{team}", status_code=204, response_class=Response)
def revoke_team(team: str, repository: OwnedRepository, caller: RequiredCaller, services: ServicesDep) -> None:
    with services.database.write() as connection:
        found = team_of(connection, repository, team)
        grants.revoke_team(connection, caller, repository, found.id, found.full_name)


def _account(connection: Connection, repository: Repository, name: str) -> AccountRow:
    found = accounts.account_in(connection, repository.tenant, name)
    if found is None:
        raise not_found()
    return found


def team_of(connection: Connection, repository: Repository, name: str) -> TeamRow:
    """The team of this name in the repository's organisation. Raises Refusal."""
    organisation = accounts.account_in(connection, repository.tenant, repository.owner)
    if organisation is None or organisation.kind != "organisation":
        raise Refusal("bad_request", f"{repository.owner} is no organisation and has no teams.", "Grant roles to accounts.")
    found = organisations.team(connection, organisation, name)
    if found is None:
        raise not_found()
    return found
