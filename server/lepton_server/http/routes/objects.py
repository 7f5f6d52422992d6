"""Objects of a repository: which it holds, their manifests, and what is known of those that were taken away (docs/wire-protocol.md,
section 3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse

from git_lepton.wire.protocol import API, BINARY, MAX_MANIFESTS, MISSING, PENDING, STORED, TOMBSTONES_HEADER
from git_lepton.wire.tombstones import Tombstone, Tombstones, Unlinked
from lepton_server.content import objects, tombstones
from lepton_server.errors import Refusal
from lepton_server.http.dependencies import (
    OptionalCaller,
    ReadableRepository,
    RequiredCaller,
    binary_answer,
    binary_body,
    names_body,
)
from lepton_server.http.state import Services, ServicesDep
from lepton_server.identity.caller import Caller
from lepton_server.repositories.permissions import Action, require
from lepton_server.repositories.registry import Repository
from lepton_server.uploads import records

router = APIRouter(prefix=f"{API}/repositories/{{owner}}/{{name}}", tags=["objects"])
_PART_BYTES = 8 * 1024 * 1024  # of manifests that are in memory at once for one answer
Oids = Annotated[list[bytes], names_body(MAX_MANIFESTS)]
_OIDS_BODY = binary_body(f"at most {MAX_MANIFESTS} oids, 32 bytes each")


@router.post(
    "/objects/check",
    response_class=Response,
    openapi_extra=binary_body("oids, 32 bytes each"),
    responses=binary_answer("one byte for each: 0 missing, 1 upload not yet verified, 2 stored"),
)
def check(
    repository: ReadableRepository, services: ServicesDep, caller: OptionalCaller, oids: Annotated[list[bytes], names_body()]
) -> Response:
    """For each object whether it is stored, on its way, or missing. To who may push, what is said to be stored stays for a while."""
    if _may_push(services, caller, repository):
        objects.count_on(services.database, repository, oids)  # before they are looked up, so that none goes in between
    with services.database.read() as connection:
        stored = objects.stored_objects(connection, repository, oids)
        coming = records.on_their_way(connection, repository.id, (oid for oid in oids if oid not in stored))
        taken_away = tombstones.of_objects(
            connection, repository, (oid for oid in oids if oid not in stored and oid not in coming)
        )
    states = bytes(STORED if oid in stored else PENDING if oid in coming else MISSING for oid in oids)
    return Response(states, headers={TOMBSTONES_HEADER: str(len(taken_away))} if taken_away else None, media_type=BINARY)


def _may_push(services: Services, caller: Caller | None, repository: Repository) -> bool:
    try:
        with services.database.read() as connection:
            require(connection, caller, repository, Action.WRITE)
    except Refusal:
        return False
    return True


@router.post(
    "/manifests/read",
    response_class=Response,
    openapi_extra=_OIDS_BODY,
    responses=binary_answer("for each a 4-byte length and the manifest; length 0 where there is none"),
)
def read_manifests(repository: ReadableRepository, services: ServicesDep, oids: Oids) -> Response:
    """The manifests of these objects, in the order asked for."""
    with services.database.read() as connection:
        lengths = objects.manifest_lengths(connection, repository, oids)
    total = sum(4 + lengths.get(oid, 0) for oid in oids)
    return StreamingResponse(_framed(repository, services, oids, lengths), 200, {"Content-Length": str(total)}, BINARY)


def _framed(repository: Repository, services: Services, oids: list[bytes], lengths: dict[bytes, int]) -> Iterator[bytes]:
    """The answer in parts, each of one large manifest or many small ones: all together may be too much for memory."""
    for group in _groups(oids, lengths):
        with services.database.read() as connection:
            found = objects.manifests(connection, repository, group)
        yield b"".join(part for oid in group for part in (lengths.get(oid, 0).to_bytes(4, "little"), found.get(oid, b"")))


def _groups(oids: list[bytes], lengths: dict[bytes, int]) -> Iterator[list[bytes]]:
    group: list[bytes] = []
    held = 0
    for oid in oids:
        if group and held + lengths.get(oid, 0) > _PART_BYTES:
            yield group
            group, held = [], 0
        group.append(oid)
        held += lengths.get(oid, 0)
    if group:
        yield group


@router.post("/tombstones/read", openapi_extra=_OIDS_BODY)
def read_tombstones(repository: ReadableRepository, services: ServicesDep, oids: Oids) -> Tombstones:
    """Of those of these objects that were taken away, in the order asked for: since when, by whom and why."""
    with services.database.read() as connection:
        found = tombstones.of_objects(connection, repository, oids)
    return Tombstones([Tombstone(oid.hex(), *found[oid][1:]) for oid in dict.fromkeys(oids) if oid in found])


@router.post("/objects/unlink", openapi_extra=_OIDS_BODY)
def unlink(repository: ReadableRepository, caller: RequiredCaller, services: ServicesDep, oids: Oids) -> Unlinked:
    """An external repository lets go of these objects. A hosted one is refused: its own history says what it needs."""
    with services.database.write() as connection:
        require(connection, caller, repository, Action.MAINTAIN)
        return Unlinked(objects.unlink(connection, caller, repository, oids))
