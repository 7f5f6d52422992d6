"""Upload sessions (docs/wire-protocol.md, section 4). Bytes of packs go to the transfer URLs that tickets name."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from git_lepton.format.identifiers import BadIdentifier, Digest, ObjectId, PackId
from git_lepton.format.manifest import check_manifest
from git_lepton.wire.messages import PackOffer, PackOffers, Ticket, Tickets, Upload, UploadState, to_json
from git_lepton.wire.protocol import API, BINARY, MAX_ANNOUNCED_BYTES, MAX_MANIFESTS, MAX_TICKETS, MAX_WAIT_SECONDS
from lepton_server import repositories, uploads
from lepton_server.accounts import Caller
from lepton_server.authentication import RequiredCaller
from lepton_server.permissions import Action, require
from lepton_server.refusals import Refusal
from lepton_server.repositories import Repository
from lepton_server.routes.access import (
    MessageRoute,
    WritableRepository,
    binary_answer,
    binary_body,
    check_codecs,
    digests_body,
    limited_body,
)
from lepton_server.services import Services, ServicesDep
from lepton_server.transfer_urls import PUT

router = APIRouter(prefix=f"{API}/repositories/{{owner}}/{{name}}/uploads", tags=["upload"], route_class=MessageRoute)
_HAVES = asyncio.Semaphore(4)  # that are looked up at once
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.25  # seconds between looks at an upload that somebody waits for
Name = TypeVar("Name", bound=Digest)


@router.post("", status_code=201)
def open_upload(owner: str, name: str, request: Request, caller: RequiredCaller, services: ServicesDep) -> Upload:
    """Open a session. An absent repository under the caller's own name is made, hosted and private."""
    settings = services.settings
    with services.database.read() as connection:
        found = repositories.find(connection, owner, name)
        if found is not None or not repositories.may_create(caller, owner, name):
            require(connection, caller, found, Action.WRITE)
    with services.database.write() as connection:
        repository = found or repositories.create(connection, caller, owner, name)
        check_codecs(request, repository)
        session = uploads.open_session(connection, caller, repository, settings.session_seconds)
    return Upload(session, sorted(repository.codecs), settings.max_pack_bytes, settings.session_seconds)


def _session(session: str, repository: WritableRepository, caller: RequiredCaller, services: ServicesDep) -> str:
    """The caller's session, its life renewed; its state. Raises Refusal (session_gone)."""
    seconds = services.settings.session_seconds
    with services.database.read() as connection:
        state, left = uploads.state_for(connection, caller, repository, session)
    if uploads.needs_touch(left, seconds):
        with services.database.write() as connection:
            uploads.touch(connection, session, seconds)
    return state


SessionState = Annotated[str, Depends(_session)]


def _open_session(session: str, state: SessionState) -> str:
    if state != "open":
        raise uploads.session_gone()
    return session


OpenSession = Annotated[str, Depends(_open_session)]


@router.post(
    "/{session}/have",
    response_class=Response,
    openapi_extra=binary_body("chunk names, 32 bytes each"),
    responses=binary_answer("one byte for each: 0 send it, 2 to 5 have it, on 0 to 3 bases"),
)
async def have(
    repository: WritableRepository,
    caller: RequiredCaller,
    services: ServicesDep,
    session: OpenSession,
    chunks: Annotated[bytes, digests_body()],
) -> Response:
    """A promise: what is here stays here for as long as the session lasts."""
    async with _HAVES:
        answer = await run_in_threadpool(uploads.have, services.database, caller, repository, session, chunks)
    return Response(answer, media_type=BINARY)


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
    if manifest.oid != _parsed(ObjectId, oid):
        raise Refusal("bad_request", "This manifest is that of another object.")
    with services.database.write() as connection:
        uploads.announce(connection, repository, session, manifest, body)
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
            uploads.announce(connection, repository, session, manifest, data)
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


@router.post("/{session}/packs")
def offer(
    request: Request,
    repository: WritableRepository,
    caller: RequiredCaller,
    services: ServicesDep,
    session: OpenSession,
    offers: PackOffers,
) -> Tickets:
    """Where each of these packs goes."""
    if len(offers.packs) > MAX_TICKETS:
        raise Refusal("too_large", f"This request offers more than {MAX_TICKETS} packs.", "Offer fewer at a time.")
    for offered in offers.packs:
        _check_offer(services, offered)
    with services.database.write() as connection:
        known = [uploads.attach_known(connection, caller, repository, session, offered) for offered in offers.packs]
    if any(known):
        services.verifier.wake(session)
    base = services.base_url(request)
    pairs = zip(offers.packs, known, strict=True)
    return Tickets([_ticket(services, base, caller, repository, session, offered, there) for offered, there in pairs])


def _check_offer(services: Services, offered: PackOffer) -> None:
    _parsed(PackId, offered.pack)
    if offered.size > services.settings.max_pack_bytes:
        raise Refusal("too_large", f"A pack has at most {services.settings.max_pack_bytes} bytes.", "Send smaller packs.")
    if offered.size <= 0 or not 0 <= offered.sequence < 1 << 62:
        raise Refusal("bad_request", "This pack has a size or a sequence number that none can have.")


def _ticket(
    services: Services, base: str, caller: Caller, repository: Repository, session: str, offered: PackOffer, there: bool
) -> Ticket:
    seconds = services.settings.transfer_seconds
    if there:
        return Ticket(offered.pack, "", {}, False, seconds)
    claims = {"upload": session, "account": caller.account, "repository": repository.id}
    claims |= {"pack": offered.pack, "size": offered.size, "sequence": offered.sequence}
    token = services.signer.sign(PUT, claims, seconds)
    return Ticket(offered.pack, f"{base}{API}/transfers/{token}", {"Content-Type": BINARY}, False, seconds)


@router.post("/{session}/packs/{pack}/received", status_code=202, response_class=Response)
def received(pack: str, _: SessionState) -> Response:
    """For stores to which bytes go without passing here; a pack that came through here is known already."""
    _parsed(PackId, pack)
    return Response(status_code=202)


@router.post("/{session}/commit", status_code=202)
def commit(session: str, state: SessionState, services: ServicesDep) -> JSONResponse:
    """No more is to come. Asking again is asking for the state."""
    if state == "open":
        with services.database.write() as connection:
            uploads.commit(connection, session)
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
        return uploads.describe(connection, session, services.verifier.verified_bytes(session))


def _parsed(kind: type[Name], text: str) -> Name:
    try:
        return kind.parse_hex(text)
    except BadIdentifier as error:
        raise Refusal("bad_request", f"{error.message}.") from None
