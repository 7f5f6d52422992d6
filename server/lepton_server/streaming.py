"""Bytes between socket and object store, in large blocks: while one goes to or from the disk, the next is on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

from fastapi.concurrency import contextmanager_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from lepton_server.object_store import Incoming, ObjectMissing, ObjectStore
from lepton_server.refusals import not_found

_BLOCK = 1024 * 1024


async def write_stream(body: AsyncIterator[bytes], incoming: Incoming) -> int:
    """Write a body; how many bytes it had. One block is in memory besides the one being written."""
    loop = asyncio.get_running_loop()
    parts: list[bytes] = []
    held = total = 0
    writing: asyncio.Future[None] | None = None
    try:
        async for part in body:
            parts.append(part)
            held += len(part)
            if held >= _BLOCK:
                if writing:
                    await writing
                writing = loop.run_in_executor(None, incoming.write, b"".join(parts))
                total += held
                parts, held = [], 0
    finally:
        if writing:
            await asyncio.wait([writing])  # the caller may close the file next
    if writing:
        writing.result()
    if parts:
        await loop.run_in_executor(None, incoming.write, b"".join(parts))
    return total + held


class RangeResponse(Response):
    """206 with the bytes `start` to `end` (exclusive) of what is stored under `key`."""

    def __init__(self, store: ObjectStore, key: str, start: int, end: int) -> None:
        headers = {"Content-Range": f"bytes {start}-{end - 1}/*", "Content-Length": str(end - start)}
        super().__init__(None, 206, headers | {"Cache-Control": "private, no-store"}, "application/octet-stream")
        self._store, self._key, self._start, self._length = store, key, start, end - start

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        try:
            async with contextmanager_in_threadpool(self._store.blocks(self._key, self._start, self._length)) as blocks:
                await self._send_all(blocks, send)
        except ObjectMissing:
            raise not_found() from None
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
