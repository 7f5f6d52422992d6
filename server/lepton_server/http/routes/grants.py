"""Roles in a repository: who was granted which, for its owners (docs/wire-protocol.md, section 11)."""

from __future__ import annotations

from fastapi import APIRouter, Response
from sqlalchemy import Connection

from git_lepton.wire.people import Access, Grants, NamedRole, RoleChange
from git_lepton.wire.protocol import API
from lepton_server.content import borrowed_bases
from lepton_server.errors import Refusal, not_found
from lepton_server.http.dependencies import MaintainedRepository, MessageRoute, OwnedRepository, RequiredCaller
from lepton_server.http.routes import borrowed
from lepton_server.http.state import ServicesDep
from lepton_server.identity import accounts, organisations
from lepton_server.identity.accounts import AccountRow
from lepton_server.identity.organisations import TeamRow
from lepton_server.repositories import grants
from lepton_server.repositories.access import access
from lepton_server.repositories.registry import Repository

router = APIRouter(prefix=f"{API}/repositories/{{owner}}/{{name}}", tags=["rights"], route_class=MessageRoute)


@router.get("/access")
def overview(repository: MaintainedRepository, services: ServicesDep) -> Access:
    """Who may do what here, and why."""
    with services.database.read() as connection:
        return access(connection, repository)


@router.get("/grants")
def listed(repository: OwnedRepository, services: ServicesDep) -> Grants:
    with services.database.read() as connection:
        people = [NamedRole(*row) for row in grants.of_accounts(connection, repository)]
        return Grants(people, [NamedRole(*row) for row in grants.of_teams(connection, repository)])


@router.put("/grants/{account}", status_code=204, response_class=Response)
def grant(
    account: str,
    asked: RoleChange,
    repository: OwnedRepository,
    caller: RequiredCaller,
    services: ServicesDep,
    response: Response,
) -> None:
    """From now on this is the account's role, whatever it was before."""
    with services.database.write() as connection:
        grants.grant(connection, caller, repository, _account(connection, repository, account), asked.role)
        borrowed.tell(response, borrowed_bases.shown_to_more(connection, repository))


@router.delete("/grants/{account}", status_code=204, response_class=Response)
def revoke(account: str, repository: OwnedRepository, caller: RequiredCaller, services: ServicesDep) -> None:
    with services.database.write() as connection:
        grants.revoke(connection, caller, repository, _account(connection, repository, account))


@router.put("/team-grants/{team}", status_code=204, response_class=Response)
def grant_team(
    team: str,
    asked: RoleChange,
    repository: OwnedRepository,
    caller: RequiredCaller,
    services: ServicesDep,
    response: Response,
) -> None:
    """Give a role to a team of the organisation that the repository lies under."""
    with services.database.write() as connection:
        found = team_of(connection, repository, team)
        grants.grant_team(connection, caller, repository, found.id, found.full_name, asked.role)
        borrowed.tell(response, borrowed_bases.shown_to_more(connection, repository))


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
