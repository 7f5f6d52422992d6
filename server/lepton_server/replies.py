"""How a request ends that does not succeed: a refusal, or our bug; always with an ErrorReply and the request's name.

Pure ASGI, so that bodies stream through untouched.
"""

from __future__ import annotations

import json
import logging
import secrets

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from git_lepton.errors import CorruptData, LeptonError
from git_lepton.wire.messages import ErrorBody, ErrorReply, to_json
from git_lepton.wire.protocol import API, CAPABILITIES, ERRORS, PROTOCOL_HEADER, PROTOCOL_VERSION, REQUEST_HEADER
from lepton_server.database import is_disk_trouble
from lepton_server.ingest import TooManyRecords
from lepton_server.object_store import StoreFull
from lepton_server.refusals import Refusal, not_found

__all__ = ["Refusal", "RequestFrame", "error_response", "install", "refusal_of"]
_log = logging.getLogger("lepton_server")
_OF_STATUS = {405: "bad_request", **{status: code for code, (status, _) in ERRORS.items()}}
_RETRY_SECONDS = "2"


def error_response(refusal: Refusal, request: str) -> Response:
    status, transient = ERRORS[refusal.code]
    body = ErrorReply(ErrorBody(refusal.code, refusal.message, refusal.hint, request))
    headers = {"Retry-After": _RETRY_SECONDS} if transient else {}
    if status == 401:
        headers["WWW-Authenticate"] = 'Basic realm="lepton"'
    return Response(json.dumps(to_json(body)), status, headers, "application/json")


def refusal_of(error: Exception) -> Refusal | None:
    """What to answer where this was raised; None for our own bugs."""
    match error:
        case Refusal():
            return error
        case StoreFull():
            return Refusal("storage_full", error.message, error.hint)
        case TooManyRecords():
            return Refusal("too_large", f"{error.message.capitalize()}.", error.hint)
        case CorruptData():
            return Refusal("corrupt_data", error.message, error.hint)
        case RequestValidationError():
            return Refusal("bad_request", f"The request is not what the protocol says: {_first_fault(error)}.")
        case HTTPException(status_code=404):
            return not_found()
        case HTTPException():
            return Refusal(_OF_STATUS.get(error.status_code, "bad_request"), f"{error.detail}.")
        case OperationalError() if is_disk_trouble(error):
            return Refusal("storage_full", "The server's disk is full or fails.", "Tell whoever runs the server.")
        case OperationalError() if "locked" in str(error.orig):
            return Refusal("unavailable", "The server's database is busy.", "Try again.")
    return None


def install(app: FastAPI) -> None:
    """Let `app` answer every error as the protocol says."""

    async def answer(request: Request, error: Exception) -> Response:
        refusal = refusal_of(error)
        if refusal is None:
            raise error
        return error_response(refusal, request.scope["lepton_request"])

    for kind in (LeptonError, RequestValidationError, HTTPException, OperationalError):
        app.add_exception_handler(kind, answer)
    app.add_middleware(RequestFrame)


def _first_fault(error: RequestValidationError) -> str:
    fault = error.errors()[0]
    return f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"


class RequestFrame:
    """Around every request: it gets a name, its protocol version is checked, and what nobody foresaw becomes a 500."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        name = scope["lepton_request"] = secrets.token_hex(8)
        begun = False

        async def named(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                message["headers"] = [*message["headers"], (REQUEST_HEADER.lower().encode(), name.encode())]
            await send(message)

        try:
            refusal = _protocol_refusal(scope)
            app = self._app if refusal is None else error_response(refusal, name)
            await app(scope, receive, named)
        except ClientDisconnect:  # nobody is there to read an answer
            return
        except Exception:
            _log.exception("request %s: %s %s failed", name, scope["method"], _told(scope["path"]))
            if begun:
                raise
            bug = Refusal("internal_error", f"The server failed at request {name}.", "Try again; tell whoever runs the server.")
            await error_response(bug, name)(scope, receive, named)


def _told(path: str) -> str:
    """The path without a transfer's token: logs hold no secrets."""
    head, found, _ = path.partition("/transfers/")
    return f"{head}{found}..." if found else path


def _protocol_refusal(scope: Scope) -> Refusal | None:
    if not scope["path"].startswith(API) or scope["path"] == CAPABILITIES:
        return None
    asked = dict(scope["headers"]).get(PROTOCOL_HEADER.lower().encode())
    if asked is None or asked == str(PROTOCOL_VERSION).encode():
        return None
    return Refusal(
        "upgrade_required",
        f"This server speaks protocol version {PROTOCOL_VERSION}, and you asked for {asked.decode('latin-1')[:20]}.",
        "Install a git-lepton that fits this server: pip install --upgrade 'git-lepton>=0.1'",
    )
