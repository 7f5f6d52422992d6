"""Tokens: what each may be used for and where, that none begets a stronger one, and how they end."""

from __future__ import annotations

import hashlib
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from git_lepton.wire.protocol import MISSING, STORED
from lepton_server import backends
from lepton_server.backends import open_database
from lepton_server.database.tables import tokens as rows
from lepton_server.identity import accounts, tokens
from tests.server.conftest import BOTH_DATABASES, Connect, Noise
from tests.server.everybody import bearer
from tests.server.weights_client import WeightsClient, weights
from tests.support.running_server import RunningServer

pytestmark = BOTH_DATABASES
API = "/api/v1"


@pytest.fixture
def ann(server: RunningServer, request: pytest.FixtureRequest) -> httpx.Client:
    """A person of this test's own, with all rights that a token can have."""
    return bearer(server, server.make_user(_own(request)))


def _own(request: pytest.FixtureRequest) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in request.node.name).strip("-")[:90].lower()


def name_of(client: httpx.Client) -> str:
    return str(client.get(f"{API}/account").json()["name"])


def made(client: httpx.Client, **asked: Any) -> dict[str, Any]:
    reply = client.post(f"{API}/tokens", json=asked)
    assert reply.status_code == 201, reply.text
    found: dict[str, Any] = reply.json()
    return found


def code(reply: httpx.Response) -> tuple[int, str]:
    return reply.status_code, reply.json()["error"]["code"]


def test_a_token_is_shown_once_and_kept_as_a_hash(server: RunningServer, ann: httpx.Client) -> None:
    new = made(ann, label="laptop", scopes=["read"], days=2)
    secret = new["token"]
    listed = ann.get(f"{API}/tokens")
    assert secret not in listed.text
    mine = next(token for token in listed.json()["tokens"] if token["label"] == "laptop")
    assert mine == new["info"]
    assert mine["expires"] - mine["created"] == 2 * 86_400_000
    database = open_database(server.settings)
    with database.read() as connection:
        kept = connection.execute(select(rows).where(rows.c.id == mine["id"])).mappings().one()
    database.close()
    assert kept["digest"] == hashlib.sha256(secret.encode()).digest()
    assert secret not in str(dict(kept))
    assert secret not in server.log.read_text()


@pytest.mark.parametrize(
    ("scopes", "expected"),
    [(["read"], (200, 403, 403, 403)), (["write"], (403, 201, 403, 403)), (["evidence"], (403, 403, 403, 201))],
)
def test_scopes_cap_the_account(server: RunningServer, ann: httpx.Client, scopes: list[str], expected: tuple[int, ...]) -> None:
    path = f"{API}/repositories/{name_of(ann)}/models"
    ann.put(path)
    capped = bearer(server, made(ann, scopes=scopes)["token"])
    record = {"subject": "0" * 40, "check": "eval", "outcome": "passed"}
    got = (
        capped.get(path),
        capped.post(f"{path}/uploads"),
        capped.get(f"{path}/grants"),
        capped.post(f"{path}/evidence", json=record),
    )
    assert tuple(reply.status_code for reply in got) == expected
    assert all("scope" in reply.json()["error"]["message"] for reply in got if reply.status_code == 403)


def test_a_token_for_one_repository_knows_no_other(
    server: RunningServer, ann: httpx.Client, connect: Connect, noise: Noise
) -> None:
    own = name_of(ann)
    secret, base = weights(noise(5000)), noise(9000)
    with WeightsClient(server.url, ann.headers["authorization"].split()[1], f"{own}/secret") as first:
        first.upload(secret, weights(base))
    ann.put(f"{API}/repositories/{own}/open")
    limited = made(ann, scopes=["read", "write", "admin"], repositories=[f"{own}/open"])["token"]
    client, visitor = connect(f"{own}/open", limited), bearer(server, limited)
    session = client.open()
    assert client.have(session, secret.names) == [MISSING]
    client.announce(session, secret.manifest())
    client.commit(session)
    assert client.ended(session)["failures"][0]["code"] == "missing_chunks"  # the verifier knows no more than the token does
    assert client.plan(secret.names)["missing"] == [0]
    assert code(visitor.get(f"{API}/repositories/{own}/secret")) == (404, "not_found")
    assert [found["name"] for found in visitor.get(f"{API}/repositories").json()["repositories"]] == [f"{own}/open"]
    fork = visitor.post(f"{API}/repositories/{own}/secret/fork", json={"name": "stolen"})
    assert code(fork) == (404, "not_found")
    assert code(visitor.put(f"{API}/repositories/{own}/new")) == (404, "not_found")
    assert visitor.post(f"{API}/repositories/{own}/new/uploads").status_code == 404
    for method, path in (("GET", "tokens"), ("POST", "tokens"), ("GET", f"accounts/{own}")):
        assert visitor.request(method, f"{API}/{path}", json={} if method == "POST" else None).status_code == 403
    whole = connect(f"{own}/open", ann.headers["authorization"].split()[1])
    assert whole.have(whole.open(), secret.names) == [STORED]  # it is the token, not the account


def test_no_token_begets_a_stronger_one(server: RunningServer, ann: httpx.Client) -> None:
    ann.put(f"{API}/repositories/{name_of(ann)}/models")
    manager = bearer(server, made(ann, scopes=["admin", "read"], days=1)["token"])
    assert code(manager.post(f"{API}/tokens", json={"scopes": ["read", "write"]})) == (403, "forbidden")
    mine = made(manager, scopes=["read"])["info"]
    assert mine["expires"] == manager.get(f"{API}/account").json()["expires"]  # no later than the one that asked
    assert code(bearer(server, made(ann, scopes=["read"])["token"]).post(f"{API}/tokens", json={})) == (403, "forbidden")
    writing = made(ann, scopes=["write"])["info"]["id"]
    assert code(manager.post(f"{API}/tokens/{writing}/rotate")) == (403, "forbidden")
    eternal = made(ann, scopes=["read"])["info"]
    renewed = manager.post(f"{API}/tokens/{eternal['id']}/rotate").json()["info"]
    assert (eternal["expires"], renewed["expires"]) == (None, mine["expires"])
    hidden = manager.post(f"{API}/tokens", json={"scopes": ["read"], "repositories": ["admin/unseen"]})
    absent = manager.post(f"{API}/tokens", json={"scopes": ["read"], "repositories": ["no/where"]})
    assert code(hidden) == code(absent) == (404, "not_found")
    assert code(ann.post(f"{API}/tokens", json={"account": "admin", "scopes": ["read"]})) == (403, "forbidden")


@pytest.mark.parametrize("asked", [{"scopes": []}, {"scopes": ["king"]}, {"days": -1}, {"label": "x" * 200}, {"label": "a\0b"}])
def test_what_no_token_can_be(ann: httpx.Client, asked: dict[str, Any]) -> None:
    assert code(ann.post(f"{API}/tokens", json=asked)) == (400, "bad_request")


def test_a_token_renews_itself_and_the_old_one_ends(server: RunningServer, ann: httpx.Client) -> None:
    old = made(ann, label="ci", scopes=["read"], days=5)
    with_old = bearer(server, old["token"])
    new = with_old.post(f"{API}/tokens/{old['info']['id']}/rotate", json={"overlap_seconds": 3}).json()
    same = {key: value for key, value in new["info"].items() if key not in ("id", "created", "last_used")}
    assert same == {key: value for key, value in old["info"].items() if key not in ("id", "created", "last_used")}
    with_new = bearer(server, new["token"])
    assert with_old.get(f"{API}/account").status_code == with_new.get(f"{API}/account").status_code == 200
    database = open_database(server.settings)
    with database.write() as connection:  # three seconds later
        connection.execute(update(rows).where(rows.c.id == old["info"]["id"]).values(expires=rows.c.expires - 3001))
    database.close()
    assert with_old.get(f"{API}/account").status_code == 401
    again = bearer(server, new["token"]).post(f"{API}/tokens/{old['info']['id']}/rotate")
    assert again.status_code == 403  # a token renews itself, and the old one is another
    assert with_new.post(f"{API}/tokens/{new['info']['id']}/rotate", json={"overlap_seconds": -1}).status_code == 400


def test_an_overlap_never_lengthens_a_life(server: RunningServer, ann: httpx.Client) -> None:
    short = made(ann, scopes=["read"], days=0.001)
    bearer(server, short["token"]).post(f"{API}/tokens/{short['info']['id']}/rotate", json={"overlap_seconds": 86_400})
    listed = {token["id"]: token["expires"] for token in ann.get(f"{API}/tokens").json()["tokens"]}
    assert listed[short["info"]["id"]] == short["info"]["expires"]


def test_tokens_end_at_once_when_revoked(server: RunningServer, ann: httpx.Client) -> None:
    new = made(ann, scopes=["read"])
    stranger = bearer(server, server.make_user(f"{name_of(ann)}-x"[-90:].strip("-")))
    assert code(stranger.delete(f"{API}/tokens/{new['info']['id']}")) == code(stranger.delete(f"{API}/tokens/99999999"))
    assert ann.delete(f"{API}/tokens/{new['info']['id']}").status_code == 204
    assert bearer(server, new["token"]).get(f"{API}/account").status_code == 401
    assert code(ann.delete(f"{API}/tokens/{new['info']['id']}")) == (404, "not_found")
    own = made(ann, scopes=["read"])
    assert (
        bearer(server, own["token"]).delete(f"{API}/tokens/{own['info']['id']}").status_code == 204
    )  # a leaked one can end itself


def test_an_admin_makes_tokens_for_robots_and_ends_anybodys(server: RunningServer, ann: httpx.Client) -> None:
    admin = bearer(server, server.admin_token)
    robot = f"{name_of(ann)}-bot"[-90:].strip("-")
    assert admin.put(f"{API}/accounts/{robot}", json={"kind": "robot"}).json()["kind"] == "robot"
    new = made(admin, account=robot, scopes=["read"])
    assert bearer(server, new["token"]).get(f"{API}/account").json()["name"] == robot
    assert admin.post(f"{API}/tokens/{new['info']['id']}/rotate").status_code == 200
    assert code(admin.post(f"{API}/tokens", json={"account": name_of(ann)})) == (400, "bad_request")
    mine = made(ann, scopes=["read"])["info"]["id"]
    assert code(admin.post(f"{API}/tokens/{mine}/rotate")) == (403, "forbidden")  # nobody gets another person's secret
    assert admin.delete(f"{API}/tokens/{mine}").status_code == 204


def test_a_disabled_account_may_do_nothing_until_it_is_enabled(server: RunningServer, ann: httpx.Client) -> None:
    admin, name = bearer(server, server.admin_token), name_of(ann)
    assert admin.patch(f"{API}/accounts/{name}", json={"disabled": True}).json()["disabled"] is not None
    assert ann.get(f"{API}/account").status_code == 401
    with backends.changes(server.settings) as connection:
        number = accounts.known_account(connection, name)
        for caller in (accounts.caller_by_id(connection, number), tokens.sender(connection, number, None)):
            assert caller.scopes == frozenset()  # also for what it began before
    admin.patch(f"{API}/accounts/{name}", json={"disabled": False})
    assert ann.get(f"{API}/account").status_code == 200


def test_the_account_says_what_its_token_may(server: RunningServer, ann: httpx.Client) -> None:
    own = name_of(ann)
    ann.put(f"{API}/repositories/{own}/models")
    new = made(ann, scopes=["read", "evidence"], repositories=[f"{own}/models"], days=1)
    told = bearer(server, new["token"]).get(f"{API}/account").json()
    assert (told["scopes"], told["repositories"]) == (["evidence", "read"], [f"{own}/models"])
    assert told["expires"] == new["info"]["expires"]
