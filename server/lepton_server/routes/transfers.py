"""The bytes themselves: PUT of one pack, GET of one range. The URL is the right to it; no token is looked at."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from git_lepton.wire.messages import PackOffer
from git_lepton.wire.protocol import API
from lepton_server import repositories, uploads
from lepton_server.accounts import Caller, caller_by_id
from lepton_server.object_store import Incoming, new_key
from lepton_server.offered_packs import check_pack
from lepton_server.permissions import Action, require
from lepton_server.refusals import Refusal
from lepton_server.repositories import Repository
from lepton_server.routes.access import binary_answer, binary_body
from lepton_server.services import Services, ServicesDep
from lepton_server.streaming import RangeResponse, write_stream
from lepton_server.transfer_urls import GET, PUT

router = APIRouter(prefix=f"{API}/transfers", tags=["transfer"])


@router.put("/{token}", status_code=201, response_class=Response, openapi_extra=binary_body("the pack that was offered"))
async def put_pack(token: str, request: Request, services: ServicesDep) -> Response:
    """Take a pack. It is durable when this is answered."""
    claims = services.signer.open(PUT, token)
    offer = PackOffer(claims["pack"], claims["size"], claims["sequence"])
    told = request.headers.get("content-length")
    if told is None or int(told) != offer.size:
        raise Refusal(
            "corrupt_data", f"This body should have {offer.size} bytes.", "Send the pack that was offered, with its length."
        )
    key = new_key(claims["tenant"])
    incoming = await run_in_threadpool(services.store.begin, key)
    try:
        received = await write_stream(request.stream(), incoming)
        await run_in_threadpool(_settle, services, claims, offer, incoming, key, received)
    except ClientDisconnect:
        return Response(status_code=400)  # nobody is there to read it
    finally:
        await run_in_threadpool(incoming.abort)
    services.verifier.wake(claims["upload"])
    return Response(status_code=201)


def _settle(services: Services, claims: dict[str, Any], offer: PackOffer, incoming: Incoming, key: str, received: int) -> None:
    """Check that the body is the offered pack, make it durable, then note it."""
    check_pack(incoming.read, received, offer)
    with services.database.read() as connection:
        _check_rights(connection, claims)
    incoming.finish()
    kept = False
    try:
        with services.database.write() as connection:
            caller, repository = _check_rights(connection, claims)
            kept = uploads.receive(connection, caller, repository, claims["upload"], offer, key)
    finally:
        if not kept:
            services.store.delete(key)


def _check_rights(connection: Connection, claims: dict[str, Any]) -> tuple[Caller, Repository]:
    """A right that was lost since the ticket was given is lost. Raises Refusal."""
    caller, repository = caller_by_id(connection, claims["account"]), repositories.by_id(connection, claims["repository"])
    require(connection, caller, repository, Action.WRITE)
    state, _ = uploads.state_for(connection, caller, repository, claims["upload"])
    if state != "open":
        raise uploads.session_gone()
    return caller, repository


@router.get("/{token}", response_class=Response, responses=binary_answer("the bytes of the range", 206))
async def get_range(token: str, request: Request, services: ServicesDep) -> Response:
    """The range that the URL was given for, with the header that came with it."""
    claims = services.signer.open(GET, token)
    key, start, end = claims["key"], claims["start"], claims["end"]
    if request.headers.get("range") != f"bytes={start}-{end - 1}":
        raise Refusal("forbidden", "This address is for another range.", "Send exactly the headers that came with it.")
    return RangeResponse(services.store, key, start, end)
