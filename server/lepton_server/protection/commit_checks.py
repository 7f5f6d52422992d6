"""Evidence: records of what checks said of commits. They are only ever added; of one check on one commit the last one counts.

A record is of exactly one commit. A commit that differs in anything, its message included, needs records of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from sqlalchemy import Connection, insert, select

from git_lepton.wire.collaboration import EvidenceRecord
from lepton_server.database.tables import accounts, evidence
from lepton_server.database.transactions import clock, in_batches
from lepton_server.errors import Refusal
from lepton_server.identity import audit_log
from lepton_server.identity.caller import Caller
from lepton_server.protection.branch_rules import check_name
from lepton_server.repositories.registry import Repository

OUTCOMES = ("passed", "failed")
MAX_DETAIL = 10_000  # characters
_COMMIT = re.compile(r"[0-9a-f]{40}")
_MOST_LISTED = 1_000


def record(
    connection: Connection, by: Caller, repository: Repository, subject: str, check: str, outcome: str, detail: str
) -> EvidenceRecord:
    """Add a record. Raises Refusal (bad_request)."""
    commit_name(subject)
    check_name(check)
    if outcome not in OUTCOMES:
        raise Refusal("bad_request", f"{outcome[:100]!r} is no outcome of a check.", f"Write {' or '.join(OUTCOMES)}.")
    if len(detail) > MAX_DETAIL or not _is_text(detail):
        raise Refusal(
            "bad_request", "The detail of this record is no text that can be kept.", f"Write at most {MAX_DETAIL} characters."
        )
    made = EvidenceRecord(subject, check, outcome, detail, by.name, clock(connection))
    row = {"repository": repository.id, "subject": subject, "check": check, "outcome": outcome, "detail": detail}
    connection.execute(insert(evidence).values(row | {"account": by.account, "created": made.at}))
    audit_log.note(
        connection, by, "evidence.record", repository=repository.full_name, subject=subject, check=check, outcome=outcome
    )
    return made


def records_of(connection: Connection, repository: Repository, subject: str) -> list[EvidenceRecord]:
    """The records of one commit, the last first; of very many the last 1,000. Raises Refusal (bad_request)."""
    commit_name(subject)
    of = (evidence.c.repository == repository.id) & (evidence.c.subject == subject)
    columns = evidence.c.subject, evidence.c.check, evidence.c.outcome, evidence.c.detail, accounts.c.name, evidence.c.created
    query = select(*columns).join(accounts, accounts.c.id == evidence.c.account).where(of)
    rows = connection.execute(query.order_by(evidence.c.id.desc()).limit(_MOST_LISTED))
    return [EvidenceRecord(*row) for row in rows]


def last_outcomes(connection: Connection, repository: Repository, commits: Iterable[str]) -> dict[tuple[str, str], str]:
    """(Commit, check) -> outcome of the last record, for those that have one."""
    found: dict[tuple[str, str], str] = {}
    columns = evidence.c.subject, evidence.c.check, evidence.c.outcome
    query = select(*columns).where(evidence.c.repository == repository.id).order_by(evidence.c.id)
    for batch in in_batches(commits):
        rows = connection.execute(query.where(evidence.c.subject.in_(batch)))
        found |= {(subject, check): outcome for subject, check, outcome in rows}
    return found


def commit_name(text: str) -> str:
    """The whole object name of a commit, as it is. Raises Refusal (bad_request)."""
    if not _COMMIT.fullmatch(text):
        raise Refusal(
            "bad_request", f"{text[:100]!r} is not the whole name of a commit.", "Write all 40 digits: git rev-parse HEAD"
        )
    return text


def _is_text(detail: str) -> bool:
    return all(letter.isprintable() or letter in "\t\n" for letter in detail)
