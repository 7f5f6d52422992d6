"""Plans and URLs for fetching chunks (docs/wire-protocol.md, section 5)."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response

from git_lepton.format.identifiers import BadIdentifier, PackId
from git_lepton.wire.messages import Plan, RangeRequest, RangeRequests, RangeUrl, RangeUrls
from git_lepton.wire.protocol import API, MAX_RANGE_BYTES, MAX_RANGES
from lepton_server import plans
from lepton_server.refusals import Refusal
from lepton_server.routes.access import MessageRoute, ReadableRepository, binary_body, names_body
from lepton_server.services import ServicesDep
from lepton_server.transfer_urls import GET

router = APIRouter(prefix=f"{API}/repositories/{{owner}}/{{name}}", tags=["download"], route_class=MessageRoute)


@router.post("/plan", response_model=Plan, openapi_extra=binary_body("chunk names, 32 bytes each"))
def plan(repository: ReadableRepository, services: ServicesDep, chunks: Annotated[list[bytes], names_body()]) -> Response:
    """How to fetch these chunks."""
    with services.database.read() as connection:
        made = plans.plan(connection, repository, chunks)
    return Response(json.dumps(_flat(made), separators=(",", ":")), media_type="application/json")


def _flat(made: Plan) -> dict[str, Any]:
    """The plan's JSON, its many entries as they are: `to_json` copies every number."""
    return {**vars(made), "packs": [vars(pack) for pack in made.packs]}


@router.post("/urls")
def urls(request: Request, repository: ReadableRepository, services: ServicesDep, asked: RangeRequests) -> RangeUrls:
    """Where to get these ranges, for a short time."""
    if len(asked.ranges) > MAX_RANGES:
        raise Refusal("too_large", f"This request asks for more than {MAX_RANGES} ranges.", "Ask for fewer at a time.")
    for wanted in asked.ranges:
        _check(wanted)
    with services.database.read() as connection:
        keys = [plans.readable_range(connection, repository, wanted) for wanted in asked.ranges]
    base, seconds = services.base_url(request), services.settings.transfer_seconds
    found = []
    for key, wanted in zip(keys, asked.ranges, strict=True):
        token = services.signer.sign(GET, {"key": key, "start": wanted.start, "end": wanted.end}, seconds)
        headers = {"Range": f"bytes={wanted.start}-{wanted.end - 1}"}
        found.append(RangeUrl(f"{base}{API}/transfers/{token}", headers, seconds))
    return RangeUrls(found)


def _check(wanted: RangeRequest) -> None:
    try:
        PackId.parse_hex(wanted.pack)
    except BadIdentifier as error:
        raise Refusal("bad_request", f"{error.message}.") from None
    if not 0 < wanted.start < wanted.end <= 1 << 62:
        raise Refusal("range_not_satisfiable", "This is no range.")
    if wanted.end - wanted.start > MAX_RANGE_BYTES:
        raise Refusal("too_large", f"A range has at most {MAX_RANGE_BYTES} bytes.", "Ask for it in parts.")
