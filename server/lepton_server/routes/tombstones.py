"""Weights that were taken away: what is known of them, and taking them from an external repository (docs/wire-protocol.md)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter

from git_lepton.wire.protocol import API, MAX_MANIFESTS
from git_lepton.wire.tombstones import Tombstone, Tombstones, Unlinked
from lepton_server import held_objects, tombstones
from lepton_server.authentication import RequiredCaller
from lepton_server.permissions import Action, require
from lepton_server.routes.access import ReadableRepository, binary_body, names_body
from lepton_server.services import ServicesDep

router = APIRouter(prefix=f"{API}/repositories/{{owner}}/{{name}}", tags=["objects"])
Oids = Annotated[list[bytes], names_body(MAX_MANIFESTS)]
_OIDS = binary_body(f"at most {MAX_MANIFESTS} oids, 32 bytes each")


@router.post("/tombstones/read", openapi_extra=_OIDS)
def read(repository: ReadableRepository, services: ServicesDep, oids: Oids) -> Tombstones:
    """Of those of these objects that were taken away, in the order asked for: since when, by whom and why."""
    with services.database.read() as connection:
        found = tombstones.of_objects(connection, repository, oids)
    return Tombstones([Tombstone(oid.hex(), *found[oid][1:]) for oid in dict.fromkeys(oids) if oid in found])


@router.post("/objects/unlink", openapi_extra=_OIDS)
def unlink(repository: ReadableRepository, caller: RequiredCaller, services: ServicesDep, oids: Oids) -> Unlinked:
    """The repository lets go of these objects. For external ones: what a hosted one needs its own history says."""
    with services.database.write() as connection:
        require(connection, caller, repository, Action.MAINTAIN)
        return Unlinked(held_objects.unlink(connection, caller, repository, oids))
