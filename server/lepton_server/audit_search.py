"""The audit log as it is read: rows in the order in which they were noted, by account, repository, action and time."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, or_, select

from git_lepton.wire.people import AuditRow
from lepton_server.repositories import Repository
from lepton_server.tables import audit


@dataclass(frozen=True)
class Wanted:
    """Which rows; what is None, or empty, is not asked for. Times in milliseconds since 1970; `action` may be its first word."""

    tenant: int | None = None
    repository: Repository | str | None = None
    account: str = ""
    action: str = ""
    since: int | None = None
    until: int | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self.tenant is not None:
            found.append(audit.c.tenant == self.tenant)
        if isinstance(self.repository, Repository):
            found.append(audit.c.repository_id == self.repository.id)
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
    told = {name: row[name] for name in AuditRow.__dataclass_fields__ if name != "detail"}
    return AuditRow(**told, detail=json.loads(row["detail"]))
