"""Usage: what weights take, and how much they may (docs/wire-protocol.md). Nothing here tells of what other repositories hold."""

from __future__ import annotations

import threading

from fastapi import APIRouter, Request
from sqlalchemy import Connection

from git_lepton.wire.protocol import API
from git_lepton.wire.usage import BranchUsage, NewQuota, RepositoryUsage
from lepton_server.errors import Refusal
from lepton_server.git.client_departure import on_a_leash
from lepton_server.git.program import Git
from lepton_server.git.ref_mirror import mirrored_refs
from lepton_server.git_bounds import Leash
from lepton_server.http.dependencies import MessageRoute, ReadableRepository, RequiredCaller
from lepton_server.http.state import Services, ServicesDep
from lepton_server.identity import audit_log
from lepton_server.repositories import quotas
from lepton_server.repositories.permissions import require_admin
from lepton_server.repositories.registry import Repository, git_directory
from lepton_server.usage import bills
from lepton_server.usage.branch_bills import of_branches

router = APIRouter(prefix=f"{API}/repositories/{{owner}}/{{name}}", tags=["usage"], route_class=MessageRoute)
_MOST = (1 << 62) - 1
_BRANCHES = threading.Semaphore(1)  # all of a history is read for them
_PATIENCE_SECONDS = 10


@router.get("/usage")
async def usage(
    repository: ReadableRepository, services: ServicesDep, request: Request, branches: bool = False
) -> RepositoryUsage:
    """What the repository holds; with `branches` also by branch, where it is hosted."""

    def counted(leash: Leash) -> RepositoryUsage:
        found = _branches(services, repository, leash) if branches and repository.kind == "hosted" else []
        with services.database.read() as connection:
            return _described(connection, repository, found)

    return await on_a_leash(request.receive, counted)


@router.put("/quota")
def set_quota(repository: ReadableRepository, caller: RequiredCaller, services: ServicesDep, asked: NewQuota) -> RepositoryUsage:
    """Set what the repository may store."""
    require_admin(caller)
    if asked.bytes is not None and not 0 <= asked.bytes <= _MOST:
        raise Refusal("bad_request", f"A quota is a number of bytes from 0 to {_MOST}.")
    with services.database.write() as connection:
        quotas.set_for_repository(connection, repository, asked.bytes)
        audit_log.note(connection, caller, "quota.set", repository=repository.full_name, bytes=asked.bytes)
        return _described(connection, repository, [])


def _described(connection: Connection, repository: Repository, branches: list[BranchUsage]) -> RepositoryUsage:
    files, chunks = bills.files_of(connection, repository.id), bills.chunks_of(connection, repository.id, repository.tenant)
    limit = quotas.of_repository(connection, repository).limit
    return RepositoryUsage(*files, *chunks, limit, branches)


def _branches(services: Services, repository: Repository, leash: Leash) -> list[BranchUsage]:
    directory = git_directory(services.settings, repository)
    if not (directory / "HEAD").is_file():  # nothing was pushed yet
        return []
    if not _BRANCHES.acquire(timeout=_PATIENCE_SECONDS):
        raise Refusal("too_many_requests", "The branches of another repository are being counted.", "Try again.")
    try:
        git = Git(directory, bounds=services.settings.git_bounds, leash=leash)
        with services.database.read() as connection, leash.stepping_back():
            found = of_branches(connection, repository, git, mirrored_refs(connection, repository))
    finally:
        _BRANCHES.release()
    return [BranchUsage(one.branch, one.files, one.raw, one.stored, one.only) for one in found]
