"""Rules of branches and tags and evidence, through HTTP and with real pushes of people in every role."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from lepton_server.backends import open_database
from lepton_server.database import tables
from lepton_server.database.tables import audit
from lepton_server.errors import Refusal
from lepton_server.git.program import Git
from lepton_server.git.push_rules import PushRules
from lepton_server.git.refs import RefMove
from lepton_server.identity import tokens
from lepton_server.identity.accounts import caller_by_id, known_account
from lepton_server.repositories import registry
from tests.server.teams import Person, own_name, said
from tests.support.git_sandbox import GitSandbox
from tests.support.running_server import RunningServer

pytestmark = [pytest.mark.smoke, pytest.mark.parametrize("place", ["postgres-disk"], indirect=True, scope="module")]
MAIN = "refs/heads/main"
Team = dict[str, Person]


@pytest.fixture(scope="module")
def accounts(server: RunningServer) -> dict[str, str]:
    """Tokens of people who are called as their role."""
    return {role: server.make_user(role) for role in ("reader", "writer", "maintainer", "owner", "outsider")}


@pytest.fixture
def team(
    server: RunningServer, http: httpx.Client, accounts: dict[str, str], request: pytest.FixtureRequest, tmp_path: Path
) -> Team:
    """A repository with one commit on main, and people in every role."""
    repository = f"admin/{own_name(request)}"
    tokens = {"admin": server.admin_token, **accounts}
    everybody = {name: Person(http, name, token, repository) for name, token in tokens.items()}
    work = GitSandbox.create(tmp_path / "work", filter=None, track=None)
    work.commit("first", **{"a.txt": "hello\n"})
    work.git("push", "--quiet", everybody["admin"].url, "main")
    for role in ("reader", "writer", "maintainer", "owner"):
        server.grant(role, role, repository)
    return everybody


@pytest.fixture
def work(team: Team, tmp_path: Path) -> GitSandbox:
    return GitSandbox(tmp_path / "work")


def noted(server: RunningServer, action: str, repository: str) -> list[tuple[str, str, dict[str, str]]]:
    """Account, subject and detail of each note of this kind."""
    database = open_database(server.settings)
    try:
        with database.read() as connection:
            query = select(audit.c.account, audit.c.subject, audit.c.detail).order_by(audit.c.id)
            rows = connection.execute(query.where(audit.c.action == action, audit.c.repository == repository)).all()
    finally:
        database.close()
    return [(account, subject, json.loads(detail)) for account, subject, detail in rows]


def test_rules_are_kept_changed_and_removed(server: RunningServer, team: Team) -> None:
    rule = {"pattern": MAIN, "push": "maintainer", "force": "nobody", "evidence": ["eval", "gate/health"]}
    assert team["maintainer"].ask("PUT", "rules", json=rule).json() == rule
    assert team["owner"].ask("PUT", "rules", json=rule | {"evidence": []}).status_code == 200
    assert team["reader"].ask("GET", "rules").json() == {"rules": [rule | {"evidence": []}], "enforced": True}
    assert team["maintainer"].ask("DELETE", "rules", params={"pattern": MAIN}).status_code == 204
    assert team["maintainer"].ask("DELETE", "rules", params={"pattern": MAIN}).status_code == 404
    assert team["reader"].ask("GET", "rules").json() == {"rules": [], "enforced": True}
    notes = noted(server, "rule.set", team["admin"].repository)
    assert [subject for _, subject, _ in notes] == [MAIN, MAIN]


def test_who_may_change_rules(team: Team) -> None:
    for role, status in ("outsider", 404), ("reader", 403), ("writer", 403):
        assert team[role].ask("PUT", "rules", json={"pattern": MAIN}).status_code == status
        assert team[role].ask("DELETE", "rules", params={"pattern": MAIN}).status_code == status
    assert team["outsider"].ask("GET", "rules").status_code == 404
    assert said(team["owner"].ask("PUT", "rules", json={"pattern": "main"}))[0] == 400
    assert said(team["owner"].ask("PUT", "rules", json={"pattern": MAIN, "push": "reader"}))[0] == 400


def test_the_command_of_whoever_runs_the_server(server: RunningServer, team: Team) -> None:
    repository = team["admin"].repository
    made = server.run("rule", "set", repository, "refs/tags/v*", "--force", "nobody", "--evidence", "eval,gate")
    assert made == "refs/tags/v*  push writer  force nobody  evidence eval,gate"
    changed = server.run("rule", "set", repository, "refs/tags/v*", "--push", "owner")  # what is not given stays
    assert changed == "refs/tags/v*  push owner  force nobody  evidence eval,gate"
    assert server.run("rule", "set", repository, "refs/tags/v*", "--evidence", "") == "refs/tags/v*  push owner  force nobody"
    server.run("rule", "set", repository, "refs/tags/v*", "--push", "writer", "--evidence", "eval,gate")
    assert server.run("rule", "list", repository) == "refs/tags/v*  push writer  force nobody  evidence eval,gate"
    server.run("rule", "remove", repository, "refs/tags/v*")
    assert server.run("rule", "list", repository) == ""


def test_who_may_push(server: RunningServer, team: Team, work: GitSandbox) -> None:
    team["owner"].ask("PUT", "rules", json={"pattern": MAIN, "push": "maintainer"})
    work.commit("second", **{"a.txt": "more\n"})
    words = work.stderr("push", team["writer"].url, "main")
    assert f"{MAIN}: only maintainers and above may push to it, and you are a writer here" in words
    work.git("push", "--quiet", team["writer"].url, "main:mine")
    work.git("push", "--quiet", team["maintainer"].url, "main")
    repository = team["admin"].repository
    refused, moved = noted(server, "ref.refused", repository), noted(server, "ref.move", repository)
    assert [(account, subject) for account, subject, _ in refused] == [(team["writer"].name, MAIN)]
    assert "only maintainers" in refused[0][2]["reason"]
    assert [(account, subject) for account, subject, _ in moved] == [
        ("admin", MAIN),
        (team["writer"].name, "refs/heads/mine"),
        (team["maintainer"].name, MAIN),
    ]
    assert moved[-1][2]["new"] == work.head()


def test_nobody_forces_whatever_the_role(team: Team, work: GitSandbox) -> None:
    team["owner"].ask("PUT", "rules", json={"pattern": "refs/heads/*", "force": "nobody"})
    work.commit("second", **{"a.txt": "more\n"})
    work.git("push", "--quiet", team["writer"].url, "main", "main:release")
    work.git("commit", "--quiet", "--amend", "-m", "another second")
    for role in ("writer", "owner", "admin"):
        assert "moves it elsewhere than forward, which nobody may" in work.stderr("push", "--force", team[role].url, "main")
        assert "deletes it, which nobody may" in work.stderr("push", team[role].url, ":release")
    work.git("push", "--quiet", "--force", team["writer"].url, "main:refs/other/one")


def test_a_tag_that_moves_is_forced_even_forward(team: Team, work: GitSandbox) -> None:
    team["owner"].ask("PUT", "rules", json={"pattern": "refs/tags/v*", "force": "owner"})
    work.git("tag", "-a", "-m", "one", "v1")
    work.git("push", "--quiet", team["writer"].url, "v1")
    work.commit("second", **{"a.txt": "more\n"})
    work.git("tag", "-f", "-a", "-m", "two", "v1")
    assert "moves it elsewhere than forward, which only owners and above may" in work.stderr(
        "push", "--force", team["maintainer"].url, "v1"
    )
    work.git("push", "--quiet", "--force", team["owner"].url, "v1")


def test_a_tip_needs_its_evidence(team: Team, work: GitSandbox) -> None:
    team["owner"].ask("PUT", "rules", json={"pattern": "refs/heads/main", "evidence": ["eval"]})
    team["owner"].ask("PUT", "rules", json={"pattern": "refs/tags/*", "evidence": ["eval"]})
    work.commit("second", **{"a.txt": "more\n"})
    work.git("tag", "-a", "-m", "one", "v1")
    writer, tip = team["writer"], work.head()
    assert f"the check eval has not been run for {tip[:12]}" in work.stderr("push", team["admin"].url, "main")
    work.git("push", "--quiet", writer.url, "main:candidate")

    def record(outcome: str, subject: str = tip) -> None:
        body = {"subject": subject, "check": "eval", "outcome": outcome, "detail": "accuracy 0.97"}
        assert writer.ask("POST", "evidence", json=body).status_code == 201

    record("passed", "2" * 40)
    record("failed")
    assert f"the check eval failed for {tip[:12]}" in work.stderr("push", writer.url, "main")
    record("passed")
    work.git("push", "--quiet", writer.url, "main", "v1")
    records = team["reader"].ask("GET", "evidence", params={"subject": tip}).json()["records"]
    assert [record["outcome"] for record in records] == ["passed", "failed"]
    assert records[0]["by"] == writer.name


def test_who_may_vouch(team: Team) -> None:
    body = {"subject": "1" * 40, "check": "eval", "outcome": "passed"}
    for role, status in ("outsider", 404), ("reader", 403), ("writer", 201):
        assert team[role].ask("POST", "evidence", json=body).status_code == status
    for wrong in ({"subject": "HEAD"}, {"check": "a b"}, {"outcome": "perhaps"}, {"detail": "\x1b[2J"}, {"detail": "x" * 20_000}):
        assert said(team["writer"].ask("POST", "evidence", json=body | wrong))[0] == 400


def test_a_token_for_evidence_only_vouches_and_cannot_push(server: RunningServer, team: Team, work: GitSandbox) -> None:
    writer = team["writer"]
    robot = Person(
        writer.http, writer.name, server.run("token", "create", writer.name, "--scopes", "read,evidence"), writer.repository
    )
    body = {"subject": work.head(), "check": "eval", "outcome": "passed"}
    assert robot.ask("POST", "evidence", json=body).status_code == 201
    pusher = Person(
        writer.http, writer.name, server.run("token", "create", writer.name, "--scopes", "read,write"), writer.repository
    )
    assert pusher.ask("POST", "evidence", json=body).status_code == 403
    work.commit("second", **{"a.txt": "more\n"})
    assert "403" in work.stderr("push", robot.url, "main")
    work.git("push", "--quiet", pusher.url, "main")


def test_one_refused_ref_keeps_the_others_back(team: Team, work: GitSandbox) -> None:
    team["owner"].ask("PUT", "rules", json={"pattern": MAIN, "push": "owner"})
    work.commit("second", **{"a.txt": "more\n"})
    work.stderr("push", team["writer"].url, "main", "main:other")
    assert "other" not in work.git("ls-remote", team["writer"].url)


def test_the_role_that_counts_is_that_of_the_moment_when_refs_move(server: RunningServer, team: Team, work: GitSandbox) -> None:
    """Here the pusher has lost the right to write since git let the push begin."""
    database = open_database(server.settings)
    try:
        with database.read() as connection:
            repository = registry.find(connection, *team["admin"].repository.split("/"))
            caller = caller_by_id(connection, known_account(connection, team["reader"].name))
            found = tokens.caller_with(connection, team["writer"].token)
        assert repository is not None
        assert found is not None
        with pytest.raises(Refusal, match="may not write"):
            PushRules(database, repository, caller).refusal(Git(work.folder / ".git"), [RefMove("0" * 40, "1" * 40, MAIN)])
        push = PushRules(database, repository, found[0])
        ended, disabled = tables.tokens.c.id == found[0].token, tables.accounts.c.id == found[0].account
        for table, row, lost in (
            (tables.tokens, ended, {"revoked": 1}),
            (tables.tokens, ended, {"expires": 1}),
            (tables.accounts, disabled, {"disabled": 1}),
        ):
            assert push.refusal(Git(work.folder / ".git"), []) == ""
            with database.write() as connection:
                connection.execute(table.update().where(row).values(lost))
            with pytest.raises(Refusal, match="not valid any longer"):
                push.refusal(Git(work.folder / ".git"), [])
            with database.write() as connection:
                connection.execute(table.update().where(row).values(dict.fromkeys(lost)))
    finally:
        database.close()
