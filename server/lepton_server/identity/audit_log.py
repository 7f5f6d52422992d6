"""The audit log: who did what to which thing, from where. Noted in the transaction that does it, so that neither is without the other.

Rows are only ever added; the database itself refuses to change or drop them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, func, insert, or_, select

from git_lepton.wire.people import AuditRow
from lepton_server.database.tables import accounts, audit, repositories
from lepton_server.database.transactions import clock
from lepton_server.observability.request_context import origin

if TYPE_CHECKING:
    from lepton_server.identity.caller import Caller

SERVER = "server"  # who runs commands of lepton-server; no account may be called so
_LONGEST = 255


def note(
    connection: Connection, by: Caller | None, action: str, *, repository: str = "", subject: str = "", **detail: Any
) -> None:
    """Add a row: `by` (None: whoever runs the server) did `action` (noun.verb) to `subject`, perhaps in `repository` (OWNER/NAME,
    as it is called now).

    Never a secret in `detail`: it is shown to whoever may read the log.
    """
    _add(connection, by, action, repository, _identity(connection, repository), subject, detail)


def note_gone(connection: Connection, by: Caller, action: str, repository: str, repository_id: int) -> None:
    """Add a row on a repository that is gone, by the name and the id that it had: by now another may be called so."""
    _add(connection, by, action, repository, (repository_id, by.tenant), "", {})


def _add(
    connection: Connection,
    by: Caller | None,
    action: str,
    repository: str,
    identity: tuple[int | None, int | None],
    subject: str,
    detail: dict[str, Any],
) -> None:
    source = origin.get()
    repository_id, tenant = identity
    row = {
        "at": clock(connection),
        "tenant": by.tenant if by else tenant,
        "account": by.name if by else SERVER,
        "token": (by.token_label if by else "")[:_LONGEST],
        "address": source.address[:_LONGEST],
        "action": action,
        "repository": repository[:_LONGEST],
        "repository_id": repository_id,
        "subject": subject,
        "detail": json.dumps(detail, sort_keys=True),
        "request": source.request,
    }
    connection.execute(insert(audit).values(row))


def _identity(connection: Connection, repository: str) -> tuple[int | None, int | None]:
    """The ids of a repository, which it keeps whatever it is called, and of its tenant."""
    if not repository:
        return None, None
    owner, _, name = repository.lower().partition("/")
    query = select(repositories.c.id, repositories.c.tenant).join(accounts, accounts.c.id == repositories.c.owner)
    found = connection.execute(query.where(accounts.c.folded == owner, repositories.c.folded == name)).one_or_none()
    return (found[0], found[1]) if found else (None, None)


@dataclass(frozen=True)
class Wanted:
    """Which rows; what is None, or empty, is not asked for. A repository is its number, or the name of one that is no more.
    Times in milliseconds since 1970; `action` may be its first word."""

    tenant: int | None = None
    repository: int | str | None = None
    account: str = ""
    action: str = ""
    since: int | None = None
    until: int | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self.tenant is not None:
            found.append(audit.c.tenant == self.tenant)
        if isinstance(self.repository, int):
            found.append(audit.c.repository_id == self.repository)
        elif self.repository:
            found.append(func.lower(audit.c.repository) == self.repository.lower())
        if self.account:
            found.append(func.lower(audit.c.account) == self.account.lower())
        if self.action:
            found.append(or_(audit.c.action == self.action, audit.c.action.startswith(f"{self.action}.", autoescape=True)))
        if self.since is not None:
            found.append(audit.c.at >= self.since)
        if self.until is not None:
            found.append(audit.c.at < self.until)
        return found


def search(connection: Connection, wanted: Wanted, after: int = 0, limit: int = 100) -> list[AuditRow]:
    """At most `limit` rows, those that were noted after row `after`."""
    query = select(audit).where(audit.c.id > after, *wanted.conditions()).order_by(audit.c.id).limit(limit)
    return [_row(row) for row in connection.execute(query).mappings()]


def _row(row: Any) -> AuditRow:
    values = {name: row[name] for name in AuditRow.__dataclass_fields__ if name != "detail"}
    return AuditRow(**values, detail=json.loads(row["detail"]))
