"""Bytes between socket and object store, in large blocks: while one goes to or from the disk, the next is on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from fastapi.concurrency import contextmanager_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from lepton_server.errors import Refusal
from lepton_server.storage.object_store import ObjectMissing, ObjectStore

_ANOTHER = "Ask for another address; if that gives nothing either, whoever runs the server is to run: lepton-server scrub"


class RangeResponse(Response):
    """206 with the bytes `start` to `end` (exclusive) of what is stored under `key`."""

    def __init__(self, store: ObjectStore, key: str, start: int, end: int) -> None:
        headers = {"Content-Range": f"bytes {start}-{end - 1}/*", "Content-Length": str(end - start)}
        super().__init__(None, 206, headers | {"Cache-Control": "private, no-store"}, "application/octet-stream")
        self._store, self._key, self._start, self._length = store, key, start, end - start

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI calls it so
        try:
            async with contextmanager_in_threadpool(self._store.blocks(self._key, self._start, self._length)) as blocks:
                await self._send_all(blocks, send)
        except ObjectMissing:
            raise Refusal("not_found", "The bytes that this address is for are not here any longer.", _ANOTHER) from None
        await send({"type": "http.response.body", "body": b""})

    async def _send_all(self, blocks: Iterator[bytes], send: Send) -> None:
        loop = asyncio.get_running_loop()
        following = loop.run_in_executor(None, _next, blocks)
        try:
            block = await following  # before anything is said: what cannot be read at all is an error like any other
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            while block:
                following = loop.run_in_executor(None, _next, blocks)
                await send({"type": "http.response.body", "body": block, "more_body": True})
                block = await following
        finally:
            await asyncio.wait([following])


def _next(blocks: Iterator[bytes]) -> bytes:
    return next(blocks, b"")
