"""Making, listing and revoking shares (docs/wire-protocol.md). What their links give is `shared_files`."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter, Request

from git_lepton.format.identifiers import BadIdentifier, ObjectId
from git_lepton.wire.collaboration import FileOffer, NewLink, NewShare, ShareInfo, ShareList
from git_lepton.wire.protocol import API, SHARED
from lepton_server.downloads import shares
from lepton_server.downloads.shares import File
from lepton_server.errors import Refusal
from lepton_server.http.dependencies import MessageRoute, RequiredCaller, WritableRepository
from lepton_server.http.state import ServicesDep

router = APIRouter(prefix=f"{API}/repositories/{{owner}}/{{name}}", tags=["shares"], route_class=MessageRoute)


@router.get("/shares")
def list_shares(repository: WritableRepository, services: ServicesDep) -> ShareList:
    """The shares of a repository, also those that have ended; their links are not known any more."""
    with services.database.read() as connection:
        found = [asdict(row) for row in shares.of_repository(connection, repository)]
    return ShareList([ShareInfo(**{key: value for key, value in row.items() if key != "account"}) for row in found])


@router.post("/shares", status_code=201)
def create(
    request: Request, repository: WritableRepository, caller: RequiredCaller, services: ServicesDep, asked: NewShare
) -> NewLink:
    """A new link to these files, which the repository holds."""
    files = [_file(offer) for offer in asked.files]
    with services.database.write() as connection:
        secret, number, expires = shares.create(
            connection, caller, repository, asked.revision, files, asked.expires_in, asked.max_downloads
        )
    return NewLink(number, f"{services.base_url(request)}{SHARED}/{secret}", expires)


@router.delete("/shares/{number}", status_code=204)
def revoke(repository: WritableRepository, caller: RequiredCaller, services: ServicesDep, number: int) -> None:
    """End a share; one of somebody else's takes the right to maintain. One that has ended is no error."""
    with services.database.write() as connection:
        if not shares.revoke(connection, caller, repository, number):
            raise Refusal(
                "not_found", f"There is no share {number} in {repository.full_name}.", "git lepton share --list lists them."
            )


def _file(offer: FileOffer) -> File:
    try:
        return File(offer.path, ObjectId.parse_hex(offer.oid).raw, offer.size)
    except BadIdentifier as error:
        raise Refusal("bad_request", f"{error.message}.") from None
