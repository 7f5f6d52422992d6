"""Shared files: what a share's link gives to whoever has it: a page or a list of its files, and their bytes (docs/wire-protocol.md)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from urllib.parse import quote

import anyio
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from git_lepton.wire.collaboration import SharedFile, SharedFiles
from git_lepton.wire.messages import to_json
from git_lepton.wire.protocol import BINARY, SHARED
from lepton_server.downloads import shares
from lepton_server.downloads.file_stream import ObjectBytes
from lepton_server.downloads.shares import File, LinkEnded, Share
from lepton_server.errors import Refusal
from lepton_server.http.byte_ranges import NoSuchRange, wanted_range
from lepton_server.http.error_responses import error_response
from lepton_server.http.pages import share_page
from lepton_server.http.state import Services, ServicesDep

router = APIRouter(prefix=SHARED, tags=["shared files"])
_MOST_READERS = 256  # of one process, however slow they are
_STALL_SECONDS = 120.0  # in which a reader takes nothing of what waits for them


def prepare(app: FastAPI, services: Services) -> None:
    """Give an application what these routes need."""
    app.state.object_bytes = ObjectBytes(services.database, services.store, services.settings.data)


def close(app: FastAPI) -> None:
    """Let go of it."""
    app.state.object_bytes.close()


@router.head("/{secret}", include_in_schema=False)
@router.get("/{secret}", response_model=SharedFiles)
def index(secret: str, request: Request, services: ServicesDep) -> Response:
    """The files behind a link: a page for browsers, JSON for all others."""
    try:
        with services.database.read() as connection:
            share = shares.opened(connection, secret)
            files = shares.files(connection, share)
    except LinkEnded:
        return _ended(request)
    listed = [SharedFile(file.path, file.oid.hex(), file.size, share.left(file)) for file in files]
    shared = SharedFiles(share.revision, share.expires, listed)
    if _wants_page(request):
        return HTMLResponse(share_page.page(shared, secret), headers=share_page.HEADERS)
    return JSONResponse(to_json(shared), headers={"Vary": "Accept"})


@router.head("/{secret}/{path:path}", include_in_schema=False)
@router.get("/{secret}/{path:path}", response_class=Response)
async def download(secret: str, path: str, request: Request, services: ServicesDep) -> Response:
    """The bytes of a file, whole or from where an earlier download broke off. Only what begins at byte 0 counts as a download."""
    try:
        share, file = await run_in_threadpool(_opened, services, secret, path)
        etag = f'"{file.oid.hex()}"'
        head = {"ETag": etag, "Accept-Ranges": "bytes", "Content-Disposition": _disposition(file)}
        try:
            part = wanted_range(request.headers.get("range"), request.headers.get("if-range"), etag, file.size)
        except NoSuchRange:
            return Response(None, 416, {"Content-Range": f"bytes */{file.size}"})
        start, end = part or (0, file.size)
        head["Content-Length"] = str(end - start)
        if request.method == "HEAD":
            return Response(None, 200, {**head, "Content-Length": str(file.size)}, BINARY)
        rebuilt: ObjectBytes = request.app.state.object_bytes
        if rebuilt.readers >= _MOST_READERS:
            raise Refusal("too_many_requests", "Too many downloads are running.", "Try again in a while.")
        await run_in_threadpool(_admit, services, share, file, start, end)
    except LinkEnded:
        return _ended(request)
    if part:
        head["Content-Range"] = f"bytes {start}-{end - 1}/{file.size}"
    answer = _Download(rebuilt.blocks(share.repository, file.oid, start, end), 206 if part else 200, head, BINARY)
    answer.ended = partial(_settle, services, share, file, end - start)
    return answer


class _Download(StreamingResponse):
    """A download that ends when its reader takes nothing for too long, since others could use what it holds here. `ended` is told how many
    bytes went out, or may have."""

    ended: Callable[[int], None]
    sent = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            with anyio.CancelScope(shield=True):  # the reader may have gone
                await run_in_threadpool(self.ended, self.sent)

    async def stream_response(self, send: Send) -> None:
        async def patient(message: Message) -> None:
            self.sent += len(message.get("body", b""))
            try:
                async with asyncio.timeout(_STALL_SECONDS):
                    await send(message)
            except TimeoutError:
                raise ClientDisconnect from None

        await super().stream_response(patient)


def _opened(services: Services, secret: str, path: str) -> tuple[Share, File]:
    with services.database.read() as connection:
        share = shares.opened(connection, secret)
        return share, shares.file(connection, share, path)


def _admit(services: Services, share: Share, file: File, start: int, end: int) -> None:
    with services.database.write() as connection:
        admit = shares.begin_download if start == 0 else shares.continue_download
        admit(connection, share, file, end - start)


def _settle(services: Services, share: Share, file: File, length: int, sent: int) -> None:
    if sent < length:
        with services.database.write() as connection:
            shares.give_back(connection, share, file, length - sent)


def _disposition(file: File) -> str:
    return f"attachment; filename*=UTF-8''{quote(file.path.rpartition('/')[2], safe='')}"


def _wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


def _ended(request: Request) -> Response:
    """One answer for a link that never was and for one that is no more, so that nobody can tell them apart."""
    if _wants_page(request):
        return HTMLResponse(share_page.ended(), 404, share_page.HEADERS)
    return error_response(Refusal("not_found", share_page.ENDED, share_page.ENDED_HINT), request.scope["lepton_request"])
