"""Upload sessions (docs/wire-protocol.md, section 4). Where their packs go is the business of `tickets`."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from git_lepton.format.identifiers import BadIdentifier, Digest, ObjectId
from git_lepton.format.manifest import check_manifest
from git_lepton.wire.messages import NamedBases, Upload, UploadState, UsableBases, to_json
from git_lepton.wire.protocol import API, BINARY, MAX_ANNOUNCED_BYTES, MAX_MANIFESTS, MAX_NAMED_BASES, MAX_WAIT_SECONDS
from lepton_server.content import borrowed_bases
from lepton_server.errors import Refusal
from lepton_server.http.dependencies import (
    MessageRoute,
    RequiredCaller,
    WritableRepository,
    binary_answer,
    binary_body,
    check_codecs,
    digests_body,
    limited_body,
)
from lepton_server.http.state import Services, ServicesDep
from lepton_server.repositories import quotas, registry
from lepton_server.repositories.permissions import Action, located, require
from lepton_server.uploads import sessions

router = APIRouter(prefix=f"{API}/repositories/{{owner}}/{{name}}/uploads", tags=["upload"], route_class=MessageRoute)
_HAVES = asyncio.Semaphore(4)  # that are looked up at once
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.25  # seconds between looks at an upload that somebody waits for
Name = TypeVar("Name", bound=Digest)


@router.post("", status_code=201)
def open_upload(owner: str, name: str, request: Request, caller: RequiredCaller, services: ServicesDep) -> Upload:
    """Open a session. An absent repository under the caller's own name is made, hosted and private."""
    settings = services.settings
    with services.database.read() as connection:
        found = located(connection, caller, owner, name)
        if found is not None or not registry.may_create(connection, caller, owner, name):
            require(connection, caller, found, Action.WRITE)
    with services.database.write() as connection:
        repository = found or registry.create(connection, caller, owner, name)
        check_codecs(request, repository)
        warning = quotas.admit(connection, repository)
        session = sessions.open_session(connection, caller, repository, settings.session_seconds)
    direct = services.store.direct
    checksum = direct.checksum if direct else ""
    codecs = sorted(repository.codecs)
    return Upload(session, codecs, settings.max_pack_bytes, settings.session_seconds, checksum, warning)


def _session(session: str, repository: WritableRepository, caller: RequiredCaller, services: ServicesDep) -> str:
    """The caller's session, its life renewed; its state. Raises Refusal (session_gone)."""
    seconds = services.settings.session_seconds
    with services.database.read() as connection:
        state, left = sessions.state_for(connection, caller, repository, session)
    if sessions.needs_touch(left, seconds):
        with services.database.write() as connection:
            sessions.touch(connection, session, seconds)
    return state


SessionState = Annotated[str, Depends(_session)]


async def _open_session(session: str, state: SessionState) -> str:
    if state != "open":
        raise sessions.session_gone()
    return session


OpenSession = Annotated[str, Depends(_open_session)]


@router.post(
    "/{session}/have",
    response_class=Response,
    openapi_extra=binary_body("chunk names, 32 bytes each"),
    responses=binary_answer("one byte for each: 0 send it (or: no base), 2 to 5 have it, on 0 to 3 bases"),
)
async def have(
    repository: WritableRepository,
    caller: RequiredCaller,
    services: ServicesDep,
    session: OpenSession,
    chunks: Annotated[bytes, digests_body()],
    as_bases: Annotated[bool, Query(alias="bases")] = False,
) -> Response:
    """A promise: what is here stays here for as long as the session lasts."""
    look = partial(sessions.have, services.database, caller, repository, session, chunks, as_bases=as_bases)
    async with _HAVES:
        answer = await run_in_threadpool(look)
    return Response(answer, media_type=BINARY)


@router.post("/{session}/bases")
def name_bases(
    asked: NamedBases, repository: WritableRepository, caller: RequiredCaller, services: ServicesDep, session: OpenSession
) -> UsableBases:
    """Name repositories whose chunks are to be bases of what is sent; those that they may be of."""
    if len(asked.bases) > MAX_NAMED_BASES:
        raise Refusal("too_large", f"This request names more than {MAX_NAMED_BASES} repositories.", "Name fewer at a time.")
    with services.database.write() as connection:
        named = [(base.repository, base.allowed) for base in asked.bases]
        return UsableBases(borrowed_bases.allow(connection, caller, repository, session, named))


@router.put("/{session}/manifests/{oid}", status_code=202, response_class=Response, openapi_extra=binary_body("the manifest"))
def announce(
    oid: str,
    repository: WritableRepository,
    services: ServicesDep,
    session: OpenSession,
    body: Annotated[bytes, Depends(limited_body(lambda services: services.settings.max_manifest_bytes))],
) -> Response:
    """Say of which chunks an object consists."""
    manifest = check_manifest(body)
    if manifest.oid != parsed(ObjectId, oid):
        raise Refusal("bad_request", "This manifest is that of another object.")
    with services.database.write() as connection:
        sessions.announce(connection, repository, session, manifest, body)
    services.verifier.wake(session)
    return Response(status_code=202)


@router.post(
    "/{session}/manifests",
    status_code=202,
    response_class=Response,
    openapi_extra=binary_body("manifests, each after its length"),
)
def announce_all(
    repository: WritableRepository,
    services: ServicesDep,
    session: OpenSession,
    body: Annotated[bytes, Depends(limited_body(lambda _: MAX_ANNOUNCED_BYTES))],
) -> Response:
    """Say of which chunks several objects consist."""
    encoded = _unframed(body)
    announced = [(check_manifest(data), data) for data in encoded]
    with services.database.write() as connection:
        for manifest, data in announced:
            sessions.announce(connection, repository, session, manifest, data)
    services.verifier.wake(session)
    return Response(status_code=202)


def _unframed(body: bytes) -> list[bytes]:
    found: list[bytes] = []
    start = 0
    while start < len(body):
        end = start + 4 + int.from_bytes(body[start : start + 4], "little")
        if end > len(body) or start + 4 > len(body) or len(found) == MAX_MANIFESTS:
            raise Refusal("bad_request", f"This is not a list of at most {MAX_MANIFESTS} manifests.")
        found.append(body[start + 4 : end])
        start = end
    return found


@router.post("/{session}/commit", status_code=202)
def commit(session: str, state: SessionState, services: ServicesDep) -> JSONResponse:
    """No more is to come. Asking again is asking for the state."""
    if state == "open":
        with services.database.write() as connection:
            sessions.commit(connection, session)
        services.verifier.wake(session)
    return JSONResponse(to_json(_described(services, session)), 202)


@router.get("/{session}")
async def state(
    session: str, _: SessionState, services: ServicesDep, wait: Annotated[float, Query(ge=0, le=MAX_WAIT_SECONDS)] = 0
) -> UploadState:
    """How far the upload is; held back for up to `wait` seconds while it is being verified."""
    until = time.monotonic() + wait
    pause = _FIRST_PAUSE
    while True:
        described = await run_in_threadpool(_described, services, session)
        if described.state != "verifying" or time.monotonic() >= until or services.closing.is_set():
            return described
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _described(services: Services, session: str) -> UploadState:
    with services.database.read() as connection:
        return sessions.describe(connection, session, services.verifier.verified_bytes(session))


def parsed(kind: type[Name], text: str) -> Name:
    """A name of content in hex. Raises Refusal (bad_request)."""
    try:
        return kind.parse_hex(text)
    except BadIdentifier as error:
        raise Refusal("bad_request", f"{error.message}.") from None
