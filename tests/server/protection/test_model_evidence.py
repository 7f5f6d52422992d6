"""Records about versions of models as both databases keep them, without a server."""

from __future__ import annotations

from dataclasses import replace

import pytest

from git_lepton.evidence.record import Metric, Record, Waiver, record_name
from lepton_server.database.transactions import Database
from lepton_server.errors import Refusal
from lepton_server.identity.accounts import caller_by_id, ensure_account
from lepton_server.identity.caller import Caller
from lepton_server.protection import commit_checks, model_evidence
from lepton_server.protection.accepted_versions import note_accepted, was_accepted
from lepton_server.protection.evidence_runs import TooMuchEvidence, runs_of
from lepton_server.repositories import quotas, registry
from lepton_server.repositories.registry import Repository

MODEL, OTHER, EVALUATION, ANOTHER = "1" * 64, "2" * 64, "3" * 64, "4" * 64
RUN = Record(
    "m", MODEL, "eval", EVALUATION, {"accuracy": Metric(0.5)}, environment={"device": "cpu"}, made="2026-12-01T12:00:00Z"
)


@pytest.fixture
def ada(database: Database) -> Caller:
    with database.write() as connection:
        return caller_by_id(connection, ensure_account(connection, "ada"))


@pytest.fixture
def robot(database: Database) -> Caller:
    with database.write() as connection:
        found = caller_by_id(connection, ensure_account(connection, "robot"))
    return replace(found, scopes=frozenset({"read", "evidence"}))


@pytest.fixture
def repository(database: Database, ada: Caller) -> Repository:
    with database.write() as connection:
        return registry.create(connection, ada, "ada", "m")


def keep(database: Database, by: Caller, repository: Repository, record: Record | Waiver) -> bool:
    data = record.encode()
    with database.write() as connection:
        return model_evidence.keep(connection, by, repository, data, record, model_evidence.trust_of(by))


def test_a_record_is_kept_once_and_trusted_as_far_as_who_vouches(
    database: Database, ada: Caller, robot: Caller, repository: Repository
) -> None:
    name = record_name(RUN.encode())
    assert keep(database, ada, repository, RUN)
    assert not keep(database, ada, repository, RUN)
    seen = []
    for by in (None, robot, ada):  # ada's word after the robot's changes nothing
        if by:
            assert not keep(database, by, repository, RUN)
        with database.read() as connection:
            [found] = model_evidence.find(connection, repository, [MODEL], []).records
            assert model_evidence.read(connection, repository, name) == RUN.encode()
        seen.append((found.trust, found.by))
        assert (found.name, found.model, found.evaluation) == (name, MODEL, EVALUATION)
    assert seen == [("self", "ada"), ("ci", "robot"), ("ci", "robot")]


def test_what_is_asked_for_is_found_in_this_repository_alone(database: Database, ada: Caller, repository: Repository) -> None:
    with database.write() as connection:
        elsewhere = registry.create(connection, ada, "ada", "other")
    second = replace(RUN, model_digest=OTHER, evaluation_digest=ANOTHER, evaluation="more")
    for where, record in ((repository, RUN), (repository, second), (elsewhere, replace(RUN, seconds=9))):
        assert keep(database, ada, where, record)
    names = [record_name(record.encode()) for record in (RUN, second)]
    with database.read() as connection:
        both = model_evidence.find(connection, repository, [MODEL, OTHER], [])
        assert [found.name for found in both.records] == names and both.next is None
        assert [found.name for found in model_evidence.find(connection, repository, [MODEL, OTHER], [ANOTHER]).records] == names[
            1:
        ]
        assert model_evidence.find(connection, repository, [ANOTHER], []).records == []
        with pytest.raises(Refusal, match="no such thing"):
            model_evidence.read(connection, elsewhere, names[0])
        [told] = model_evidence.listed(connection, repository, MODEL)
        assert (told.check, told.outcome, told.detail, told.by) == ("eval", "recorded", "accuracy 0.5", "ada")
        assert runs_of(connection, elsewhere, [OTHER], [ANOTHER]) == {}


def test_a_long_answer_says_how_to_go_on(
    database: Database, ada: Caller, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_evidence, "MAX_FOUND", 2)
    for seconds in range(5):
        keep(database, ada, repository, replace(RUN, seconds=seconds))
    names, after, pages = [], 0, 0
    with database.read() as connection:
        while after is not None:
            page = model_evidence.find(connection, repository, [MODEL], [], after)
            names += [found.name for found in page.records]
            after, pages = page.next, pages + 1
    assert names == [record_name(replace(RUN, seconds=seconds).encode()) for seconds in range(5)] and pages == 3


def test_runs_are_those_of_a_pair_that_are_trusted_enough(
    database: Database, ada: Caller, robot: Caller, repository: Repository
) -> None:
    second = replace(RUN, seconds=1)
    keep(database, ada, repository, RUN)
    keep(database, robot, repository, second)
    waiver = Waiver("m", MODEL, "eval", EVALUATION, "eval.accuracy", "because", "refs/heads/main", made=RUN.made)
    keep(database, ada, repository, waiver)
    with database.read() as connection:
        found = runs_of(connection, repository, [MODEL, OTHER], [EVALUATION])
        assert {pair: [(run.record, run.trust) for run in runs] for pair, runs in found.items()} == {
            (MODEL, EVALUATION): [(RUN, "self"), (second, "ci")]
        }
        trusted = runs_of(connection, repository, [MODEL], [EVALUATION], "ci")
        assert [run.record for run in trusted[MODEL, EVALUATION]] == [second]
        with pytest.raises(TooMuchEvidence):
            runs_of(connection, repository, [MODEL], [EVALUATION], most_bytes=len(RUN.encode()))


def test_only_so_many_are_kept_and_a_quota_counts_them(
    database: Database, ada: Caller, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_evidence, "MAX_RECORDS", 1)
    keep(database, ada, repository, RUN)
    with pytest.raises(Refusal, match="There are 1 records"):
        keep(database, ada, repository, replace(RUN, seconds=1))
    size = len(RUN.encode())
    with database.write() as connection:
        quotas.set_for_repository(connection, repository, size + 10)
        assert quotas.of_repository(connection, repository).used == size
    with pytest.raises(Refusal) as caught:
        keep(database, ada, repository, replace(RUN, model_digest=OTHER))
    assert caught.value.code == "quota_exceeded"
    with database.read() as connection:
        assert model_evidence.find(connection, repository, [OTHER], []).records == []
        assert quotas.of_repository(connection, repository).used == size


def test_bytes_are_what_their_name_says_and_no_waiver(ada: Caller) -> None:
    data = RUN.encode()
    assert model_evidence.checked(record_name(data), data) == RUN
    with pytest.raises(Refusal, match="not the record of that name"):
        model_evidence.checked("0" * 64, data)
    for bad in (b"{}", b"[" * 5000, data + b"\n"):
        with pytest.raises(Refusal, match="no evidence"):
            model_evidence.checked(record_name(bad), bad)
    long = replace(RUN, model="m" * 300).encode()
    with pytest.raises(Refusal, match="name of a model"):
        model_evidence.checked(record_name(long), long)
    waiver = Waiver("m", MODEL, "eval", EVALUATION, "eval.accuracy", "because", "refs/heads/main", made=RUN.made).encode()
    with pytest.raises(Refusal, match="only with the push"):
        model_evidence.checked(record_name(waiver), waiver)
    assert model_evidence.trust_of(ada) == "self"
    assert model_evidence.trust_of(replace(ada, scopes=frozenset({"evidence"}))) == "ci"


def test_a_record_of_a_version_is_no_check_of_a_commit(database: Database, ada: Caller, repository: Repository) -> None:
    keep(database, ada, repository, RUN)
    with database.write() as connection:
        commit_checks.record(connection, ada, repository, "1" * 40, "eval", "failed", "")
        assert commit_checks.last_outcomes(connection, repository, ["1" * 40]) == {("1" * 40, "eval"): "failed"}
        assert [record.outcome for record in commit_checks.records_of(connection, repository, "1" * 40)] == ["failed"]


def test_versions_that_a_ref_had(database: Database, ada: Caller, repository: Repository) -> None:
    with database.write() as connection:
        for _ in range(2):
            note_accepted(connection, ada, repository, "refs/heads/main", [("m", MODEL)])
        assert was_accepted(connection, repository, "refs/heads/main", MODEL)
        assert not was_accepted(connection, repository, "refs/heads/other", MODEL)
        assert not was_accepted(connection, repository, "refs/heads/main", OTHER)
