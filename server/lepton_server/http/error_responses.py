"""Answers to requests that do not succeed: a refusal with a code of the protocol, or our bug; always as an ErrorReply with the
request's name. Which errors are whose fault is decided here, for all routes."""

from __future__ import annotations

import errno
import json
import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DataError, DBAPIError, SQLAlchemyError, StatementError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from git_lepton.errors import CorruptData, LeptonError
from git_lepton.wire.messages import ErrorBody, ErrorReply, to_json
from git_lepton.wire.protocol import ERRORS
from lepton_server.content.pack_reader import TooManyRecords
from lepton_server.database.transactions import is_busy, is_disk_trouble, is_gone
from lepton_server.errors import Refusal, not_found
from lepton_server.storage.object_store import ObjectMissing, StoreFull, StoreTrouble

__all__ = ["Refusal", "error_response", "install", "refusal_of"]
_log = logging.getLogger("lepton_server")
_OF_STATUS = {status: code for code, (status, _) in ERRORS.items()}
_RETRY_SECONDS = 2
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_KINDS = (LeptonError, RequestValidationError, HTTPException, SQLAlchemyError, OverflowError, UnicodeEncodeError, OSError)


def error_response(refusal: Refusal, request: str, retry_seconds: int = _RETRY_SECONDS) -> Response:
    status, transient = ERRORS[refusal.code]
    body = ErrorReply(ErrorBody(refusal.code, refusal.message, refusal.hint, request))
    headers = {"Retry-After": str(retry_seconds)} if transient else {}
    if status == 401:
        headers["WWW-Authenticate"] = 'Basic realm="lepton"'
    return Response(json.dumps(to_json(body)), status, headers, "application/json")


def refusal_of(error: Exception) -> Refusal | None:
    """What to answer where this was raised; None for our own bugs, and for what a store has lost."""
    match error:
        case Refusal():
            return error
        case StoreFull():
            return Refusal("storage_full", error.message, error.hint)
        case ObjectMissing():
            return None
        case StoreTrouble():
            return Refusal("unavailable", "The server's storage does not answer as it should.", "Try again in a while.")
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
        case SQLAlchemyError():
            return _refusal_of_database(error)
        case OverflowError() | UnicodeEncodeError():  # SQLite's driver, of a number or a text that it cannot keep
            return _unkeepable()
        case OSError() if error.errno in _NO_ROOM:
            return _full()
    return None


def _refusal_of_database(error: SQLAlchemyError) -> Refusal | None:
    if isinstance(error, DBAPIError) and is_disk_trouble(error):
        return _full()
    if is_busy(error):
        return Refusal("unavailable", "The server's database is busy.", "Try again.")
    if is_gone(error):
        return Refusal("unavailable", "The server's database does not answer.", "Try again in a while.")
    told = isinstance(error, StatementError) and isinstance(error.orig, OverflowError | UnicodeEncodeError)
    return _unkeepable() if told or isinstance(error, DataError) else None


def _unkeepable() -> Refusal:
    return Refusal("bad_request", "The request holds a text or a number that the server cannot keep.")


def _full() -> Refusal:
    return Refusal("storage_full", "The server's disk is full or fails.", "Tell whoever runs the server.")


def install(app: FastAPI) -> None:
    """Let `app` answer every error as the protocol says."""

    async def answer(request: Request, error: Exception) -> Response:
        refusal = refusal_of(error)
        if refusal is None:
            raise error
        if not isinstance(error, Refusal):
            _note(request, refusal, error)
        response = error_response(refusal, request.scope["lepton_request"])
        if isinstance(error, HTTPException) and error.status_code == 405:
            response.status_code = 405
            response.headers.update(error.headers or {})
        return response

    for kind in _KINDS:
        app.add_exception_handler(kind, answer)


def _note(request: Request, refusal: Refusal, error: Exception) -> None:
    """The log says what the answer keeps to itself: whose fault it is on our side, in one line."""
    if ERRORS[refusal.code][0] < 500 and not isinstance(error, SQLAlchemyError | OverflowError | UnicodeEncodeError):
        return
    cause = getattr(error, "orig", None) or error
    said = " ".join(str(cause).split())[:500]
    _log.warning("request %s: %s: %s: %s", request.scope["lepton_request"], refusal.code, type(cause).__name__, said)


def _first_fault(error: RequestValidationError) -> str:
    fault = error.errors()[0]
    return f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
