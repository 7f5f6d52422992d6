"""The audit log: who did what to which thing, from where. Noted in the transaction that does it, so that neither is without the other.

Rows are only ever added; the database itself refuses to change or drop them.
"""

from __future__ import annotations

import json
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, insert

from lepton_server.database import clock
from lepton_server.tables import audit

if TYPE_CHECKING:
    from lepton_server.accounts import Caller

SERVER = "server"  # who runs commands of lepton-server
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
    """Add a row: `by` (None: whoever runs the server) did `action` (noun.verb) to `subject`, perhaps in `repository` (OWNER/NAME).

    Never a secret in `detail`: it is shown to whoever may read the log.
    """
    here = origin.get()
    row = {
        "at": clock(connection),
        "tenant": by.tenant if by else None,
        "account": by.name if by else SERVER,
        "token": (by.token_label if by else "")[:_LONGEST],
        "address": here.address[:_LONGEST],
        "action": action,
        "repository": repository[:_LONGEST],
        "subject": subject,
        "detail": json.dumps(detail, sort_keys=True),
        "request": here.request,
    }
    connection.execute(insert(audit).values(row))
