"""Repositories: which there are, what they are; making, moving, forking and deleting them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Query, Request, Response
from sqlalchemy import Connection

from git_lepton.wire.messages import NewRepository, RepositoryInfo
from git_lepton.wire.people import DefaultBranch, Place, RepositoryChange, RepositoryList
from git_lepton.wire.protocol import API
from lepton_server.content import borrowed_bases
from lepton_server.errors import Refusal
from lepton_server.git.client_departure import on_a_leash
from lepton_server.git.default_branch import set_default_branch
from lepton_server.git.forks import fork as make_fork
from lepton_server.git_bounds import Leash
from lepton_server.http.dependencies import (
    MaintainedRepository,
    MessageRoute,
    OptionalCaller,
    OwnedRepository,
    ReadableRepository,
    RequiredCaller,
)
from lepton_server.http.routes import borrowed
from lepton_server.http.state import ServicesDep
from lepton_server.identity.caller import Caller
from lepton_server.repositories import deletion, registry, renaming
from lepton_server.repositories.permissions import Action, located, readable, require
from lepton_server.repositories.registry import Repository

router = APIRouter(prefix=f"{API}/repositories", tags=["repositories"], route_class=MessageRoute)
_PAGE = 100


@router.get("")
def listed(caller: RequiredCaller, services: ServicesDep, after: Annotated[str, Query(max_length=201)] = "") -> RepositoryList:
    """Those that the caller may read, in the order of their names."""
    with services.database.read() as connection:
        found = registry.by_ids(connection, readable(caller), after, _PAGE + 1)
        page = [information_of(connection, caller, repository) for repository in found[:_PAGE]]
    return RepositoryList(page, page[-1].name if len(found) > _PAGE else None)


@router.get("/{owner}/{name}")
def information(repository: ReadableRepository, caller: OptionalCaller, services: ServicesDep) -> RepositoryInfo:
    with services.database.read() as connection:
        return information_of(connection, caller, repository)


@router.put("/{owner}/{name}")
def create(
    owner: str, name: str, caller: RequiredCaller, services: ServicesDep, asked: Annotated[NewRepository | None, Body()] = None
) -> RepositoryInfo:
    """Make a repository under one's own name, that of an organisation that one owns, or as admin; one that is there already
    stays as it is, which is no error where it is what was asked for."""
    wanted = asked or NewRepository()
    with services.database.read() as connection:
        found = registry.find_exactly(connection, owner, name)
        may_create = found is None and registry.may_create(connection, caller, owner, name)
        found = found or (None if may_create else located(connection, caller, owner, name))
    if found is None:
        if may_create:
            with services.database.write() as connection:
                found = registry.create(connection, caller, owner, name, wanted.kind, wanted.visibility)
        elif caller.name.lower() == owner.lower() and not registry.well_formed(owner, name):
            raise Refusal(
                "bad_request", f"{name[:100]!r} cannot be the name of a repository.", "Use letters, digits, '.', '_' and '-'."
            )
    with services.database.read() as connection:
        require(connection, caller, found, Action.READ)
        assert found is not None  # or `require` would have refused
        if asked and (found.kind, found.visibility) != (asked.kind, asked.visibility):
            there = registry.already_there(found)
            raise Refusal("conflict", f"{there[:1].upper()}{there[1:]}.", "Choose another name, or change that one.")
        return information_of(connection, caller, found)


@router.patch("/{owner}/{name}")
def change(
    asked: RepositoryChange, repository: OwnedRepository, caller: RequiredCaller, services: ServicesDep, response: Response
) -> RepositoryInfo:
    """Change who may see it."""
    with services.database.write() as connection:
        if asked.visibility is not None:
            renaming.set_visibility(connection, caller, repository, asked.visibility)
            borrowed.tell(response, borrowed_bases.shown_to_more(connection, repository))
        return information_of(connection, caller, registry.by_id(connection, repository.id))


@router.delete("/{owner}/{name}", status_code=204, response_class=Response)
def delete(
    repository: OwnedRepository,
    caller: RequiredCaller,
    services: ServicesDep,
    confirm: Annotated[str, Query(max_length=201)] = "",
) -> None:
    """Make it as absent, for whoever says its name as it is now once more."""
    if confirm.lower() != repository.full_name.lower():
        raise Refusal("bad_request", f"This deletes {repository.full_name}.", f"Say so: ?confirm={repository.full_name}")
    with services.database.write() as connection:
        deletion.delete_repository(connection, caller, repository)


@router.put("/{owner}/{name}/default-branch")
def change_default_branch(
    asked: DefaultBranch, repository: MaintainedRepository, caller: RequiredCaller, services: ServicesDep
) -> RepositoryInfo:
    """Let HEAD name another branch, which is there."""
    set_default_branch(services.database, services.settings, caller, repository, asked.branch)
    with services.database.read() as connection:
        return information_of(connection, caller, registry.by_id(connection, repository.id))


@router.post("/{owner}/{name}/move")
def move(
    asked: Place, repository: OwnedRepository, caller: RequiredCaller, services: ServicesDep, response: Response
) -> RepositoryInfo:
    """Rename it, or give it to another owner, under whose name the caller may make repositories; the old name leads to it."""
    owner, name = asked.owner or repository.owner, asked.name or repository.name
    with services.database.write() as connection:
        moved = renaming.move(connection, caller, repository, owner, name)
        borrowed.tell(response, borrowed_bases.shown_to_more(connection, repository))
        return information_of(connection, caller, moved)


@router.post("/{owner}/{name}/fork", status_code=201)
async def fork(
    asked: Place, repository: ReadableRepository, caller: RequiredCaller, services: ServicesDep, request: Request
) -> RepositoryInfo:
    """A repository with all that this one holds, under the caller's name unless told otherwise; private."""
    owner, name = asked.owner or caller.name, asked.name or repository.name

    def made(leash: Leash) -> RepositoryInfo:
        forked = make_fork(services.database, services.settings, caller, repository, owner, name, leash)
        with services.database.read() as connection:
            return information_of(connection, caller, forked)

    return await on_a_leash(request.receive, made)


def information_of(connection: Connection, caller: Caller | None, repository: Repository) -> RepositoryInfo:
    """What the caller is told of a repository. Raises Refusal."""
    role = require(connection, caller, repository, Action.READ)
    return RepositoryInfo(
        repository.full_name,
        repository.kind,
        repository.visibility,
        "owner" if role == "admin" else role,
        sorted(repository.codecs),
        repository.default_branch,
    )
