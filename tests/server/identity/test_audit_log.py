"""The audit log: what is noted, who may read which part of it, and that nobody can change or flood it."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.exc import DBAPIError

from lepton_server import backends
from lepton_server.backends import open_database
from lepton_server.database.tables import audit as rows
from lepton_server.identity import audit_log
from lepton_server.identity.accounts import operator
from lepton_server.identity.authentication import FailedLogins
from lepton_server.settings import ServerSettings
from tests.server.conftest import BOTH_DATABASES
from tests.server.everybody import bearer
from tests.support.running_server import RunningServer

R = "/api/v1/repositories"


@pytest.fixture
def own(request: pytest.FixtureRequest) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in request.node.name).strip("-")[:80].lower()


def log(client: httpx.Client, path: str = "/api/v1/audit", **wanted: Any) -> list[dict[str, Any]]:
    """All rows, page by page."""
    found: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        reply = client.get(path, params={**wanted, "after": after, "limit": 7})
        assert reply.status_code == 200, reply.text
        found += reply.json()["rows"]
        after = reply.json()["next"]
    return found


def test_rows_are_only_ever_added(settings: ServerSettings) -> None:
    database = open_database(settings)
    with database.write() as connection:
        audit_log.note(connection, operator(), "test.note", subject="one")
    for change in (update(rows).values(subject="two"), delete(rows)):
        with pytest.raises(DBAPIError, match="only ever added"), database.write() as connection:
            connection.execute(change)
    with database.read() as connection:
        assert connection.execute(select(rows.c.subject)).scalars().all() == ["one"]
    database.close()


def test_what_fails_is_not_noted(settings: ServerSettings) -> None:
    open_database(settings).close()
    with pytest.raises(ZeroDivisionError), backends.changes(settings) as connection:
        audit_log.note(connection, operator(), "test.note")
        raise ZeroDivisionError
    with backends.changes(settings) as connection:
        assert connection.execute(select(rows.c.id)).all() == []


def test_only_so_many_failed_logins_are_worth_a_row() -> None:
    failed = FailedLogins(addresses=3)
    noted = [address for address in ("a", "a", "b", "a", "c", "d", "e", "a") if failed.worth_noting(address)]
    assert noted == ["a", "b", "c"]


@BOTH_DATABASES
class TestThroughTheServer:
    def test_every_change_says_who_did_what_from_where(self, server: RunningServer, own: str) -> None:
        admin = bearer(server, server.admin_token)
        admin.put(f"/api/v1/accounts/{own}")
        admin.put(f"{R}/admin/{own}")
        admin.put(f"{R}/admin/{own}/grants/{own}", json={"role": "writer"})
        admin.delete(f"{R}/admin/{own}/grants/{own}")
        admin.patch(f"{R}/admin/{own}", json={"visibility": "public"})
        made = admin.post("/api/v1/tokens", json={"label": own, "scopes": ["read"]}).json()
        reply = admin.delete(f"/api/v1/tokens/{made['info']['id']}")
        found = [row for row in log(admin, account="admin") if own in json.dumps(row)]
        actions = [row["action"] for row in found]
        expected = ["account.create", "repository.create", "grant.add", "grant.remove", "repository.visibility"]
        assert actions == [*expected, "token.create", "token.revoke"]
        assert {row["address"] for row in found} == {"127.0.0.1"}
        assert found[-1]["request"] == reply.headers["lepton-request"]
        assert found[0]["token"].startswith("first start #")
        assert made["token"] not in json.dumps(found)

    def test_an_owner_sees_what_was_done_to_his_repository_whatever_it_was_called(self, server: RunningServer, own: str) -> None:
        ann, admin = bearer(server, server.make_user(own)), bearer(server, server.admin_token)
        ann.put(f"{R}/{own}/first")
        ann.post(f"{R}/{own}/first/move", json={"name": "second"})
        ann.put(f"{R}/{own}/first")  # another one, which has the name now
        both = [[row["action"] for row in log(ann, f"{R}/{own}/{name}/audit")] for name in ("second", "first")]
        assert both == [["repository.create", "repository.move"], ["repository.create"]]
        assert [row["action"] for row in log(admin, repository=f"{own}/second")] == both[0]
        assert ann.get("/api/v1/audit").status_code == 403

    def test_search(self, server: RunningServer, own: str) -> None:
        admin = bearer(server, server.admin_token)
        for number in range(9):
            admin.put(f"{R}/admin/{own}-{number}")
        created = log(admin, action="repository.create")
        assert len([row for row in created if own in row["repository"]]) == 9
        assert created == [row for row in log(admin, action="repository") if row["action"] == "repository.create"]
        assert log(admin, action="repo") == log(admin, account="no-such") == []
        middle = created[len(created) // 2]["at"]
        earlier, later = log(admin, until=middle), log(admin, since=middle)
        assert all(row["at"] < middle for row in earlier) and all(row["at"] >= middle for row in later)
        assert len(earlier) + len(later) == len(log(admin))
        for wrong in ({"limit": 0}, {"limit": 10_000}, {"after": -1}, {"since": "soon"}, {"after": 1 << 60}):
            assert admin.get("/api/v1/audit", params=wrong).status_code == 400

    def test_a_failed_login_is_noted_once_a_minute(self, server: RunningServer) -> None:
        for _ in range(5):
            assert bearer(server, "lpt_wrong").get("/api/v1/account").status_code == 401
        found = log(bearer(server, server.admin_token), action="login")
        assert [(row["action"], row["account"], row["address"]) for row in found] == [("login.fail", "", "127.0.0.1")]
        assert "lpt_wrong" not in json.dumps(found) + server.log.read_text()
