"""Repositories that were deleted and can be brought back, to those who owned them (docs/wire-protocol.md, section 11)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body
from fastapi import Path as InPath

from git_lepton.wire.messages import RepositoryInfo
from git_lepton.wire.people import DeletedRepositories, DeletedRepository, Place
from git_lepton.wire.protocol import API
from lepton_server.errors import not_found
from lepton_server.http.dependencies import MessageRoute, RequiredCaller
from lepton_server.http.routes.repositories import information_of
from lepton_server.http.state import ServicesDep
from lepton_server.repositories.deletion import deleted_of, undelete_repository
from lepton_server.repositories.permissions import require_account

router = APIRouter(prefix=f"{API}/deleted-repositories", tags=["repositories"], route_class=MessageRoute)
_Number = Annotated[int, InPath(ge=0, lt=1 << 63)]


@router.get("")
def listed(caller: RequiredCaller, services: ServicesDep) -> DeletedRepositories:
    """Those that the caller owned, the last one first."""
    require_account(caller)
    with services.database.read() as connection:
        found = deleted_of(connection, caller)
    return DeletedRepositories([DeletedRepository(one.id, one.full_name, one.kind, one.deleted or 0) for one in found])


@router.post("/{number}/undelete")
def undelete(
    number: _Number, caller: RequiredCaller, services: ServicesDep, asked: Annotated[Place | None, Body()] = None
) -> RepositoryInfo:
    """Bring one back, under its name or another one."""
    require_account(caller)
    with services.database.write() as connection:
        found = next((one for one in deleted_of(connection, caller) if one.id == number), None)
        if found is None:
            raise not_found()
        return information_of(connection, caller, undelete_repository(connection, caller, found, asked.name if asked else ""))
