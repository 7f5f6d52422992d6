"""Repositories: which there are, what they are, making, moving and forking them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Query
from sqlalchemy import Connection

from git_lepton.wire.messages import NewRepository, RepositoryInfo
from git_lepton.wire.people import Place, RepositoryChange, RepositoryList
from git_lepton.wire.protocol import API
from lepton_server import moving, repositories
from lepton_server.authentication import Caller, OptionalCaller, RequiredCaller
from lepton_server.forking import fork as make_fork
from lepton_server.permissions import Action, located, readable, require
from lepton_server.refusals import Refusal
from lepton_server.repositories import Repository
from lepton_server.routes.access import MessageRoute, OwnedRepository, ReadableRepository
from lepton_server.services import ServicesDep

router = APIRouter(prefix=f"{API}/repositories", tags=["repositories"], route_class=MessageRoute)
_PAGE = 100


@router.get("")
def listed(caller: RequiredCaller, services: ServicesDep, after: Annotated[str, Query(max_length=201)] = "") -> RepositoryList:
    """Those that the caller may read, in the order of their names."""
    with services.database.read() as connection:
        found = repositories.by_ids(connection, readable(caller), after, _PAGE + 1)
        page = [_information(connection, caller, repository) for repository in found[:_PAGE]]
    return RepositoryList(page, page[-1].name if len(found) > _PAGE else None)


@router.get("/{owner}/{name}")
def information(repository: ReadableRepository, caller: OptionalCaller, services: ServicesDep) -> RepositoryInfo:
    with services.database.read() as connection:
        return _information(connection, caller, repository)


@router.put("/{owner}/{name}")
def create(
    owner: str, name: str, caller: RequiredCaller, services: ServicesDep, asked: Annotated[NewRepository | None, Body()] = None
) -> RepositoryInfo:
    """Make a repository under one's own name, that of an organisation that one owns, or as admin; one that is there already
    stays as it is."""
    wanted = asked or NewRepository()
    with services.database.read() as connection:
        found = repositories.find_exactly(connection, owner, name)
        may_create = found is None and repositories.may_create(connection, caller, owner, name)
        found = found or (None if may_create else located(connection, caller, owner, name))
    if found is None:
        if may_create:
            with services.database.write() as connection:
                found = repositories.create(connection, caller, owner, name, wanted.kind, wanted.visibility)
        elif caller.name.lower() == owner.lower() and not repositories.well_formed(owner, name):
            raise Refusal(
                "bad_request", f"{name[:100]!r} cannot be the name of a repository.", "Use letters, digits, '.', '_' and '-'."
            )
    with services.database.read() as connection:
        require(connection, caller, found, Action.READ)
        assert found is not None  # or `require` would have refused
        return _information(connection, caller, found)


@router.patch("/{owner}/{name}")
def change(asked: RepositoryChange, repository: OwnedRepository, caller: RequiredCaller, services: ServicesDep) -> RepositoryInfo:
    """Change who may see it."""
    with services.database.write() as connection:
        if asked.visibility is not None:
            moving.set_visibility(connection, caller, repository, asked.visibility)
        return _information(connection, caller, repositories.by_id(connection, repository.id))


@router.post("/{owner}/{name}/move")
def move(asked: Place, repository: OwnedRepository, caller: RequiredCaller, services: ServicesDep) -> RepositoryInfo:
    """Rename it, or give it to another owner, under whose name the caller may make repositories; the old name leads to it."""
    owner, name = asked.owner or repository.owner, asked.name or repository.name
    with services.database.write() as connection:
        moved = moving.move(connection, caller, repository, owner, name)
        return _information(connection, caller, moved)


@router.post("/{owner}/{name}/fork", status_code=201)
def fork(asked: Place, repository: ReadableRepository, caller: RequiredCaller, services: ServicesDep) -> RepositoryInfo:
    """A repository with all that this one holds, under the caller's name unless told otherwise; private."""
    owner, name = asked.owner or caller.name, asked.name or repository.name
    made = make_fork(services.database, services.settings, caller, repository, owner, name)
    with services.database.read() as connection:
        return _information(connection, caller, made)


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
