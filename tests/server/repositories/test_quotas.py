"""Quotas: a warning before, a refusal at the limit of which nothing stays, and no word of what others hold."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from git_lepton.wire.protocol import MISSING, STORED
from lepton_server.database.tables import chunk_links, encodings
from lepton_server.repositories import quotas
from lepton_server.repositories.naming import known_repository
from tests.server.conftest import BOTH_DATABASES, Connect, Noise
from tests.server.weights_client import Weights, WeightsClient, make_pack, weights
from tests.support.running_server import RunningServer

pytestmark = BOTH_DATABASES


def links(server: RunningServer, client: WeightsClient) -> int:
    with server.looking_into() as connection:
        number = known_repository(connection, client.name).id
        return int(connection.execute(select(func.count()).where(chunk_links.c.repository == number)).scalar_one())


def stored(server: RunningServer, *files: Weights) -> int:
    names = {name for file in files for name in file.names}
    with server.looking_into() as connection:
        return int(connection.execute(select(func.sum(encodings.c.stored)).where(encodings.c.chunk.in_(names))).scalar_one())


def set_quota(client: WeightsClient, size: int | None) -> dict[str, Any]:
    reply = client.ask("PUT", "quota", json={"bytes": size})
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


def test_a_push_beyond_the_quota_is_refused_and_leaves_nothing(server: RunningServer, connect: Connect, noise: Noise) -> None:
    client, first, second = connect(), weights(noise(10_000)), weights(noise(8_000), noise(9_000))
    assert client.upload(first)["state"] == "done"
    used = stored(server, first)
    assert set_quota(client, used + 12_000)["stored"] == used
    ended = client.upload(second, packs=[make_pack([chunk]) for chunk in second.chunks])  # the first of these would fit
    assert ended["state"] == "failed"
    (failure,) = [failure for failure in ended["failures"] if failure["code"] == "quota_exceeded"]
    assert client.name in failure["message"] and "may store" in failure["message"]
    assert client.check(first.oid, second.oid) == [STORED, MISSING]
    assert links(server, client) == 1
    assert client.ask("GET", "usage").json()["stored"] == used
    set_quota(client, None)
    assert client.upload(second)["state"] == "done"
    assert client.check(first.oid, second.oid) == [STORED, STORED]


def test_a_push_to_a_full_repository_is_refused_when_it_begins(server: RunningServer, connect: Connect, noise: Noise) -> None:
    client, file = connect(), weights(noise(10_000))
    assert client.upload(file)["state"] == "done"
    set_quota(client, stored(server, file))
    reply = client.ask("POST", "uploads")
    assert (reply.status_code, reply.json()["error"]["code"]) == (507, "quota_exceeded")
    assert "may store" in reply.json()["error"]["message"] and "admin" in reply.json()["error"]["hint"]
    set_quota(client, stored(server, file) * 10 // 9)
    assert client.name in client.ask("POST", "uploads").json()["warning"]
    set_quota(client, stored(server, file) * 2)
    assert client.ask("POST", "uploads").json()["warning"] == ""


def test_what_another_repository_holds_counts_in_full(server: RunningServer, connect: Connect, noise: Noise) -> None:
    """Else who pushes a file that he only guesses would see by his quota that somebody has it."""
    theirs, file = connect("admin/theirs"), weights(noise(10_000))
    assert theirs.upload(file)["state"] == "done"
    mine, small = connect("admin/mine"), weights(noise(100))
    assert mine.upload(small)["state"] == "done"
    set_quota(mine, stored(server, small) + 5_000)
    for _ in range(2):  # whether it is sent, or found to be there
        assert mine.upload(file)["state"] == "failed"
        assert mine.check(file.oid) == [MISSING]
        assert links(server, mine) == 1
    set_quota(mine, stored(server, small, file))
    assert mine.upload(file)["state"] == "done"
    assert mine.ask("GET", "usage").json()["stored"] == stored(server, small, file)


@pytest.mark.thorough
def test_of_many_files_that_are_known_elsewhere_none_stays(server: RunningServer, connect: Connect, noise: Noise) -> None:
    """Nothing is sent: the files become visible a hundred at a time, and there is no room for the second hundred. None of them ever is
    visible, for nothing that is may be taken back: somebody may have been told that it is stored."""
    files = [weights(noise(1000)) for _ in range(130)]
    assert connect("admin/holds-many").upload(*files)["state"] == "done"
    client = connect()
    session = client.open()
    set_quota(client, 110_000)
    assert client.have(session, [name for file in files for name in file.names]) == [STORED] * len(files)
    for file in files:
        client.announce(session, file.manifest())
    client.commit(session)
    state = client.ended(session)
    assert (state["state"], {failure["code"] for failure in state["failures"]}) == ("failed", {"quota_exceeded"})
    assert set(client.check(*[file.oid for file in files])) == {0}
    assert links(server, client) == 0


def test_a_tenant_has_one_too(server: RunningServer, connect: Connect, noise: Noise) -> None:
    client, file = connect(), weights(noise(10_000))
    with server.looking_into() as connection:
        quotas.set_for_tenant(connection, 1, None)
    assert client.upload(file)["state"] == "done"
    assert server.run("quota", "set", "--tenant", "default", "1") == ""
    try:
        reply = client.ask("POST", "uploads")
        assert (reply.status_code, reply.json()["error"]["code"]) == (507, "quota_exceeded")
        assert "of 1 bytes" in server.run("quota", "show", "--tenant", "default")
    finally:
        server.run("quota", "set", "--tenant", "default", "none")
    assert client.ask("POST", "uploads").status_code == 201


def test_only_an_admin_sets_one(server: RunningServer, connect: Connect) -> None:
    token = server.make_user("owner")
    own = connect("owner/models", token)
    assert own.ask("PUT", json={}).status_code == 200
    reply = own.ask("PUT", "quota", json={"bytes": None})
    assert reply.status_code == 403
    stranger = connect("owner/models", server.make_user("stranger"))
    assert stranger.ask("PUT", "quota", json={"bytes": 1}).status_code == 404
    assert stranger.ask("GET", "usage").status_code == 404
    assert own.ask("GET", "usage").json() == {
        "files": 0,
        "file_bytes": 0,
        "chunks": 0,
        "raw": 0,
        "stored": 0,
        "quota": None,
        "branches": [],
    }
    assert connect("owner/models").ask("PUT", "quota", json={"bytes": -1}).status_code == 400
