"""`git http-backend` behind an ASGI answer: the request streams in and the answer out at the same time, nothing is collected.

The process has a group of its own, and all of it ends when the client goes away: of itself where it is given the seconds for
that (a push cleans up only then, and may be moving refs), else by a signal.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from git_lepton.errors import LeptonError
from lepton_server.git_program import git_environment, git_program

_BLOCK_BYTES = 1 << 16
_STALL_SECONDS = 600.0  # a client that sends nothing for so long is gone
_EXIT_SECONDS = 30.0  # from the end of git's answer to the end of git
_END_STEPS, _END_STEP_SECONDS = 100, 0.05  # five seconds to remove lock files
_POLITE, _FORCED = signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)
_GIT_PROTOCOL = re.compile(r"[A-Za-z0-9=:._-]{1,200}")
_HEAR_SECONDS = 60.0  # for the rest of a body that git no longer wants
_TAIL_BYTES = 4096
_OWN_HEADERS = {"content-length", "connection", "transfer-encoding"}
_log = logging.getLogger(__name__)


class ClientGone(Exception):
    """The client closed its connection or sent nothing for too long."""


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
    length = request.headers.get("content-length", "")
    protocol = request.headers.get("git-protocol", "")
    if length.isascii() and length.isdigit():
        environment["CONTENT_LENGTH"] = length  # a chunked body has none, and git then reads to its end
    if _GIT_PROTOCOL.fullmatch(protocol):
        environment["GIT_PROTOCOL"] = environment["HTTP_GIT_PROTOCOL"] = protocol
    if request.headers.get("content-encoding") in ("gzip", "x-gzip"):
        environment["HTTP_CONTENT_ENCODING"] = "gzip"
    if pusher:
        environment["REMOTE_USER"] = pusher
    return environment


class BackendResponse(Response):
    """The answer of one `git http-backend`. `finished` runs once, when git is done and before the client learns that it is;
    `client_left` is asked how many seconds git may take to end by itself once the client went away."""

    def __init__(
        self,
        environment: Mapping[str, str],
        finished: Callable[[], Awaitable[None]],
        client_left: Callable[[], float] = float,
    ) -> None:
        super().__init__()
        self._environment = dict(environment)
        self._finished = finished
        self._client_left = client_left

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        process = await asyncio.create_subprocess_exec(
            git_program(), "http-backend", stdin=PIPE, stdout=PIPE, stderr=PIPE, env=self._environment, start_new_session=True
        )
        complaint = asyncio.create_task(_tail(process))
        conversation = _Conversation(process, receive, send)
        try:
            await conversation.hold()
            await _exit_of(process, _EXIT_SECONDS)
        except ClientGone:
            if seconds := self._client_left():
                await conversation.hang_up(seconds)
                await _exit_of(process, seconds)
        finally:
            if process.returncode is None:  # else it waited for its children, and another group may have its number by now
                await _end(process)
            if said := await complaint:
                _log.warning("git http-backend said: %s", said)
            await self._finished()
        await conversation.say_goodbye()


class _Conversation:
    """Both directions between one client and one git process."""

    def __init__(self, process: Process, receive: Receive, send: Send) -> None:
        assert process.stdin is not None and process.stdout is not None
        self._input, self._output = process.stdin, process.stdout
        self._receive, self._send = receive, send
        self._heard_all = asyncio.Event()

    async def hold(self) -> None:
        """Until git has said all. Raises ClientGone."""
        feeding = asyncio.create_task(self._feed())
        relaying = asyncio.create_task(self._relay())
        try:
            await asyncio.wait({feeding, relaying}, return_when=asyncio.FIRST_COMPLETED)
            await (relaying if relaying.done() else feeding)
            await self._hear_the_rest(feeding)
        finally:
            for task in (feeding, relaying):
                task.cancel()
            await asyncio.gather(feeding, relaying, return_exceptions=True)

    async def _feed(self) -> None:
        """The request into git, then wait for the client to leave. What git does not want to read any more is thrown away,
        since most clients listen only after they have said all."""
        while not self._heard_all.is_set():
            message = await self._next_message()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                if not self._input.is_closing():
                    self._input.write(message.get("body", b""))
                    await self._input.drain()
            if not message.get("more_body", False):
                self._input.close()
                self._heard_all.set()
        while True:
            await self._next_message(stall=None)

    async def _next_message(self, stall: float | None = _STALL_SECONDS) -> Message:
        try:
            message = await asyncio.wait_for(self._receive(), stall)
        except TimeoutError as error:
            raise ClientGone from error
        if message["type"] == "http.disconnect":
            raise ClientGone
        return message

    async def _hear_the_rest(self, feeding: asyncio.Task[None]) -> None:
        heard = asyncio.create_task(self._heard_all.wait())
        await asyncio.wait({heard, feeding}, timeout=_HEAR_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        heard.cancel()

    async def _relay(self) -> None:
        try:
            head = await self._output.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise BadBackendAnswer("git http-backend ended without an answer", "The server's log says more.") from error
        status, headers = parse_cgi_head(head)
        await self._say({"type": "http.response.start", "status": status, "headers": headers})
        while block := await self._output.read(_BLOCK_BYTES):
            await self._say({"type": "http.response.body", "body": block, "more_body": True})

    async def _say(self, message: Message) -> None:
        try:
            await self._send(message)
        except OSError as error:
            raise ClientGone from error

    async def say_goodbye(self) -> None:
        """The end of the answer."""
        with contextlib.suppress(OSError):  # the client may be gone: git is done all the same
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def hang_up(self, seconds: float) -> None:
        """Tell git that nothing more comes, and throw away what it still says."""
        self._input.close()
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
    for how in _POLITE, _FORCED:
        for _ in range(_END_STEPS):
            if not _signal_group(process, how):
                break
            await _exit_of(process, _END_STEP_SECONDS)
            if process.returncode is not None:  # its children may need a moment more
                await asyncio.sleep(_END_STEP_SECONDS)
    await process.wait()


def _signal_group(process: Process, how: int) -> bool:
    """Whether somebody was there to get the signal."""
    try:
        if os.name == "posix":
            os.killpg(process.pid, how)
        elif process.returncode is None:
            process.send_signal(how)
        return os.name == "posix" or process.returncode is None
    except (ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
        return False
