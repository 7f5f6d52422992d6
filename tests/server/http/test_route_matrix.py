"""Every route of the OpenAPI description, and git's own, asked by everybody: the answer that each may expect.

A new route fails here until a line says who may call it. To an outsider the repository is as absent as one that is not there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from tests.server.conftest import BOTH_DATABASES, PATIENT
from tests.server.everybody import ABSENT, ALL, CAPPED, INSIDERS, OUTSIDERS, OWN, STRANGERS, Everybody
from tests.support.running_server import RunningServer

pytestmark = BOTH_DATABASES
R = "/api/v1/repositories/{owner}/{name}"
ORGANISATION = "/api/v1/organisations/{organisation}"
ROLE = {"reader": 0, "writer": 1, "teamed": 1, "maintainer": 2, "granted": 3, "owner": 3, "admin": 4}
SCOPE = {"reading": {"read"}, "writing": {"write"}, "vouching": {"evidence"}, "limited": {"read", "write", "evidence", "admin"}}
NEEDS = {"read": (0, "read"), "write": (1, "write"), "vouch": (1, "evidence"), "maintain": (2, "admin"), "own": (3, "admin")}


@dataclass(frozen=True)
class Expected:
    """Who may call a route (`whose`), what they then get (`then`), how it is called, and who gets something else."""

    whose: str
    then: int | set[int] = 200
    call: dict[str, Any] = field(default_factory=dict)
    but: dict[str, int] = field(default_factory=dict)

    def status(self, name: str) -> set[int]:
        then = self.then if isinstance(self.then, set) else {self.then}
        if name in self.but:
            return {self.but[name]}
        return _REFUSED.get(self.whose, _of_repository)(self.whose, name) or then


def _of_repository(action: str, name: str) -> set[int]:
    if name in STRANGERS:
        return {401}
    if name in OUTSIDERS:
        return {404}
    least, scope = NEEDS[action]
    allowed = ROLE.get(name, ROLE["owner"]) >= least and scope in SCOPE.get(name, {scope})
    return set() if allowed else {403}


def _of_admin(_: str, name: str) -> set[int]:
    return {401} if name in STRANGERS else set() if name in ("admin", "foreign_admin") else {403}


def _of_organisation(action: str, name: str) -> set[int]:
    """See: owners and members. Change: owners. Who is neither is told what he would be told of none."""
    if name in STRANGERS:
        return {401}
    if name in ("elsewhere", "limited", "writing", "vouching") or (action == "run" and name == "reading"):
        return {403}
    if name in ("owner", "admin", "reading") or (name in ("member", "teamed") and action == "see"):
        return set()
    return {403} if name in ("member", "teamed") else {404}


def _of_account(action: str, name: str) -> set[int]:
    """With a token that is not limited, and has the scope that this takes."""
    if name in STRANGERS:
        return {401}
    scope = {"account-read": "read", "account-admin": "admin"}.get(action)
    capped = scope is not None and (name in ("limited", "elsewhere") or scope not in SCOPE.get(name, {scope}))
    return {403} if capped else set()


_REFUSED = {
    "anybody": lambda _whose, _name: set(),
    "admins": _of_admin,
    "see": _of_organisation,
    "run": _of_organisation,
    "account": _of_account,
    "account-read": _of_account,
    "account-admin": _of_account,
}
NAMES, JSON = {"content": bytes(32)}, "json"
GONE = 410  # the session of the path is none
FORKS = dict.fromkeys(("owner", "admin"), 409) | dict.fromkeys((*INSIDERS[:5], "reading", "limited"), 404)
ROUTES: dict[str, Expected] = {
    "GET /api/v1/capabilities": Expected("anybody"),
    "GET /healthz": Expected("anybody"),
    "GET /readyz": Expected("anybody"),
    "GET /metrics": Expected("admins", but={"foreign_admin": 403}),
    "GET /api/v1/account": Expected("account"),
    "GET /api/v1/accounts": Expected("admins"),
    "GET /api/v1/accounts/{account}": Expected("account-read", 404, but={"admin": 200}),
    "PUT /api/v1/accounts/{account}": Expected("admins", call={JSON: {}}, but={"foreign_admin": 409}),
    "PATCH /api/v1/accounts/{account}": Expected("admins", call={JSON: {"disabled": False}}, but={"foreign_admin": 404}),
    "DELETE /api/v1/accounts/{account}": Expected("account-admin", 404, but={"admin": 400}),  # 400: not said twice
    "POST /api/v1/accounts/{account}/undelete": Expected("admins", 404),
    "GET /api/v1/organisations": Expected("account-read"),
    f"GET {ORGANISATION}/members": Expected("see"),
    f"PUT {ORGANISATION}/members/{{account}}": Expected("run", 204, {JSON: {"role": "member"}}),
    f"DELETE {ORGANISATION}/members/{{account}}": Expected("run", 204),
    f"GET {ORGANISATION}/teams": Expected("see"),
    f"PUT {ORGANISATION}/teams/{{team}}": Expected("run", 204),
    f"DELETE {ORGANISATION}/teams/{{team}}": Expected("run", {204, 404}),
    f"PUT {ORGANISATION}/teams/{{team}}/members/{{account}}": Expected("run", {204, 400, 404}),
    f"DELETE {ORGANISATION}/teams/{{team}}/members/{{account}}": Expected("run", {204, 404}),
    "GET /api/v1/tokens": Expected("account-admin"),
    "POST /api/v1/tokens": Expected("account-admin", 201, {JSON: {"scopes": ["read"], "days": 1}}),
    "DELETE /api/v1/tokens/{token}": Expected("account-admin", 404),
    "POST /api/v1/tokens/{token}/rotate": Expected("account-admin", 404),
    f"GET {R}/access": Expected("maintain"),
    f"GET {R}/bases": Expected("maintain"),
    f"GET {R}/grants": Expected("own"),
    f"PUT {R}/grants/{{account}}": Expected("own", 204, {JSON: {"role": "reader"}}),
    f"DELETE {R}/grants/{{account}}": Expected("own", 204),
    f"PUT {R}/team-grants/{{team}}": Expected("own", {204, 404}, {JSON: {"role": "reader"}}),
    f"DELETE {R}/team-grants/{{team}}": Expected("own", {204, 404}),
    "GET /api/v1/audit": Expected("admins"),
    f"GET {R}/audit": Expected("own"),
    "GET /api/v1/repositories": Expected("account"),
    f"GET {R}": Expected("read"),
    f"PUT {R}": Expected("read"),
    f"PATCH {R}": Expected("own", call={JSON: {"visibility": "private"}}),
    f"DELETE {R}": Expected("own", 400),  # not said twice
    f"PUT {R}/default-branch": Expected("maintain", 400, {JSON: {"branch": "none"}}),
    "GET /api/v1/deleted-repositories": Expected("account-admin"),
    "POST /api/v1/deleted-repositories/{number}/undelete": Expected("account-admin", 404),
    f"POST {R}/move": Expected("own", call={JSON: {}}, but={"granted": 404, "limited": 404}),
    f"POST {R}/fork": Expected("read", call={JSON: {"owner": "acme", "name": "other"}}, but=FORKS),
    f"POST {R}/objects/check": Expected("read", call=NAMES),
    f"POST {R}/objects/unlink": Expected("maintain", 409, NAMES),
    f"POST {R}/manifests/read": Expected("read", call=NAMES),
    f"POST {R}/tombstones/read": Expected("read", call=NAMES),
    f"POST {R}/plan": Expected("read", call=NAMES),
    f"POST {R}/urls": Expected("read", call={JSON: {"ranges": []}}),
    f"POST {R}/uploads": Expected("write", 201),
    f"POST {R}/uploads/{{session}}/have": Expected("write", GONE, NAMES),
    f"POST {R}/uploads/{{session}}/bases": Expected("write", GONE, {JSON: {"bases": []}}),
    f"POST {R}/uploads/{{session}}/manifests": Expected("write", GONE, {"content": b""}),
    f"PUT {R}/uploads/{{session}}/manifests/{{oid}}": Expected("write", GONE, {"content": b""}),
    f"POST {R}/uploads/{{session}}/packs": Expected("write", GONE, {JSON: {"packs": []}}),
    f"POST {R}/uploads/{{session}}/packs/{{pack}}/received": Expected("write", GONE),
    f"POST {R}/uploads/{{session}}/commit": Expected("write", GONE),
    f"GET {R}/uploads/{{session}}": Expected("write", GONE),
    "PUT /api/v1/transfers/{token}": Expected("anybody", 403, {"content": b""}),
    "GET /api/v1/transfers/{token}": Expected("anybody", 403),
    f"GET {R}/rules": Expected("read"),
    f"PUT {R}/rules": Expected("maintain", call={JSON: {"pattern": "refs/heads/main"}}),
    f"DELETE {R}/rules": Expected("maintain", {204, 404}, {"params": {"pattern": "refs/heads/main"}}),
    f"GET {R}/evidence": Expected("read", call={"params": {"subject": "0" * 40}}),
    f"POST {R}/evidence": Expected("vouch", 201, {JSON: {"subject": "0" * 40, "check": "eval", "outcome": "passed"}}),
    f"POST {R}/evidence/find": Expected("read", call={JSON: {"models": ["0" * 64]}}),
    f"PUT {R}/evidence/records/{{record}}": Expected("vouch", 422, {"content": b"{}"}),
    f"GET {R}/evidence/records/{{record}}": Expected("read", 404),
    f"GET {R}/locks": Expected("read"),
    f"POST {R}/locks": Expected("write", {201, 409}, {JSON: {"path": "model.bin"}}),
    f"DELETE {R}/locks/{{number}}": Expected("write", 204),
    f"GET {R}/shares": Expected("write"),
    f"POST {R}/shares": Expected("write", 400, {JSON: {"revision": "main", "files": [], "expires_in": 60}}, {"writing": 403}),
    f"DELETE {R}/shares/{{number}}": Expected("write", 404),
    f"GET {R}/usage": Expected("read"),
    f"PUT {R}/quota": Expected(
        "read", call={JSON: {"bytes": None}}, but=dict.fromkeys((*INSIDERS[:6], "reading", "limited"), 403)
    ),
    "GET /s/{secret}": Expected("anybody", 404),
    "GET /s/{secret}/{path}": Expected("anybody", 404),
}


def _git_body(service: str) -> dict[str, Any]:
    """A conversation that ends as soon as it begins."""
    return {"content": b"0000", "headers": {"Content-Type": f"application/x-{service}-request"}}


GIT = {
    "GET /{owner}/{name}.git/info/refs?service=git-upload-pack": Expected("read"),
    "GET /{owner}/{name}.git/info/refs?service=git-receive-pack": Expected("write"),
    "POST /{owner}/{name}.git/git-upload-pack": Expected("read", call=_git_body("git-upload-pack")),
    "POST /{owner}/{name}.git/git-receive-pack": Expected("write", call=_git_body("git-receive-pack")),
}
FILLED = {
    "session": "0" * 32,
    "oid": "0" * 64,
    "record": "0" * 64,
    "pack": "0" * 64,
    "token": "999999999",
    "number": "999999999",
    "secret": "x" * 43,
    "path": "model.bin",
    "account": "guest",
    "team": "blue",
    "organisation": "acme",
}


@pytest.fixture(scope="module")
def server_options() -> Sequence[str]:
    return PATIENT


@pytest.fixture(scope="module")
def clients(server: RunningServer, everybody: Everybody) -> Iterator[dict[str, httpx.Client]]:
    opened = {name: everybody.client(server, name) for name in ALL}
    yield opened
    for client in opened.values():
        client.close()


def ask(client: httpx.Client, route: str, call: dict[str, Any], repository: str = OWN, **filled: str) -> httpx.Response:
    method, _, path = route.partition(" ")
    owner, _, name = repository.partition("/")
    return client.request(method, path.format(**{**FILLED, "owner": owner, "name": name, **filled}), **call)


def words(reply: httpx.Response) -> Any:
    """What an answer says, without the name of the request."""
    if "json" not in reply.headers.get("content-type", ""):
        return reply.text
    return {key: value for key, value in reply.json()["error"].items() if key != "request"}


def test_every_route_has_a_line(server: RunningServer) -> None:
    described = httpx.get(f"{server.url}/openapi.json").json()["paths"]
    routes = {f"{method.upper()} {path}" for path, methods in described.items() for method in methods}
    assert routes == set(ROUTES)


@pytest.mark.parametrize("route", [*ROUTES, *GIT])
def test_everybody_gets_what_is_expected(clients: dict[str, httpx.Client], route: str) -> None:
    expected = (ROUTES | GIT)[route]
    got = {name: ask(client, route, expected.call).status_code for name, client in clients.items()}
    assert {name: status for name, status in got.items() if status not in expected.status(name)} == {}


@pytest.mark.parametrize("route", [route for route in [*ROUTES, *GIT] if "{owner}" in route])
def test_to_who_may_not_see_it_a_repository_is_as_absent_as_none(clients: dict[str, httpx.Client], route: str) -> None:
    call = (ROUTES | GIT)[route].call
    for name in (*OUTSIDERS, "nobody"):
        hidden, absent = (ask(clients[name], route, call, repository) for repository in (OWN, ABSENT))
        assert hidden.status_code == absent.status_code == (401 if name == "nobody" else 404), name
        assert words(hidden) == words(absent)
        assert hidden.headers.keys() == absent.headers.keys()


@pytest.mark.parametrize("route", [route for route in ROUTES if "{organisation}" in route])
def test_to_who_is_no_member_an_organisation_is_as_absent_as_none(clients: dict[str, httpx.Client], route: str) -> None:
    for name in ("outsider", "foreign", "foreign_admin", "nobody"):
        hidden, absent = (ask(clients[name], route, ROUTES[route].call, organisation=of) for of in ("acme", "no-such"))
        assert hidden.status_code == absent.status_code == (401 if name == "nobody" else 404), name
        assert words(hidden) == words(absent)


def test_lists_hold_what_each_may_see(clients: dict[str, httpx.Client]) -> None:
    shown = {}
    for name in ("outsider", "reader", "owner", "admin", "limited", "elsewhere", "vouching", "foreign_owner", "foreign_admin"):
        reply = clients[name].get("/api/v1/repositories").json()["repositories"]
        shown[name] = {repository["name"] for repository in reply}
    acme = {"acme/models", "acme/other"}
    assert shown["reader"] == shown["limited"] == {"acme/models"}
    assert shown["elsewhere"] == {"acme/other"}
    assert shown["owner"] == acme and shown["admin"] >= acme
    assert shown["foreign_owner"] == shown["foreign_admin"] == {"umbrella/models"}
    assert shown["outsider"] == shown["vouching"] == set()


def test_an_admin_sees_his_tenant_only(clients: dict[str, httpx.Client]) -> None:
    named = {account["name"] for account in clients["foreign_admin"].get("/api/v1/accounts").json()["accounts"]}
    assert named == {"foreign", "foreign-admin", "foreign-owner", "umbrella"}
    rows = clients["foreign_admin"].get("/api/v1/audit", params={"limit": 1000}).json()["rows"]
    assert rows and all("acme" not in str(row) for row in rows)


@pytest.mark.parametrize("name", [*INSIDERS, *CAPPED, *OUTSIDERS])
def test_nobody_makes_an_admin_of_himself(clients: dict[str, httpx.Client], name: str) -> None:
    account = clients[name].get("/api/v1/account").json()["name"]
    reply = clients[name].patch(f"/api/v1/accounts/{account}", json={"admin": True})
    assert reply.status_code == (409 if name in ("admin", "foreign_admin") else 403)
