"""Rules, evidence, locks and shares as both databases keep them, without a server."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import insert

from lepton_server.database.tables import object_links, objects
from lepton_server.database.transactions import Database
from lepton_server.downloads import shares
from lepton_server.downloads.shares import File, LinkEnded
from lepton_server.errors import Refusal
from lepton_server.identity.accounts import caller_by_id, ensure_account
from lepton_server.identity.caller import Caller
from lepton_server.protection import branch_rules, commit_checks, path_locks
from lepton_server.protection.branch_rules import Rule
from lepton_server.repositories import registry
from lepton_server.repositories.registry import Repository

OID = bytes(range(32))


@pytest.fixture
def ada(database: Database) -> Caller:
    with database.write() as connection:
        return caller_by_id(connection, ensure_account(connection, "ada"))


@pytest.fixture
def repository(database: Database, ada: Caller) -> Repository:
    """Ada's, with one object of 7 bytes."""
    with database.write() as connection:
        made = registry.create(connection, ada, "ada", "m")
        row = {"tenant": made.tenant, "oid": OID, "size": 7, "manifest_digest": OID, "manifest": b""}
        number = connection.execute(insert(objects).values(row).returning(objects.c.id)).scalar_one()
        connection.execute(insert(object_links).values(repository=made.id, oid=OID, object=number, created=0))
    return made


def test_rules(database: Database, ada: Caller, repository: Repository) -> None:
    first, second = Rule("refs/heads/*", "owner", "nobody", ("a", "b/c")), Rule("refs/tags/v*")
    with database.write() as connection:
        branch_rules.set_rule(connection, ada, repository, Rule("refs/heads/*", evidence=("x",)))
        branch_rules.set_rule(connection, None, repository, second)
        branch_rules.set_rule(connection, ada, repository, first)
        assert branch_rules.rules_of(connection, repository) == [first, second]
        assert branch_rules.remove_rule(connection, ada, repository, "refs/heads/*")
        assert not branch_rules.remove_rule(connection, ada, repository, "refs/heads/*")
        for number in range(branch_rules.MAX_RULES - 1):
            branch_rules.set_rule(connection, ada, repository, Rule(f"refs/heads/{number}"))
    with pytest.raises(Refusal, match="has 100 rules"), database.write() as connection:
        branch_rules.set_rule(connection, ada, repository, first)
    with database.read() as connection:
        assert len(branch_rules.rules_of(connection, repository)) == branch_rules.MAX_RULES


def test_the_last_record_of_a_check_counts(database: Database, ada: Caller, repository: Repository) -> None:
    one, two = "1" * 40, "2" * 40
    with database.write() as connection:
        for subject, check, outcome in (
            (one, "eval", "failed"),
            (one, "eval", "passed"),
            (one, "gate", "failed"),
            (two, "eval", "failed"),
        ):
            commit_checks.record(connection, ada, repository, subject, check, outcome, "a\n\tb")
        found = commit_checks.last_outcomes(connection, repository, [one, "3" * 40])
        assert found == {(one, "eval"): "passed", (one, "gate"): "failed"}
        assert [record.outcome for record in commit_checks.records_of(connection, repository, one)] == [
            "failed",
            "passed",
            "failed",
        ]


def test_locks(database: Database, ada: Caller, repository: Repository) -> None:
    longest = "é" * (path_locks.MAX_PATH_BYTES // 2)
    with database.write() as connection:
        bob = caller_by_id(connection, ensure_account(connection, "bob"))
        found = path_locks.lock(connection, ada, repository, longest)
        assert path_locks.lock(connection, ada, repository, longest) == found
        assert path_locks.locks_of(connection, repository) == [found]
    with pytest.raises(Refusal, match="ada has locked"), database.write() as connection:
        path_locks.lock(connection, bob, repository, longest)
    with database.write() as connection:
        path_locks.unlock(connection, bob, repository, found)
        assert path_locks.lock_by_id(connection, repository, found.id) is None


def test_many_take_the_last_download_and_one_gets_it(database: Database, ada: Caller, repository: Repository) -> None:
    with database.write() as connection:
        secret, _, _ = shares.create(connection, ada, repository, "v1", [File("a/b.bin", OID, 7)], 60, 3)
    outcomes: list[bool] = []

    def take() -> None:
        try:
            with database.write() as connection:
                share = shares.opened(connection, secret)
                shares.begin_download(connection, share, shares.file(connection, share, "a/b.bin"), 7)
        except LinkEnded:
            outcomes.append(False)
        else:
            outcomes.append(True)

    _at_once(take, 8)
    assert sorted(outcomes) == [False] * 5 + [True] * 3
    with database.read() as connection:
        listed = shares.of_repository(connection, repository)
        assert [(row.files, row.downloads, row.max_downloads, row.by) for row in listed] == [(1, 3, 3, "ada")]


def test_two_lock_at_once_and_one_has_it(database: Database, ada: Caller, repository: Repository) -> None:
    with database.write() as connection:
        people = [caller_by_id(connection, ensure_account(connection, f"p{number}")) for number in range(6)]
    waiting = list(people)
    outcomes: list[bool] = []

    def take() -> None:
        try:
            with database.write() as connection:
                path_locks.lock(connection, waiting.pop(), repository, "models/a")
        except Refusal:
            outcomes.append(False)
        else:
            outcomes.append(True)

    _at_once(take, len(people))
    assert sorted(outcomes) == [False] * 5 + [True]


def _at_once(work: Callable[[], None], count: int) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
