"""Who may do what: outsider, reader, writer, owner, admin; and that an outsider cannot tell what is there from what is not."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from git_lepton.wire.protocol import API, MISSING
from tests.server.conftest import Connect, Noise
from tests.server.weights_client import WeightsClient, make_pack, weights
from tests.support.running_server import RunningServer

EVERY_REQUEST: list[tuple[str, tuple[str, ...], dict[str, Any]]] = [
    ("GET", (), {}),
    ("POST", ("objects", "check"), {"content": bytes(32)}),
    ("POST", ("manifests", "read"), {"content": bytes(32)}),
    ("POST", ("plan",), {"content": bytes(32)}),
    ("POST", ("urls",), {"json": {"ranges": []}}),
    ("POST", ("uploads",), {}),
    ("POST", ("uploads", "0" * 32, "have"), {"content": bytes(32)}),
    ("PUT", ("uploads", "0" * 32, "manifests", "0" * 64), {"content": b""}),
    ("POST", ("uploads", "0" * 32, "packs"), {"json": {"packs": []}}),
    ("POST", ("uploads", "0" * 32, "packs", "0" * 64, "received"), {}),
    ("POST", ("uploads", "0" * 32, "commit"), {}),
    ("GET", ("uploads", "0" * 32), {}),
]
WRITING = [request for request in EVERY_REQUEST if "uploads" in request[1]]
READING = [request for request in EVERY_REQUEST if "uploads" not in request[1]]


@pytest.fixture(scope="module")
def people(server: RunningServer) -> dict[str, str]:
    """Tokens by role in admin/shared, which holds something."""
    with WeightsClient(server.url, server.admin_token, "admin/shared") as client:
        client.upload(weights(b"shared by all"))
    tokens = {name: server.make_user(name) for name in ("outsider", "reader", "writer", "maintainer")}
    for role in ("reader", "writer", "maintainer"):
        server.grant(role, role, "admin/shared")
    return tokens


def same_words(reply: httpx.Response) -> dict[str, str]:
    return {key: value for key, value in reply.json()["error"].items() if key != "request"}


@pytest.mark.parametrize(("method", "parts", "options"), EVERY_REQUEST)
def test_to_an_outsider_a_private_repository_is_an_absent_one(
    connect: Connect, people: dict[str, str], method: str, parts: tuple[str, ...], options: dict[str, Any]
) -> None:
    private = connect("admin/shared", people["outsider"]).ask(method, *parts, **options)
    absent = connect("admin/there-is-none", people["outsider"]).ask(method, *parts, **options)
    assert private.status_code == absent.status_code == 404
    assert same_words(private) == same_words(absent)


@pytest.mark.parametrize(("method", "parts", "options"), EVERY_REQUEST)
def test_without_a_token_nothing_is_told(
    connect: Connect, people: dict[str, str], method: str, parts: tuple[str, ...], options: dict[str, Any]
) -> None:
    private = connect("admin/shared", "").ask(method, *parts, **options)
    absent = connect("admin/there-is-none", "").ask(method, *parts, **options)
    assert private.status_code == absent.status_code == 401
    assert private.headers["www-authenticate"] == 'Basic realm="lepton"'
    assert same_words(private) == same_words(absent)


@pytest.mark.parametrize(("method", "parts", "options"), WRITING)
def test_a_reader_may_not_write(
    connect: Connect, people: dict[str, str], method: str, parts: tuple[str, ...], options: dict[str, Any]
) -> None:
    reply = connect("admin/shared", people["reader"]).ask(method, *parts, **options)
    assert (reply.status_code, reply.json()["error"]["code"]) == (403, "forbidden")


@pytest.mark.parametrize("role", ["reader", "writer", "maintainer"])
@pytest.mark.parametrize(("method", "parts", "options"), READING)
def test_who_has_a_role_may_read(
    connect: Connect, people: dict[str, str], role: str, method: str, parts: tuple[str, ...], options: dict[str, Any]
) -> None:
    reply = connect("admin/shared", people[role]).ask(method, *parts, **options)
    assert reply.status_code == 200, reply.text


def test_a_writer_may_upload(connect: Connect, people: dict[str, str], noise: Noise) -> None:
    client = connect("admin/shared", people["writer"])
    assert client.upload(weights(noise(100)))["state"] == "done"
    assert client.ask("GET").json()["role"] == "writer"


def test_names_of_foreign_chunks_and_objects_open_nothing(connect: Connect, server: RunningServer, noise: Noise) -> None:
    secret = weights(noise(3000))
    connect("admin/vault").upload(secret)
    spy = connect("spy/own", server.make_user("spy"))
    session = spy.open()
    assert spy.have(session, secret.names) == [MISSING]
    assert spy.plan(secret.names)["missing"] == [0]
    assert spy.check(secret.oid) == [MISSING]
    assert spy.ask("POST", "manifests", "read", content=secret.oid.raw).content == bytes(4)
    spy.announce(session, secret.manifest())
    spy.commit(session)
    state = spy.ended(session)
    nowhere = weights(noise(3000))
    other = spy.open()
    spy.announce(other, nowhere.manifest())
    spy.commit(other)
    unknown = spy.ended(other)
    told = [(failure["code"], failure["message"].split()[-3:]) for failure in state["failures"] + unknown["failures"]]
    assert told[0] == told[1] and told[0][0] == "missing_chunks"
    assert spy.plan(secret.names)["missing"] == [0]


def test_who_sends_the_bytes_has_them(connect: Connect, server: RunningServer, noise: Noise) -> None:
    file = weights(noise(3000))
    connect("admin/first-owner").upload(file)
    second = connect("second-owner/own", server.make_user("second-owner"))
    assert second.upload(file)["state"] == "done"
    assert second.fetch(file.names[0]) == file.data


def test_a_range_that_covers_a_foreign_chunk_is_refused(connect: Connect, server: RunningServer, noise: Noise) -> None:
    mine, theirs = noise(5000), noise(5000)
    connect("admin/both").upload(weights(mine, theirs, noise(10)))
    half = connect("half/own", server.make_user("half"))
    half.upload(weights(mine))
    plan = half.plan(weights(mine).names)
    pack, (_, offset, stored, *_rest) = plan["packs"][0]["pack"], plan["entries"][0]
    assert half.urls(pack, offset, offset + stored).status_code == 200
    after = offset + stored
    for start, end in [
        (offset, after + 1),
        (offset, after + 88 + stored),
        (offset - 88, after),
        (after + 88, after + 88 + stored),
        (8, 9),
    ]:
        reply = half.urls(pack, start, end)
        assert (reply.status_code, reply.json()["error"]["code"]) == (416, "range_not_satisfiable"), (start, end)


def test_a_repository_under_another_name_is_not_made(connect: Connect, people: dict[str, str]) -> None:
    client = connect("admin/of-mine", people["outsider"])
    assert client.ask("POST", "uploads").status_code == 404
    assert client.ask("PUT", json={"kind": "external"}).status_code == 404
    assert connect("admin/of-mine").ask("GET").status_code == 404


def test_the_admin_makes_repositories_for_others(connect: Connect, people: dict[str, str]) -> None:
    assert connect("outsider/present").ask("PUT", json={"kind": "external", "visibility": "private"}).status_code == 200
    described = connect("Outsider/Present", people["outsider"]).ask("GET").json()
    assert (described["name"], described["kind"], described["role"]) == ("outsider/present", "external", "owner")


def test_what_is_internal_or_public_may_be_read(connect: Connect, people: dict[str, str]) -> None:
    connect("admin/internal").ask("PUT", json={"visibility": "internal"})
    connect("admin/public").ask("PUT", json={"visibility": "public"})
    assert connect("admin/internal", people["outsider"]).ask("GET").json()["role"] == "reader"
    assert connect("admin/internal", "").ask("GET").status_code == 401
    assert connect("admin/public", "").ask("GET").json()["role"] == "reader"
    assert connect("admin/public", "").ask("POST", "uploads").status_code == 401


@pytest.mark.parametrize("name", ["admin/x.git", "admin/.hidden", "admin/..", "admin/" + 101 * "x", "admin/a%2Fb"])
def test_names_that_no_repository_can_have(connect: Connect, name: str) -> None:
    assert connect(name).ask("POST", "uploads").status_code in (400, 404, 405)
    assert connect(name).ask("PUT", json={}).status_code in (400, 404, 405)


@pytest.mark.parametrize("header", ["Bearer wrong", "Basic !!!", "Basic bG9uZQ==", "Digest x", "Bearer"])
def test_a_wrong_token_is_refused_even_where_none_is_needed(server: RunningServer, header: str) -> None:
    reply = httpx.get(f"{server.url}{API}/repositories/admin/public", headers={"Authorization": header})
    assert (reply.status_code, reply.json()["error"]["code"]) == (401, "unauthenticated")


def test_the_token_is_the_password_of_basic(server: RunningServer) -> None:
    reply = httpx.get(f"{server.url}{API}/account", auth=("whoever", server.admin_token))
    assert (reply.json()["name"], reply.json()["admin"]) == ("admin", True)


def test_an_expired_token_is_refused(server: RunningServer) -> None:
    server.run("user", "add", "brief")
    live, dead = (server.run("token", "create", "brief", "--days", days) for days in ("1", "0.00000001"))
    account = f"{server.url}{API}/account"
    assert httpx.get(account, headers={"Authorization": f"Bearer {live}"}).json()["name"] == "brief"
    assert httpx.get(account, headers={"Authorization": f"Bearer {dead}"}).status_code == 401


def test_rights_that_were_lost_end_a_ticket(connect: Connect, server: RunningServer, noise: Noise) -> None:
    owner = connect()
    owner.open()
    guest = connect(owner.name, server.make_user("short-guest"))
    server.grant("short-guest", "writer", owner.name)
    pack = make_pack(weights(noise(100)).chunks)
    ticket = guest.ticket(guest.open(), pack)
    server.grant("short-guest", "reader", owner.name)
    assert guest.put(ticket, pack.data).status_code == 403
