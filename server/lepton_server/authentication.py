"""Who is asking: a token as `Bearer`, or as the password of `Basic`. A wrong token is refused, even where none is needed."""

from __future__ import annotations

import base64
import hmac
from contextlib import suppress
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import or_, select, update
from sqlalchemy.exc import OperationalError

from lepton_server.accounts import Caller, token_digest
from lepton_server.database import Database, clock
from lepton_server.refusals import Refusal
from lepton_server.services import ServicesDep
from lepton_server.tables import accounts, tokens

__all__ = ["Caller", "OptionalCaller", "RequiredCaller", "caller_of"]
_USE_NOTED_EVERY_MS = 3_600_000


def caller_of(database: Database, authorization: str) -> Caller:
    """The caller of a request with this header. Raises Refusal (unauthenticated)."""
    digest = token_digest(_token(authorization))
    with database.read() as connection:
        now = clock(connection)
        columns = (
            tokens.c.id,
            tokens.c.digest,
            tokens.c.last_used,
            accounts.c.id,
            accounts.c.name,
            accounts.c.tenant,
            accounts.c.admin,
        )
        valid = (tokens.c.digest == digest) & tokens.c.revoked.is_(None) & accounts.c.disabled.is_(None)
        unexpired = or_(tokens.c.expires.is_(None), tokens.c.expires > now)
        query = select(*columns).join(accounts, accounts.c.id == tokens.c.account).where(valid, unexpired)
        row = connection.execute(query).one_or_none()
    if row is None or not hmac.compare_digest(row[1], digest):
        raise unauthenticated("This token is not valid, or no longer.")
    if row[2] is None or now - row[2] > _USE_NOTED_EVERY_MS:
        _note_use(database, row[0])
    return Caller(*row[3:])


def unauthenticated(message: str = "A token is needed here.") -> Refusal:
    return Refusal("unauthenticated", message, "Run `git lepton login`, or set GIT_LEPTON_TOKEN.")


def _token(authorization: str) -> str:
    kind, _, value = authorization.partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    if kind.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except ValueError:
            raise unauthenticated("The credentials of this request are not readable.") from None
    raise unauthenticated("This way to authenticate is not known here.")


def _note_use(database: Database, token: int) -> None:
    """A full disk or a busy database is no reason to turn a reader away."""
    with suppress(OperationalError), database.write() as connection:
        connection.execute(update(tokens).where(tokens.c.id == token).values(last_used=clock(connection)))


def _optional(request: Request, services: ServicesDep) -> Caller | None:
    authorization = request.headers.get("authorization")
    return caller_of(services.database, authorization) if authorization else None


OptionalCaller = Annotated[Caller | None, Depends(_optional)]


def _required(caller: OptionalCaller) -> Caller:
    if caller is None:
        raise unauthenticated()
    return caller


RequiredCaller = Annotated[Caller, Depends(_required)]
