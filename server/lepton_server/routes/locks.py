"""Locks of paths (docs/wire-protocol.md)."""

from __future__ import annotations

from fastapi import APIRouter

from git_lepton.wire.collaboration import LockInfo, LockList, NewLock
from git_lepton.wire.protocol import API
from lepton_server import locks
from lepton_server.accounts import Caller
from lepton_server.authentication import OptionalCaller, RequiredCaller
from lepton_server.locks import Lock
from lepton_server.permissions import Action, require
from lepton_server.refusals import Refusal
from lepton_server.routes.access import MessageRoute, ReadableRepository, WritableRepository
from lepton_server.services import ServicesDep

router = APIRouter(prefix=f"{API}/repositories/{{owner}}/{{name}}", tags=["locks"], route_class=MessageRoute)


@router.get("/locks")
def list_locks(repository: ReadableRepository, caller: OptionalCaller, services: ServicesDep) -> LockList:
    with services.database.read() as connection:
        return LockList([_told(lock, caller) for lock in locks.locks_of(connection, repository)])


@router.post("/locks", status_code=201)
def lock(repository: WritableRepository, caller: RequiredCaller, services: ServicesDep, asked: NewLock) -> LockInfo:
    """Lock a path; what the caller has locked already stays locked."""
    with services.database.write() as connection:
        return _told(locks.lock(connection, caller, repository, asked.path), caller)


@router.delete("/locks/{number}", status_code=204)
def unlock(
    repository: WritableRepository, caller: RequiredCaller, services: ServicesDep, number: int, force: bool = False
) -> None:
    """Take a lock away; somebody else's by force, which takes the right to maintain. One that is gone is no error."""
    with services.database.write() as connection:
        found = locks.lock_by_id(connection, repository, number)
        if found is None:
            return
        if found.account != caller.account:
            _may_force(found, force)
            require(connection, caller, repository, Action.MAINTAIN)
        locks.unlock(connection, caller, repository, found)


def _may_force(found: Lock, force: bool) -> None:
    if not force:
        hint = f"Ask {found.owner}; a maintainer may take it away by force: git lepton unlock --force"
        raise Refusal("forbidden", f"The lock of {found.path} is {found.owner}'s.", hint)


def _told(found: Lock, caller: Caller | None) -> LockInfo:
    return LockInfo(found.id, found.path, found.owner, found.at, caller is not None and found.account == caller.account)
