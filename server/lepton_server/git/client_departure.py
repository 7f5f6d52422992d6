"""Work for a client that may leave before it is done: it ends then, with all that git does for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.types import Message, Receive

from lepton_server.errors import Refusal
from lepton_server.git.program import GitFailed
from lepton_server.git_bounds import Leash

T = TypeVar("T")


class ClientGone(Exception):
    """The client closed its connection or sent nothing for too long."""


async def next_message(receive: Receive, stall: float | None) -> Message:
    """What comes next from the client, in so many seconds. Raises ClientGone."""
    try:
        message = await asyncio.wait_for(receive(), stall)
    except TimeoutError as error:
        raise ClientGone from error
    if message["type"] == "http.disconnect":
        raise ClientGone
    return message


async def while_there(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """What the work gives; it is cancelled where the client leaves, all of whose body has been heard. Raises ClientGone then."""
    watching = asyncio.create_task(_left(receive))
    working = asyncio.create_task(work)
    try:
        await asyncio.wait({watching, working}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            await watching
        return await working
    finally:
        for task in (watching, working):
            task.cancel()
        await asyncio.gather(watching, working, return_exceptions=True)


async def on_a_leash(receive: Receive, work: Callable[[Leash], T]) -> T:
    """What this blocking work gives, whose git processes are held by the leash: they end when the client leaves."""
    leash = Leash()

    async def cut() -> None:
        try:
            await _left(receive)
        except ClientGone:
            leash.cut()

    watching = asyncio.create_task(cut())
    try:
        return await run_in_threadpool(work, leash)
    except GitFailed as error:
        if not leash.is_cut:
            raise
        raise Refusal("unavailable", "Whoever asked for it has left.", "Ask again.") from error
    finally:
        watching.cancel()


async def _left(receive: Receive) -> None:
    """Raises ClientGone when that is so."""
    while True:
        await next_message(receive, None)
