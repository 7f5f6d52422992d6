"""Plans and URLs for fetching chunks (docs/wire-protocol.md, section 5)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from tempfile import SpooledTemporaryFile
from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from git_lepton.format.identifiers import BadIdentifier, PackId
from git_lepton.wire.messages import Plan, RangeRequest, RangeRequests, RangeUrl, RangeUrls
from git_lepton.wire.protocol import API, DIGEST_BYTES, MAX_RANGE_BYTES, MAX_RANGES
from lepton_server.downloads import ranges
from lepton_server.downloads.plan import PlanDraft
from lepton_server.errors import Refusal
from lepton_server.http.dependencies import MessageRoute, ReadableRepository, binary_body, digests_body
from lepton_server.http.state import Services, ServicesDep
from lepton_server.http.transfer_tokens import GET
from lepton_server.repositories.registry import Repository
from lepton_server.storage.object_store import StoreFull

router = APIRouter(prefix=f"{API}/repositories/{{owner}}/{{name}}", tags=["download"], route_class=MessageRoute)
_SMALL_PLAN = 8_000 * DIGEST_BYTES  # of names asked for
_SMALL, _LARGE = asyncio.Semaphore(3), asyncio.Semaphore(1)  # plans made at once; the largest takes some 200 MB
_PLAN_BYTES = 1024 * 1024  # of text in memory


@router.post("/plan", response_model=Plan, openapi_extra=binary_body("chunk names, 32 bytes each"))
async def plan(repository: ReadableRepository, services: ServicesDep, chunks: Annotated[bytes, digests_body()]) -> Response:
    """How to fetch these chunks."""
    async with _SMALL if len(chunks) <= _SMALL_PLAN else _LARGE:
        text = await run_in_threadpool(_written_plan, services, repository, chunks)
    size = text.tell()
    return StreamingResponse(_blocks(text), 200, {"Content-Length": str(size)}, "application/json")


def _written_plan(services: Services, repository: Repository, chunks: bytes) -> SpooledTemporaryFile[bytes]:
    """The plan's text; a large one on the disk, since a slow reader may keep it for long."""
    text: SpooledTemporaryFile[bytes] = SpooledTemporaryFile(_PLAN_BYTES, dir=str(services.settings.data))  # noqa: SIM115 - outlives this
    try:
        with services.database.read() as connection:
            draft = PlanDraft(connection, repository, chunks)
        for part in draft.parts():
            text.write(part)
    except OSError as error:
        text.close()
        raise StoreFull("there is no room for a plan", "Tell whoever runs the server.") from error
    except BaseException:
        text.close()
        raise
    return text


def _blocks(text: SpooledTemporaryFile[bytes]) -> Iterator[bytes]:
    with text:
        text.seek(0)
        while block := text.read(_PLAN_BYTES):
            yield block


@router.post("/urls")
def urls(request: Request, repository: ReadableRepository, services: ServicesDep, asked: RangeRequests) -> RangeUrls:
    """Where to get these ranges, for a short time."""
    if len(asked.ranges) > MAX_RANGES:
        raise Refusal("too_large", f"This request asks for more than {MAX_RANGES} ranges.", "Ask for fewer at a time.")
    for wanted in asked.ranges:
        _check(wanted)
    with services.database.read() as connection:
        keys = [ranges.readable_range(connection, repository, wanted) for wanted in asked.ranges]
    places = zip(keys, asked.ranges, strict=True)
    direct, seconds = services.store.direct, services.settings.transfer_seconds
    if direct is not None:
        signed = [direct.range(key, wanted.start, wanted.end, seconds) for key, wanted in places]
        return RangeUrls([RangeUrl(found.url, found.headers, found.expires_in) for found in signed])
    base = services.base_url(request)
    return RangeUrls([_own_url(services, base, key, wanted) for key, wanted in places])


def _own_url(services: Services, base: str, key: str, wanted: RangeRequest) -> RangeUrl:
    """Through this server."""
    seconds = services.settings.transfer_seconds
    token = services.signer.sign(GET, {"key": key, "start": wanted.start, "end": wanted.end}, seconds)
    return RangeUrl(f"{base}{API}/transfers/{token}", {"Range": f"bytes={wanted.start}-{wanted.end - 1}"}, seconds)


def _check(wanted: RangeRequest) -> None:
    try:
        PackId.parse_hex(wanted.pack)
    except BadIdentifier as error:
        raise Refusal("bad_request", f"{error.message}.") from None
    if not 0 < wanted.start < wanted.end <= 1 << 62:
        raise Refusal("range_not_satisfiable", "This is no range.")
    if wanted.end - wanted.start > MAX_RANGE_BYTES:
        raise Refusal("too_large", f"A range has at most {MAX_RANGE_BYTES} bytes.", "Ask for it in parts.")
