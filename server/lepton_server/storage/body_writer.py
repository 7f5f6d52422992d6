"""The body of a request, written in large blocks: while one goes to the disk, the next is on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

_BLOCK = 1024 * 1024


class Writable(Protocol):
    """What takes bytes, one block after the other."""

    def write(self, data: bytes, /) -> object: ...


async def write_stream(body: AsyncIterator[bytes], incoming: Writable) -> int:
    """Write a body; how many bytes it had. One block is in memory besides the one being written."""
    loop = asyncio.get_running_loop()
    parts: list[bytes] = []
    held = total = 0
    writing: asyncio.Future[object] | None = None
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
