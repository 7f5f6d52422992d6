"""Former targets of deleted refs, by the audit log: to make a ref again is to move it from there."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection, select

from lepton_server.database.tables import audit
from lepton_server.git.refs import NO_OBJECT
from lepton_server.repositories.registry import Repository


class Deleted(NamedTuple):
    """What a ref named when it was deleted, when that was (milliseconds since 1970), and the name of the account that did it."""

    target: str
    at: int
    by: str


def deleted_since(connection: Connection, repository: Repository, refs: Iterable[str], since: int) -> dict[str, Deleted]:
    """Those of these refs (as the log writes them) whose last move, since that time, was their deletion."""
    moves = (audit.c.repository_id == repository.id) & (audit.c.action == "ref.move") & (audit.c.at >= since)
    found: dict[str, Deleted] = {}
    for ref in refs:
        query = select(audit.c.at, audit.c.account, audit.c.detail).where(moves, audit.c.subject == ref)
        last = connection.execute(query.order_by(audit.c.at.desc(), audit.c.id.desc()).limit(1)).one_or_none()
        detail = json.loads(last.detail) if last else {}
        if last and detail.get("new") == NO_OBJECT:
            found[ref] = Deleted(detail["old"], last.at, last.account)
    return found
