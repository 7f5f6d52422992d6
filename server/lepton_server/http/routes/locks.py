"""Locks of paths (docs/wire-protocol.md)."""

from __future__ import annotations

from fastapi import APIRouter

from git_lepton.wire.collaboration import LockInfo, LockList, NewLock
from git_lepton.wire.protocol import API
from lepton_server.errors import Refusal
from lepton_server.http.dependencies import MessageRoute, OptionalCaller, ReadableRepository, RequiredCaller, WritableRepository
from lepton_server.http.state import ServicesDep
from lepton_server.identity.caller import Caller
from lepton_server.protection import path_locks
from lepton_server.protection.path_locks import Lock
from lepton_server.repositories.permissions import Action, require
from lepton_server.repositories.registry import Repository

router = APIRouter(prefix=f"{API}/repositories/{{owner}}/{{name}}", tags=["locks"], route_class=MessageRoute)


@router.get("/locks")
def list_locks(repository: ReadableRepository, caller: OptionalCaller, services: ServicesDep) -> LockList:
    with services.database.read() as connection:
        return LockList([_told(lock, repository, caller) for lock in path_locks.locks_of(connection, repository)])


@router.post("/locks", status_code=201)
def lock(repository: WritableRepository, caller: RequiredCaller, services: ServicesDep, asked: NewLock) -> LockInfo:
    """Lock a path; what the caller has locked already stays locked."""
    with services.database.write() as connection:
        return _told(path_locks.lock(connection, caller, repository, asked.path), repository, caller)


@router.delete("/locks/{number}", status_code=204)
def unlock(
    repository: WritableRepository, caller: RequiredCaller, services: ServicesDep, number: int, force: bool = False
) -> None:
    """Take a lock away; somebody else's by force, which takes the right to maintain. One that is gone is no error."""
    with services.database.write() as connection:
        found = path_locks.lock_by_id(connection, repository, number)
        if found is None:
            return
        if found.account != caller.account:
            _may_force(found, force)
            require(connection, caller, repository, Action.MAINTAIN)
        path_locks.unlock(connection, caller, repository, found)


def _may_force(found: Lock, force: bool) -> None:
    if not force:
        hint = f"Ask {found.owner}; a maintainer may take it away by force: git lepton unlock --force"
        raise Refusal("forbidden", f"The lock of {found.path} is {found.owner}'s.", hint)


def _told(found: Lock, repository: Repository, caller: Caller | None) -> LockInfo:
    own = caller is not None and found.account == caller.account
    return LockInfo(found.id, found.path, found.owner, found.at, own, repository.kind == "hosted")
