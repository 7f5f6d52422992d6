"""Repositories: what they are, and making them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body
from sqlalchemy import Connection

from git_lepton.wire.messages import NewRepository, RepositoryInfo
from git_lepton.wire.protocol import API
from lepton_server import repositories
from lepton_server.authentication import Caller, OptionalCaller, RequiredCaller
from lepton_server.permissions import Action, require
from lepton_server.refusals import Refusal
from lepton_server.repositories import Repository
from lepton_server.routes.access import MessageRoute, ReadableRepository
from lepton_server.services import ServicesDep

router = APIRouter(prefix=f"{API}/repositories", tags=["repositories"], route_class=MessageRoute)


@router.get("/{owner}/{name}")
def information(repository: ReadableRepository, caller: OptionalCaller, services: ServicesDep) -> RepositoryInfo:
    with services.database.read() as connection:
        return _information(connection, caller, repository)


@router.put("/{owner}/{name}")
def create(
    owner: str, name: str, caller: RequiredCaller, services: ServicesDep, asked: Annotated[NewRepository | None, Body()] = None
) -> RepositoryInfo:
    """Make a repository under one's own name, or as admin; one that is there already stays as it is."""
    wanted = asked or NewRepository()
    with services.database.read() as connection:
        found = repositories.find(connection, owner, name)
    if found is None:
        if repositories.may_create(caller, owner, name):
            with services.database.write() as connection:
                found = repositories.create(connection, caller, owner, name, wanted.kind, wanted.visibility)
        elif caller.name.lower() == owner.lower():
            raise Refusal(
                "bad_request", f"{name!r} cannot be the name of a repository.", "Use letters, digits, '.', '_' and '-'."
            )
    with services.database.read() as connection:
        require(connection, caller, found, Action.READ)
        assert found is not None  # or `require` would have refused
        return _information(connection, caller, found)


def _information(connection: Connection, caller: Caller | None, repository: Repository) -> RepositoryInfo:
    role = require(connection, caller, repository, Action.READ)
    return RepositoryInfo(
        repository.full_name,
        repository.kind,
        repository.visibility,
        "owner" if role == "admin" else role,
        sorted(repository.codecs),
        repository.default_branch,
    )
