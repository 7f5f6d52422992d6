"""Evidence of versions of models: records that people and robots bring, kept beside the repository as they were sent.

A record is kept once, whoever brings it how often, and never changed. It is trusted as far as those who brought it: `ci` where one of
them had a token that may vouch and may not push. What a record says of itself there is not believed.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, func, insert, select, update

from git_lepton.errors import LeptonError
from git_lepton.evidence.pooling import TRUST
from git_lepton.evidence.record import Record, Waiver, parse_record
from git_lepton.evidence.tables import check_name
from git_lepton.wire.collaboration import EvidenceRecord
from git_lepton.wire.evidence import MAX_ASKED, MAX_FOUND, FoundEvidence, FoundRecord
from lepton_server.database.tables import accounts, evidence
from lepton_server.database.transactions import clock
from lepton_server.errors import Refusal, not_found
from lepton_server.identity import audit_log
from lepton_server.identity.caller import Caller
from lepton_server.repositories import quotas
from lepton_server.repositories.registry import Repository

MAX_RECORDS = 1_000  # of one evaluation of one version
EVALUATION, WAIVER = "evaluation", "waiver"  # kinds
_SELF, _CI = TRUST
_HEX = re.compile(r"[0-9a-f]{64}")
_MOST_LISTED = 1_000
_MOST_TOLD = 20  # metrics in a sentence
_PARSING = threading.Lock()  # what a record of 8 MiB unfolds to takes some hundred MiB


def digest(text: str) -> bytes:
    """A digest or the name of a record, 32 bytes, from hex. Raises Refusal (bad_request)."""
    if not _HEX.fullmatch(text):
        raise Refusal.bad_request(f"{text[:100]!r} is no digest.", "Write all 64 digits, in lower case.")
    return bytes.fromhex(text)


def trust_of(caller: Caller) -> str:
    """How far what this caller brings is trusted: `ci` where the token may vouch and may not push, which a person's work needs."""
    return _CI if "evidence" in caller.scopes and "write" not in caller.scopes else _SELF


def checked(name: str, data: bytes) -> Record:
    """The record in these bytes, if it is one of an evaluation and has this name. Raises Refusal: corrupt_data, bad_request."""
    if hashlib.sha256(data).digest() != digest(name):
        raise Refusal("corrupt_data", "These bytes are not the record of that name.", "Send it again.")
    found = parsed(data)
    if isinstance(found, Waiver):
        raise Refusal.bad_request("A waiver is taken only with the push that it is for.")
    return found


def parsed(data: bytes) -> Record | Waiver:
    """The record in these bytes, whose names fit into a lepton.toml. Raises Refusal (bad_request)."""
    try:
        with _PARSING:
            found = parse_record(data)
        check_name("a model", found.model)
        check_name("an evaluation", found.evaluation)
    except LeptonError as error:
        raise Refusal.bad_request(f"This is no evidence: {error.message}.", error.hint) from None
    return found


def keep(connection: Connection, by: Caller, repository: Repository, data: bytes, found: Record | Waiver, trust: str) -> bool:
    """Keep a record (`data`, and what is in it), or have it trusted as far as this; whether it is new. Raises Refusal: conflict where
    there are very many of its kind, quota_exceeded."""
    name = hashlib.sha256(data).digest()
    here = (evidence.c.repository == repository.id) & (evidence.c.record_name == name)
    there = connection.execute(select(evidence.c.id, evidence.c.trust).where(here)).one_or_none()
    now = {"trust": trust, "account": by.account, "created": clock(connection)}
    if there is None:
        _check_room(connection, repository, found)
        quotas.add_evidence(connection, repository, len(data))
        row = {"repository": repository.id, "record_name": name, "record": data}
        connection.execute(insert(evidence).values(row | now | _described(found)))
    elif TRUST.index(trust) > TRUST.index(there.trust):
        connection.execute(update(evidence).where(evidence.c.id == there.id).values(now))
    else:
        return False
    detail = {"model": found.model_digest, "evaluation": found.evaluation_digest, "trust": trust}
    audit_log.note(connection, by, "evidence.keep", repository=repository.full_name, subject=name.hex(), **detail)
    return there is None


def trust_in(connection: Connection, repository: Repository, name: str) -> str:
    """How far a record that is kept is trusted. Raises Refusal: bad_request, not_found."""
    here = (evidence.c.repository == repository.id) & (evidence.c.record_name == digest(name))
    found = connection.execute(select(evidence.c.trust).where(here)).scalar_one_or_none()
    if found is None:
        raise not_found()
    return str(found)


def find(
    connection: Connection, repository: Repository, models: Sequence[str], evaluations: Sequence[str], after: int = 0
) -> FoundEvidence:
    """The records of evaluations of these versions, at most 5,000 at a time. Raises Refusal: bad_request, too_large."""
    if max(len(models), len(evaluations)) > MAX_ASKED:
        raise Refusal("too_large", f"This request names more than {MAX_ASKED} digests.", "Ask for fewer at a time.")
    for model in models:
        digest(model)
    by = [digest(evaluation) for evaluation in evaluations]
    of = (evidence.c.repository == repository.id) & evidence.c.subject.in_(models) & (evidence.c.kind == EVALUATION)
    row = evidence.c
    columns = row.id, row.record_name, row.trust, accounts.c.name, row.created, row.subject, row.evaluation, row.environment
    query = select(*columns).join(accounts, accounts.c.id == evidence.c.account).where(of, evidence.c.id > after)
    if by:
        query = query.where(evidence.c.evaluation.in_(by))
    rows = connection.execute(query.order_by(evidence.c.id).limit(MAX_FOUND + 1)).all()
    found = [
        FoundRecord(name.hex(), trust, account, at, model, evaluation.hex(), environment.hex())
        for _, name, trust, account, at, model, evaluation, environment in rows[:MAX_FOUND]
    ]
    return FoundEvidence(found, rows[MAX_FOUND - 1].id if len(rows) > MAX_FOUND else None)


def read(connection: Connection, repository: Repository, name: str) -> bytes:
    """A record as it was sent. Raises Refusal: bad_request, not_found."""
    here = (evidence.c.repository == repository.id) & (evidence.c.record_name == digest(name))
    data = connection.execute(select(evidence.c.record).where(here)).scalar_one_or_none()
    if data is None:
        raise not_found()
    return bytes(data)


def listed(connection: Connection, repository: Repository, model: str) -> list[EvidenceRecord]:
    """What is kept about one version, for people: the last first; of very many the last 1,000. Raises Refusal (bad_request)."""
    digest(model)
    of = (evidence.c.repository == repository.id) & (evidence.c.subject == model)
    columns = evidence.c.subject, evidence.c.check, evidence.c.outcome, evidence.c.detail, accounts.c.name, evidence.c.created
    query = select(*columns).join(accounts, accounts.c.id == evidence.c.account).where(of)
    return [EvidenceRecord(*row) for row in connection.execute(query.order_by(evidence.c.id.desc()).limit(_MOST_LISTED))]


def _check_room(connection: Connection, repository: Repository, found: Record | Waiver) -> None:
    of = (evidence.c.repository == repository.id) & (evidence.c.subject == found.model_digest)
    same = evidence.c.evaluation == bytes.fromhex(found.evaluation_digest)
    if connection.execute(select(func.count()).select_from(evidence).where(of, same)).scalar_one() >= MAX_RECORDS:
        raise Refusal(
            "conflict", f"There are {MAX_RECORDS} records of this evaluation of this version.", "They are enough to judge by."
        )


def _described(found: Record | Waiver) -> dict[str, str | bytes]:
    about: dict[str, str | bytes] = {
        "subject": found.model_digest,
        "check": found.evaluation,
        "model": found.model,
        "evaluation": bytes.fromhex(found.evaluation_digest),
    }
    if isinstance(found, Waiver):
        detail = f"{found.gate} for {found.ref}: {found.reason}"
        return about | {"kind": WAIVER, "outcome": "waived", "detail": detail}
    environment = hashlib.sha256(found.environment_class).digest()
    return about | {"kind": EVALUATION, "outcome": "recorded", "detail": _sentence(found), "environment": environment}


def _sentence(found: Record) -> str:
    """`accuracy 0.97, loss 0.11`"""
    names: Iterable[str] = sorted(found.metrics)[:_MOST_TOLD]
    told = ", ".join(f"{name} {found.metrics[name].value:.6g}" for name in names)
    left = len(found.metrics) - _MOST_TOLD
    return f"{told} and {left} more" if left > 0 else told
