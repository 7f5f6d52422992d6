"""Dependencies of routes: the repository of a path, if the caller may do there what the route is for; bodies up to a limit.

What waits for nothing is `async`: it then runs where it is asked for. Everything else gets a thread for each step of each request,
and going there and back takes longer than most of these steps.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

from git_lepton.wire.protocol import BINARY, CODECS_HEADER, DIGEST_BYTES, MAX_DIGESTS, split_digests
from lepton_server.errors import Refusal
from lepton_server.http.state import Services, ServicesDep
from lepton_server.identity.authentication import caller_of, unauthenticated
from lepton_server.identity.caller import Caller
from lepton_server.repositories.permissions import Action, located, require
from lepton_server.repositories.registry import Repository

_BODIES_BYTES = 192 * 1024 * 1024  # of lists of names and manifests, all requests together
_MESSAGE_BYTES = 1024 * 1024  # of JSON; 256 ranges have some 40,000


def _admitted(services: Services, caller: Caller | None, owner: str, name: str, action: Action) -> Repository:
    """The repository, if the caller may do this there. Raises Refusal."""
    with services.database.read() as connection:
        found = located(connection, caller, owner, name)
        require(connection, caller, found, action)
    assert found is not None  # or `require` would have refused
    return found


def _readable(owner: str, name: str, request: Request, services: ServicesDep, caller: OptionalCaller) -> Repository:
    found = _admitted(services, caller, owner, name, Action.READ)
    check_codecs(request, found)
    return found


def _writable(owner: str, name: str, request: Request, services: ServicesDep, caller: RequiredCaller) -> Repository:
    found = _admitted(services, caller, owner, name, Action.WRITE)
    check_codecs(request, found)
    return found


def _allowed(action: Action) -> Callable[..., Repository]:
    def found(owner: str, name: str, services: ServicesDep, caller: RequiredCaller) -> Repository:
        return _admitted(services, caller, owner, name, action)

    return found


ReadableRepository = Annotated[Repository, Depends(_readable)]
WritableRepository = Annotated[Repository, Depends(_writable)]
EvidenceRepository = Annotated[Repository, Depends(_allowed(Action.EVIDENCE))]
MaintainedRepository = Annotated[Repository, Depends(_allowed(Action.MAINTAIN))]
OwnedRepository = Annotated[Repository, Depends(_allowed(Action.OWN))]


def check_codecs(request: Request, repository: Repository) -> None:
    """Raises Refusal (upgrade_required) for a client that says which codecs it knows and lacks one that is allowed here."""
    told = request.headers.get(CODECS_HEADER)
    if told is None:
        return
    known = {part.strip() for part in told.split(",")}
    if lacking := [codec for codec in sorted(repository.codecs) if str(codec) not in known]:
        raise Refusal(
            "upgrade_required",
            f"{repository.full_name} holds weights coded in ways that your git-lepton does not know ({lacking}).",
            "Install a newer one: pip install --upgrade git-lepton",
        )


class MessageRoute(APIRoute):
    """A route that FastAPI reads a JSON message for, before anybody asks who sends it: of a bounded length."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def bounded(request: Request) -> Response:
            return await handle(Request(request.scope, _at_most(_MESSAGE_BYTES, request.receive)))

        return bounded if self.body_field else handle


def _at_most(limit: int, receive: Receive) -> Receive:
    length = 0

    async def counted() -> Message:
        nonlocal length
        message = await receive()
        length += len(message.get("body", b""))
        if length > limit:  # FastAPI lets no other kind of error out of here
            raise HTTPException(413, f"This message has more than {limit} bytes")
        return message

    return counted


class _Held:
    """How many bytes of bodies this process keeps, of all requests together."""

    total = 0


def limited_body(most: Callable[[ServicesDep], int]) -> Callable[..., AsyncIterator[bytes]]:
    """A dependency that reads a body of at most so many bytes, if memory has room for it beside the bodies of others."""

    async def read(request: Request, services: ServicesDep) -> AsyncIterator[bytes]:
        limit = most(services)
        parts: list[bytes] = []
        length = 0
        try:
            async for part in request.stream():
                length += len(part)
                _Held.total += len(part)
                if length > limit:
                    raise Refusal("too_large", f"This body has more than {limit} bytes.", "Send it in smaller parts.")
                if _Held.total > _BODIES_BYTES:
                    raise Refusal("too_many_requests", "Too many large requests come in at once.", "Try again.")
                parts.append(part)
            body = b"".join(parts)
            parts.clear()
            yield body
        finally:
            _Held.total -= length

    return read


def names_body(most: int = MAX_DIGESTS) -> Any:
    """A dependency that reads a list of at most so many names of content."""

    async def names(body: Annotated[bytes, Depends(limited_body(lambda _: MAX_DIGESTS * DIGEST_BYTES))]) -> list[bytes]:
        try:
            found = split_digests(body)
        except ValueError as error:
            raise Refusal("bad_request", f"{str(error).capitalize()}.") from None
        if len(found) > most:
            raise Refusal("too_large", f"This request names more than {most} things.", "Ask for fewer at a time.")
        return found

    return Depends(names)


def digests_body() -> Any:
    """A dependency that reads names of content as one run of bytes, as they came: a list of them would take several times the memory."""

    async def digests(body: Annotated[bytes, Depends(limited_body(lambda _: MAX_DIGESTS * DIGEST_BYTES))]) -> bytes:
        if len(body) % DIGEST_BYTES:
            raise Refusal("bad_request", f"A list of names has a multiple of {DIGEST_BYTES} bytes.")
        return body

    return Depends(digests)


def binary_body(what: str) -> dict[str, Any]:
    """For OpenAPI: the request's body is bytes."""
    content = {BINARY: {"schema": {"type": "string", "format": "binary"}}}
    return {"requestBody": {"required": True, "description": what, "content": content}}


def binary_answer(what: str, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """For OpenAPI: the answer's body is bytes."""
    return {status: {"description": what, "content": {BINARY: {"schema": {"type": "string", "format": "binary"}}}}}


def _optional(request: Request, services: ServicesDep) -> Caller | None:
    authorization = request.headers.get("authorization")
    caller = caller_of(services.database, authorization) if authorization else None
    request.state.caller = caller  # for the log, and for the limits of `front`
    return caller


OptionalCaller = Annotated[Caller | None, Depends(_optional)]


async def _required(caller: OptionalCaller) -> Caller:
    if caller is None:
        raise unauthenticated()
    return caller


RequiredCaller = Annotated[Caller, Depends(_required)]
