"""Borrowed chunks: what a repository holds only as bases, and where from (docs/wire-protocol.md, section 4)."""

from __future__ import annotations

from collections.abc import Collection

from fastapi import APIRouter, Response

from git_lepton.wire.messages import BorrowedList
from git_lepton.wire.protocol import API, BASES_HEADER
from lepton_server.content import borrowed_bases
from lepton_server.http.dependencies import MaintainedRepository, RequiredCaller
from lepton_server.http.state import ServicesDep

router = APIRouter(prefix=f"{API}/repositories/{{owner}}/{{name}}", tags=["rights"])


@router.get("/bases")
def listed(repository: MaintainedRepository, caller: RequiredCaller, services: ServicesDep) -> BorrowedList:
    """By repository; one that the caller may not read has no name."""
    with services.database.read() as connection:
        return BorrowedList(borrowed_bases.borrowed(connection, repository, caller))


def tell(response: Response, shown: Collection[str]) -> None:
    """After more people may read something: how often it now shows weights of others to people who may not read those."""
    if shown:
        response.headers[BASES_HEADER] = str(len(shown))
