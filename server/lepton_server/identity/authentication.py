"""Authentication of a request: a token as `Bearer`, or as the password of `Basic`. A wrong token is refused, even where none is needed.

Failed log-ins are noted in the audit log, so seldom that nobody can fill it with them.
"""

from __future__ import annotations

import base64
import threading
import time
from contextlib import suppress

from sqlalchemy.exc import OperationalError

from lepton_server.database.transactions import Database
from lepton_server.errors import Refusal
from lepton_server.identity import audit_log, tokens
from lepton_server.identity.caller import DEFAULT_TENANT, NO_SCOPES, Caller
from lepton_server.observability import request_context

_USE_NOTED_EVERY_MS = 3_600_000
_NOBODY = Caller(0, "", DEFAULT_TENANT, admin=False, scopes=NO_SCOPES)  # the default tenant's admins are told of failed log-ins


class FailedLogins:
    """Which failures of this process are noted: of one address one a minute, of all together one a second, about."""

    def __init__(self, seconds: float = 60.0, addresses: int = 60) -> None:
        self._seconds, self._addresses = seconds, addresses
        self._noted: dict[str, float] = {}
        self._lock = threading.Lock()

    def worth_noting(self, address: str) -> bool:
        now = time.monotonic()
        with self._lock:
            self._noted = {known: then for known, then in self._noted.items() if now - then < self._seconds}
            if address in self._noted or len(self._noted) >= self._addresses:
                return False
            self._noted[address] = now
            return True


_failed_logins = FailedLogins()


def caller_of(database: Database, authorization: str) -> Caller:
    """The caller of a request with this header. Raises Refusal (unauthenticated)."""
    token = token_in(authorization)
    with database.read() as connection:
        found = tokens.caller_with(connection, token)
    if found is None:
        _note_failure(database)
        raise unauthenticated("This token is not valid, or no longer.")
    caller, unnoted = found
    if unnoted is None or unnoted > _USE_NOTED_EVERY_MS:
        _note_use(database, caller)
    return caller


def unauthenticated(message: str = "A token is needed here.") -> Refusal:
    return Refusal("unauthenticated", message, "Run `git lepton login`, or set GIT_LEPTON_TOKEN.")


def token_in(authorization: str) -> str:
    """The token of a header, whichever way it comes. Raises Refusal (unauthenticated)."""
    kind, _, value = authorization.partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    if kind.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except ValueError:
            raise unauthenticated("The credentials of this request are not readable.") from None
    raise unauthenticated("This way to authenticate is not known here.")


def _note_use(database: Database, caller: Caller) -> None:
    """Note that the token was used, if the database can be written: a full disk or a busy database turns no reader away."""
    assert caller.token is not None
    with suppress(OperationalError), database.write() as connection:
        tokens.note_use(connection, caller.token)


def _note_failure(database: Database) -> None:
    """Note the failed log-in, if the database can be written; the caller is refused either way."""
    if _failed_logins.worth_noting(request_context.origin.get().address):
        with suppress(OperationalError), database.write() as connection:
            audit_log.note(connection, _NOBODY, "login.fail")
