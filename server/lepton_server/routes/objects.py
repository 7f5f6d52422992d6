"""Which objects a repository holds, and their manifests (docs/wire-protocol.md, section 3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse
from sqlalchemy import select

from git_lepton.wire.protocol import API, BINARY, MAX_MANIFESTS, MISSING, PENDING, STORED, TOMBSTONES_HEADER
from lepton_server import held_objects, names, tombstones
from lepton_server.accounts import Caller
from lepton_server.authentication import OptionalCaller
from lepton_server.database import clock, in_batches
from lepton_server.permissions import Action, require
from lepton_server.refusals import Refusal
from lepton_server.repositories import Repository
from lepton_server.routes.access import ReadableRepository, binary_answer, binary_body, names_body
from lepton_server.services import Services, ServicesDep
from lepton_server.tables import upload_manifests, uploads

router = APIRouter(prefix=f"{API}/repositories/{{owner}}/{{name}}", tags=["objects"])
_PART_BYTES = 8 * 1024 * 1024


@router.post(
    "/objects/check",
    response_class=Response,
    openapi_extra=binary_body("oids, 32 bytes each"),
    responses=binary_answer("one byte for each: 0 missing, 1 upload not yet verified, 2 stored"),
)
def check(
    repository: ReadableRepository, services: ServicesDep, caller: OptionalCaller, oids: Annotated[list[bytes], names_body()]
) -> Response:
    if _may_push(services, caller, repository):
        held_objects.count_on(
            services.database, repository, oids
        )  # before they are looked up: what is said to be stored stays a while
    with services.database.read() as connection:
        stored = names.stored_objects(connection, repository, oids)
        coming: set[bytes] = set()
        alive = uploads.c.state.in_(["open", "verifying"]) & (uploads.c.expires > clock(connection))
        unfinished = alive & (uploads.c.repository == repository.id)
        query = select(upload_manifests.c.oid).join(uploads, uploads.c.id == upload_manifests.c.upload).where(unfinished)
        for batch in in_batches(oid for oid in oids if oid not in stored):
            coming.update(connection.execute(query.where(upload_manifests.c.oid.in_(batch))).scalars())
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
    openapi_extra=binary_body(f"at most {MAX_MANIFESTS} oids, 32 bytes each"),
    responses=binary_answer("for each a 4-byte length and the manifest; length 0 where there is none"),
)
def read(
    repository: ReadableRepository, services: ServicesDep, oids: Annotated[list[bytes], names_body(MAX_MANIFESTS)]
) -> Response:
    with services.database.read() as connection:
        lengths = names.manifest_lengths(connection, repository, oids)
    total = sum(4 + lengths.get(oid, 0) for oid in oids)
    return StreamingResponse(_framed(repository, services, oids, lengths), 200, {"Content-Length": str(total)}, BINARY)


def _framed(repository: Repository, services: Services, oids: list[bytes], lengths: dict[bytes, int]) -> Iterator[bytes]:
    """The answer in parts, each of one large manifest or many small ones: all together may be too much for memory."""
    for group in _groups(oids, lengths):
        with services.database.read() as connection:
            found = names.manifests(connection, repository, group)
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
