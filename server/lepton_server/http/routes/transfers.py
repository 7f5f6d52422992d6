"""Transfers of bytes: PUT of one pack, GET of one range. The URL is the right to it; no token is looked at."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from git_lepton.wire.messages import PackOffer
from git_lepton.wire.protocol import API
from lepton_server.errors import Refusal
from lepton_server.http.dependencies import binary_answer, binary_body
from lepton_server.http.state import ServicesDep
from lepton_server.http.streaming import RangeResponse
from lepton_server.http.transfer_tokens import GET, PUT
from lepton_server.storage.body_writer import write_stream
from lepton_server.storage.object_store import new_key
from lepton_server.uploads.arrival import Bearer, receive_streamed

router = APIRouter(prefix=f"{API}/transfers", tags=["transfer"])


@router.put("/{token}", status_code=201, response_class=Response, openapi_extra=binary_body("the pack that was offered"))
async def put_pack(token: str, request: Request, services: ServicesDep) -> Response:
    """Take a pack. It is durable when this is answered."""
    claims = services.signer.open(PUT, token)
    offer = PackOffer(claims["pack"], claims["size"], claims["sequence"])
    bearer = Bearer(claims["account"], claims["repository"], claims["upload"])
    length = request.headers.get("content-length")
    if length is None or int(length) != offer.size:
        raise Refusal(
            "corrupt_data", f"This body should have {offer.size} bytes.", "Send the pack that was offered, with its length."
        )
    key = new_key(claims["tenant"])
    incoming = await run_in_threadpool(services.store.begin, key)
    try:
        received = await write_stream(request.stream(), incoming)
        await run_in_threadpool(receive_streamed, services.database, services.store, bearer, offer, incoming, key, received)
    except ClientDisconnect:
        return Response(status_code=400)  # nobody is there to read it
    finally:
        await run_in_threadpool(incoming.abort)
    services.verifier.wake(bearer.session)
    return Response(status_code=201)


@router.get("/{token}", response_class=Response, responses=binary_answer("the bytes of the range", 206))
async def get_range(token: str, request: Request, services: ServicesDep) -> Response:
    """The range that the URL was given for, with the header that came with it."""
    claims = services.signer.open(GET, token)
    key, start, end = claims["key"], claims["start"], claims["end"]
    if request.headers.get("range") != f"bytes={start}-{end - 1}":
        raise Refusal("forbidden", "This address is for another range.", "Send exactly the headers that came with it.")
    return RangeResponse(services.store, key, start, end)
