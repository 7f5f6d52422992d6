"""The runs that gates are judged by: the records that are kept about some versions, read and parsed, in bounded memory."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, func, select

from git_lepton.errors import WrongUse
from git_lepton.evidence.pooling import TRUST, Run
from git_lepton.evidence.record import Record, parse_record
from lepton_server.database.tables import evidence
from lepton_server.protection.model_evidence import EVALUATION
from lepton_server.repositories.registry import Repository

MAX_BYTES = 32 << 20  # of records; parsed they take several times that
_AT_ONCE = 4
Runs = dict[tuple[str, str], list[Run]]


class TooMuchEvidence(WrongUse):
    """There is more evidence than one judgement reads. All runs count together, so none is left out."""


def runs_of(
    connection: Connection,
    repository: Repository,
    model_digests: Collection[str],
    evaluation_digests: Collection[str],
    trust: str = "self",
    most_bytes: int = MAX_BYTES,
) -> Runs:
    """The runs of these evaluations on these versions, both in hex, that are trusted at least so far, by (model digest, evaluation
    digest) and in the order in which they came; a pair without any is not there. Raises TooMuchEvidence."""
    of = (evidence.c.repository == repository.id) & evidence.c.subject.in_(sorted(set(model_digests)))
    by = evidence.c.evaluation.in_(sorted({bytes.fromhex(found) for found in evaluation_digests}))
    wanted = of & by & (evidence.c.kind == EVALUATION) & evidence.c.trust.in_(TRUST[TRUST.index(trust) :])
    size = int(connection.execute(select(func.sum(func.length(evidence.c.record))).where(wanted)).scalar_one() or 0)
    if size > most_bytes:
        raise TooMuchEvidence(
            f"the evidence for this takes {size} bytes, and {most_bytes} are read at once",
            "Change fewer models in one push, or have the evaluation keep fewer scores.",
        )
    columns = evidence.c.record_name, evidence.c.record, evidence.c.trust
    query = select(*columns).where(wanted).order_by(evidence.c.id).execution_options(yield_per=_AT_ONCE)
    found: Runs = {}
    for name, data, trusted in connection.execute(query):
        record = parse_record(bytes(data))
        assert isinstance(record, Record)  # by its kind
        found.setdefault(record.key, []).append(Run(name.hex(), record, trusted))
    return found
