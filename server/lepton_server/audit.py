"""The audit log: who did what to which thing, from where. Noted in the transaction that does it, so that neither is without the other.

Rows are only ever added; the database itself refuses to change or drop them.
"""

from __future__ import annotations

import json
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, insert, select

from lepton_server.database import clock
from lepton_server.tables import accounts, audit, repositories

if TYPE_CHECKING:
    from lepton_server.accounts import Caller

SERVER = "server"  # who runs commands of lepton-server; no account may be called so
_LONGEST = 255


@dataclass(frozen=True)
class Origin:
    """Where a request comes from: the client's address and the request's name. Set around each request."""

    address: str = ""
    request: str = ""


origin: ContextVar[Origin] = ContextVar("origin", default=Origin())  # noqa: B039 (frozen)


def note(
    connection: Connection, by: Caller | None, action: str, *, repository: str = "", subject: str = "", **detail: Any
) -> None:
    """Add a row: `by` (None: whoever runs the server) did `action` (noun.verb) to `subject`, perhaps in `repository` (OWNER/NAME,
    as it is called now).

    Never a secret in `detail`: it is shown to whoever may read the log.
    """
    here = origin.get()
    number, tenant = _identity(connection, repository)
    row = {
        "at": clock(connection),
        "tenant": by.tenant if by else tenant,
        "account": by.name if by else SERVER,
        "token": (by.token_label if by else "")[:_LONGEST],
        "address": here.address[:_LONGEST],
        "action": action,
        "repository": repository[:_LONGEST],
        "repository_id": number,
        "subject": subject,
        "detail": json.dumps(detail, sort_keys=True),
        "request": here.request,
    }
    connection.execute(insert(audit).values(row))


def _identity(connection: Connection, repository: str) -> tuple[int | None, int | None]:
    """The number of a repository, which it keeps whatever it is called, and its tenant's."""
    if not repository:
        return None, None
    owner, _, name = repository.lower().partition("/")
    query = select(repositories.c.id, repositories.c.tenant).join(accounts, accounts.c.id == repositories.c.owner)
    found = connection.execute(query.where(accounts.c.folded == owner, repositories.c.folded == name)).one_or_none()
    return (found[0], found[1]) if found else (None, None)
