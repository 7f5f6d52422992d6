"""What is done for a client ends when that leaves, and what it waits for is not begun."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from starlette.types import Message

from lepton_server.errors import Refusal
from lepton_server.git.bare_repositories import create_bare
from lepton_server.git.client_departure import ClientGone, on_a_leash, while_there
from lepton_server.git.http_backend import LONGEST_PUSH, BackendResponse, Handling, body_of
from lepton_server.git.program import Git
from lepton_server.git_bounds import Leash

GONE: Message = {"type": "http.disconnect"}


class Client:
    """Says all that it has to say, and leaves when it is told to."""

    def __init__(self, *messages: Message) -> None:
        self._messages = list(messages)
        self.leaves = asyncio.Event()

    async def receive(self) -> Message:
        if self._messages:
            return self._messages.pop(0)
        await self.leaves.wait()
        return GONE


async def nobody_hears(message: Message) -> None:
    raise AssertionError(message)


def test_work_is_done_for_who_stays_and_cancelled_for_who_leaves() -> None:
    async def story() -> None:
        client, began, cancelled = Client(), asyncio.Event(), []

        async def quick() -> str:
            return "done"

        async def endless() -> None:
            began.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(True)
                raise

        assert await while_there(client.receive, quick()) == "done"
        working = asyncio.create_task(while_there(client.receive, endless()))
        await began.wait()
        client.leaves.set()
        with pytest.raises(ClientGone):
            await working
        assert cancelled

    asyncio.run(story())


def test_git_ends_with_the_client_that_it_works_for(tmp_path: Path) -> None:
    """As for a fork, or the branches of a bill: blocking work that waits for git."""
    create_bare(tmp_path / "r.git")
    endless = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], stdout=subprocess.PIPE)
    assert endless.stdout is not None
    nothing_yet = endless.stdout

    async def story() -> None:
        client = Client()

        def work(leash: Leash) -> bytes:
            git = Git(tmp_path / "r.git", leash=leash)
            with git.stream("cat-file", "--batch", stdin=nothing_yet) as output, leash.stepping_back():
                asyncio.run_coroutine_threadsafe(leave(), loop)
                return output.read()

        async def leave() -> None:
            client.leaves.set()

        loop = asyncio.get_running_loop()
        with pytest.raises(Refusal) as refused:
            await on_a_leash(client.receive, work)
        assert refused.value.code == "unavailable"

    with nothing_yet:
        asyncio.run(story())
    endless.kill()
    endless.wait()


def test_no_git_is_started_for_a_client_that_left_while_it_waited_for_its_turn() -> None:
    async def story() -> None:
        client, waiting, left = Client({"type": "http.request", "body": b"push"}), asyncio.Event(), []

        @asynccontextmanager
        async def never() -> AsyncIterator[None]:
            waiting.set()
            try:
                await asyncio.Event().wait()
            finally:
                left.append(True)
            yield

        response = BackendResponse({"PATH": "/nowhere"}, Handling(turn=never))
        answering = asyncio.create_task(response({}, client.receive, nobody_hears))
        await waiting.wait()
        client.leaves.set()
        await answering
        assert left

    asyncio.run(story())


def test_of_a_long_request_git_gets_no_more_than_it_may_need() -> None:
    """All of it is heard, for most clients listen only after they have said all."""

    async def story() -> None:
        said: list[Message] = [{"type": "http.request", "body": b"x" * 7, "more_body": more} for more in (True, True, False)]
        client = Client(*said)
        assert [block async for block in body_of(client.receive, 10)] == [b"x" * 7, b"x" * 3, b""]

    asyncio.run(story())
    assert Handling().longest < LONGEST_PUSH  # of a fetch, which anybody may send
