"""`git http-backend` behind an ASGI answer: git starts when the request is here whole, in a file, and its answer streams out.

So nothing of an answer is said before the whole question was heard (a proxy that passes bodies on as they come stops doing so when an
answer begins), and no git process waits for a slow client. The process has a group of its own, and all of it ends when the client goes
away: of itself where it is given the seconds for that (a push cleans up only then, and may be moving refs), else by a signal.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import signal
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from git_lepton.errors import LeptonError
from lepton_server.errors import Refusal
from lepton_server.git import push_answer
from lepton_server.git.client_departure import ClientGone, next_message, while_there
from lepton_server.git.program import git_environment, git_program
from lepton_server.git.push_report import PushReport
from lepton_server.git_bounds import (
    FORCED,
    MODEST_AFTER_SECONDS,
    MOST_PUSHED_BYTES,
    UNBOUNDED,
    Bounds,
    signal_group,
    step_back,
)
from lepton_server.storage.body_writer import write_stream

_BLOCK_BYTES = 1 << 16
_STALL_SECONDS = 600.0  # a client that sends nothing, or takes nothing, for so long is gone
_EXIT_SECONDS = 30.0  # from the end of git's answer to the end of git
_END_STEPS, _END_STEP_SECONDS = 60, 0.05  # three seconds to remove lock files
_LONGEST_QUESTION = 128 * 1024 * 1024  # of a fetch: names of refs and commits
LONGEST_PUSH = MOST_PUSHED_BYTES + _LONGEST_QUESTION  # git refuses a pack that is longer, and says why; before it come the refs
_GIT_PROTOCOL = re.compile(r"[A-Za-z0-9=:._-]{1,200}")
_TAIL_BYTES = 4096
_OWN_HEADERS = {"content-length", "connection", "transfer-encoding"}
_log = logging.getLogger(__name__)


class BadBackendAnswer(LeptonError):
    """git http-backend ended without the head of an answer."""


def backend_environment(
    request: Request, repository: Path, service_path: str, settings: Mapping[str, str], pusher: str | None
) -> dict[str, str]:
    """The environment of one CGI call. `service_path` is info/refs, git-upload-pack or git-receive-pack; who has no `pusher`
    name cannot push."""
    environment = git_environment(settings) | {
        "GIT_PROJECT_ROOT": str(repository.parent),
        "PATH_INFO": f"/{repository.name}/{service_path}",
        "GIT_HTTP_EXPORT_ALL": "1",
        "GATEWAY_INTERFACE": "CGI/1.1",
        "REQUEST_METHOD": request.method,
        "QUERY_STRING": f"service={request.query_params['service']}" if request.method == "GET" else "",
        "REMOTE_ADDR": request.client.host if request.client else "",
        "CONTENT_TYPE": request.headers.get("content-type", ""),
    }
    protocol = request.headers.get("git-protocol", "")
    if _GIT_PROTOCOL.fullmatch(protocol):
        environment["GIT_PROTOCOL"] = environment["HTTP_GIT_PROTOCOL"] = protocol
    if request.headers.get("content-encoding") in ("gzip", "x-gzip"):
        environment["HTTP_CONTENT_ENCODING"] = "gzip"
    if pusher:
        environment["REMOTE_USER"] = pusher
    return environment


async def _nothing() -> None:
    """There is nothing to do when git is done."""


async def _taken(_body: IO[bytes]) -> str:
    return ""


@dataclass(frozen=True)
class Handling:
    """What is done around git for one request. It is kept in a nameless file of `folder` (None: where the system has such), and git works
    on it within `bounds`, in a `turn`. `refusal` gives the text for who sends a push that is not taken. What git reports
    of a push goes through `report`. `finished` runs once, when git is done and before the client learns that it is; `client_left` is
    asked how many seconds git may take to end by itself once the client went away. After `modest_after` seconds it steps back.
    Of a request of more than `longest` bytes git gets no more."""

    folder: Path | None = None
    bounds: Bounds = UNBOUNDED
    turn: Callable[[], AbstractAsyncContextManager[None]] = contextlib.nullcontext
    refusal: Callable[[IO[bytes]], Awaitable[str]] = _taken
    report: PushReport | None = None
    finished: Callable[[], Awaitable[None]] = _nothing
    client_left: Callable[[], float] = float
    modest_after: Callable[[], float] = lambda: MODEST_AFTER_SECONDS
    longest: int = _LONGEST_QUESTION


class BackendResponse(Response):
    """The answer of one `git http-backend`."""

    def __init__(self, environment: Mapping[str, str], handling: Handling | None = None) -> None:
        super().__init__()
        self._handling = handling or Handling()
        self._environment = dict(environment) | self._handling.bounds.environment()

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        with tempfile.TemporaryFile(dir=self._handling.folder) as body:
            try:
                size = await write_stream(body_of(receive, self._handling.longest), body)
            except ClientGone:  # nothing has begun
                return
            body.seek(0)
            try:
                if refusal := await self._handling.refusal(body):
                    await _say(send, await run_in_threadpool(_refused_push, body, refusal))
                    return
                async with contextlib.AsyncExitStack() as turn:
                    await while_there(receive, turn.enter_async_context(self._handling.turn()))
                    await self._answer(body if size else DEVNULL, receive, send)
            except ClientGone:  # while it waited: git has not begun
                return
            except Refusal as refused:  # no turn has come
                text = f"lepton: {refused.message}\n{refused.hint}\n"
                await _say(send, await run_in_threadpool(_refused_push, body, text))

    async def _answer(self, body: IO[bytes] | int, receive: Receive, send: Send) -> None:
        handling = self._handling
        command = handling.bounds.command(git_program(), "http-backend")
        process = await asyncio.create_subprocess_exec(
            *command, stdin=body, stdout=PIPE, stderr=PIPE, env=self._environment, start_new_session=True
        )
        modest = asyncio.get_running_loop().call_later(handling.modest_after(), step_back, process.pid)
        complaint = asyncio.create_task(_tail(process))
        conversation = _Conversation(process, receive, send, handling.report)
        try:
            await conversation.hold()
            await _exit_of(process, _EXIT_SECONDS)
        except ClientGone:
            if seconds := handling.client_left():
                await conversation.hang_up(seconds)
                await _exit_of(process, seconds)
        finally:
            modest.cancel()
            if process.returncode is None:  # else it waited for its children, and another group may have its number by now
                await _end(process)
            if said := await complaint:
                _log.warning("git http-backend said: %s", said)
            await handling.finished()
        await conversation.say_goodbye()


def _refused_push(body: IO[bytes], text: str) -> bytes:
    try:
        return push_answer.refused(body, text)
    except push_answer.NoCommands:
        return b""


async def _say(send: Send, answer: bytes) -> None:
    """An answer to a push that git has not seen."""
    headers = [(b"content-type", push_answer.CONTENT_TYPE), (b"cache-control", b"no-cache")]
    with contextlib.suppress(OSError):  # nobody is there to hear it
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


async def body_of(receive: Receive, longest: int) -> AsyncIterator[bytes]:
    """What the client sends. Of more than `longest` bytes the rest is heard and thrown away, since most clients listen only after they
    have said all. Raises ClientGone."""
    room, more = longest, True
    while more:
        message = await next_message(receive, _STALL_SECONDS)
        block = message.get("body", b"")[:room]
        room -= len(block)
        yield block
        more = message.get("more_body", False)


class _Conversation:
    """One git process that answers, and the client that listens."""

    def __init__(self, process: Process, receive: Receive, send: Send, report: PushReport | None) -> None:
        assert process.stdout is not None
        self._report = report
        self._output = process.stdout
        self._receive, self._send = receive, send

    async def hold(self) -> None:
        """Until git has said all. Raises ClientGone."""
        await while_there(self._receive, self._relay())

    async def _relay(self) -> None:
        try:
            head = await self._output.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise BadBackendAnswer("git http-backend ended without an answer", "The server's log says more.") from error
        status, headers = parse_cgi_head(head)
        await self._say({"type": "http.response.start", "status": status, "headers": headers})
        while block := await self._output.read(_BLOCK_BYTES):
            await self._tell(self._report.relayed(block) if self._report else block)
        if self._report:
            await self._tell(self._report.rest())

    async def _tell(self, block: bytes) -> None:
        if block:
            await self._say({"type": "http.response.body", "body": block, "more_body": True})

    async def _say(self, message: Message) -> None:
        try:
            await asyncio.wait_for(self._send(message), _STALL_SECONDS)
        except (OSError, TimeoutError) as error:
            raise ClientGone from error

    async def say_goodbye(self) -> None:
        """The end of the answer."""
        with contextlib.suppress(OSError):  # the client may be gone: git is done all the same
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def hang_up(self, seconds: float) -> None:
        """Throw away what git still says."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while await self._output.read(_BLOCK_BYTES):
                    pass


def parse_cgi_head(head: bytes) -> tuple[int, list[tuple[bytes, bytes]]]:
    """Status (200 if none is given) and headers of a CGI answer, without those that the web server sets itself."""
    status, headers = 200, []
    for line in head.decode("latin-1").split("\r\n"):
        name, colon, value = line.partition(":")
        if name.lower() == "status":
            status = int(value.split()[0])
        elif colon and name.lower() not in _OWN_HEADERS:
            headers.append((name.lower().encode("latin-1"), value.strip().encode("latin-1")))
    return status, headers


async def _tail(process: Process) -> str:
    """The last of what git complained about; reads it all, so that git never waits."""
    assert process.stderr is not None
    tail = b""
    while block := await process.stderr.read(_BLOCK_BYTES):
        tail = (tail + block)[-_TAIL_BYTES:]
    return tail.decode("utf-8", "replace").strip()


async def _exit_of(process: Process, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), seconds)


async def _end(process: Process) -> None:
    """Git and all that it started are gone on return. First politely: it then removes its lock files."""
    for how in signal.SIGTERM, FORCED:
        for _ in range(_END_STEPS):
            if not signal_group(process.pid, how):
                break
            await _exit_of(process, _END_STEP_SECONDS)
            if process.returncode is not None:  # its children may need a moment more
                await asyncio.sleep(_END_STEP_SECONDS)
    await process.wait()
