"""The audit log: all of a tenant for its admins, a repository's part for its owners (docs/wire-protocol.md, section 11)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from sqlalchemy import Connection

from git_lepton.wire.people import AuditRows
from git_lepton.wire.protocol import API
from lepton_server.http.dependencies import OwnedRepository, RequiredCaller
from lepton_server.http.state import Services, ServicesDep
from lepton_server.identity.audit_log import Wanted, search
from lepton_server.identity.caller import Caller
from lepton_server.repositories import registry
from lepton_server.repositories.permissions import require_admin

router = APIRouter(tags=["audit"])
Number = Annotated[int, Query(ge=0, lt=1 << 53)]
Time = Annotated[int | None, Query(ge=0, lt=1 << 53)]
Text = Annotated[str, Query(max_length=255)]
Limit = Annotated[int, Query(ge=1, le=1000)]


@dataclass(frozen=True)
class _Asked:
    """Which rows, and how many of them: the parameters of both routes."""

    account: Text = ""
    action: Text = ""
    since: Time = None
    until: Time = None
    after: Number = 0
    limit: Limit = 100


Asked = Annotated[_Asked, Depends()]


@router.get(f"{API}/audit")
def of_tenant(caller: RequiredCaller, services: ServicesDep, asked: Asked, repository: Text = "") -> AuditRows:
    """What was done in the caller's tenant, in the order in which it was noted."""
    require_admin(caller)
    with services.database.read() as connection:
        where = _named(connection, caller, repository)
    return _answer(services, caller.tenant, where, asked)


@router.get(f"{API}/repositories/{{owner}}/{{name}}/audit")
def of_repository(repository: OwnedRepository, services: ServicesDep, asked: Asked) -> AuditRows:
    """What was done in one repository, whatever it was called then."""
    return _answer(services, repository.tenant, repository.id, asked)


def _named(connection: Connection, caller: Caller, name: str) -> int | str:
    """The number of the repository of this name, or the name of one that is no more."""
    owner, _, rest = name.partition("/")
    found = registry.find(connection, owner, rest)
    return found.id if found and found.tenant == caller.tenant else name


def _answer(services: Services, tenant: int, where: int | str, asked: _Asked) -> AuditRows:
    wanted = Wanted(tenant, where, asked.account, asked.action, asked.since, asked.until)
    with services.database.read() as connection:
        rows = search(connection, wanted, asked.after, asked.limit)
    return AuditRows(rows, rows[-1].id if len(rows) == asked.limit else None)
