"""The audit log: all of a tenant for its admins, a repository's part for its owners (docs/wire-protocol.md, section 11)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy import Connection

from git_lepton.wire.people import AuditRows
from git_lepton.wire.protocol import API
from lepton_server import repositories
from lepton_server.accounts import Caller
from lepton_server.audit_search import Wanted, search
from lepton_server.authentication import RequiredCaller
from lepton_server.permissions import require_admin
from lepton_server.repositories import Repository
from lepton_server.routes.access import OwnedRepository
from lepton_server.services import Services, ServicesDep

router = APIRouter(tags=["audit"])
Number = Annotated[int, Query(ge=0, lt=1 << 53)]
Time = Annotated[int | None, Query(ge=0, lt=1 << 53)]
Text = Annotated[str, Query(max_length=255)]
Limit = Annotated[int, Query(ge=1, le=1000)]


@router.get(f"{API}/audit")
def of_tenant(
    caller: RequiredCaller,
    services: ServicesDep,
    account: Text = "",
    action: Text = "",
    repository: Text = "",
    since: Time = None,
    until: Time = None,
    after: Number = 0,
    limit: Limit = 100,
) -> AuditRows:
    """What was done in the caller's tenant, in the order in which it was noted."""
    require_admin(caller)
    with services.database.read() as connection:
        where = _named(connection, caller, repository)
    return _answer(services, Wanted(caller.tenant, where, account, action, since, until), after, limit)


@router.get(f"{API}/repositories/{{owner}}/{{name}}/audit")
def of_repository(
    repository: OwnedRepository,
    services: ServicesDep,
    account: Text = "",
    action: Text = "",
    since: Time = None,
    until: Time = None,
    after: Number = 0,
    limit: Limit = 100,
) -> AuditRows:
    """What was done in one repository, whatever it was called then."""
    return _answer(services, Wanted(repository.tenant, repository, account, action, since, until), after, limit)


def _named(connection: Connection, caller: Caller, name: str) -> Repository | str:
    """The repository of this name, or the name of one that is no more."""
    owner, _, rest = name.partition("/")
    found = repositories.find(connection, owner, rest)
    return found if found and found.tenant == caller.tenant else name


def _answer(services: Services, wanted: Wanted, after: int, limit: int) -> AuditRows:
    with services.database.read() as connection:
        rows = search(connection, wanted, after, limit)
    return AuditRows(rows, rows[-1].id if len(rows) == limit else None)
