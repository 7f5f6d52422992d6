"""Packs that go to and from the storage itself: what a signed URL allows and what not, and that nothing of it is believed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from lepton_server.backends import open_database
from lepton_server.database.tables import pending_packs
from tests.server.weights_client import Pack, WeightsClient, make_pack, weights
from tests.support.backends import Backends, Place, chosen_on_s3
from tests.support.running_server import RunningServer

pytestmark = pytest.mark.smoke


@pytest.fixture(scope="module", params=chosen_on_s3())
def place(request: pytest.FixtureRequest, backends: Backends) -> Place:
    return backends.place(request.param)


@dataclass
class Sent:
    """An upload of one file in one pack, as far as its ticket."""

    client: WeightsClient
    pack: Pack
    session: str
    ticket: dict[str, Any]

    def put(self, data: bytes | None = None, **changed: str) -> httpx.Response:
        headers = {**self.ticket["headers"], **changed}
        return httpx.put(self.ticket["url"], content=self.pack.data if data is None else data, headers=headers)

    def confirm(self) -> httpx.Response:
        return self.client.ask("POST", "uploads", self.session, "packs", self.pack.name.hex, "received")

    def again(self) -> dict[str, Any]:
        return ticket(self.client, self.session, self.pack)


def ticket(client: WeightsClient, session: str, pack: Pack, body: bytes | None = None) -> dict[str, Any]:
    offer = {"pack": pack.name.hex, "size": len(pack.data), "sequence": 0}
    offer["sha256"] = hashlib.sha256(pack.data if body is None else body).hexdigest()
    reply = client.ask("POST", "uploads", session, "packs", json={"packs": [offer]})
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()["tickets"][0]
    return found


Offer = Callable[..., Sent]


@pytest.fixture
def offer(connect: Callable[..., WeightsClient], noise: Callable[[int], bytes]) -> Offer:
    def make(client: WeightsClient | None = None, body: Callable[[bytes], bytes] = lambda data: data) -> Sent:
        client = client or connect()
        file = weights(noise(100_000), noise(50_000))
        pack = make_pack(file.unique)
        session = client.open()
        client.announce(session, file.manifest())
        return Sent(client, pack, session, ticket(client, session, pack, body(pack.data)))

    return make


@pytest.fixture
def stored(offer: Offer) -> Iterator[Sent]:
    """One that ended well."""
    sent = offer()
    assert sent.put().status_code == 200
    assert sent.confirm().status_code == 202
    sent.client.commit(sent.session)
    assert sent.client.ended(sent.session)["state"] == "done"
    yield sent


def range_of(sent: Sent) -> tuple[int, dict[str, Any]]:
    """Where the first chunk of a pack is: the end of its payload, and its URL."""
    reply = sent.client.urls(sent.pack.name.hex, *first_payload(sent))
    assert reply.status_code == 200, reply.text
    return first_payload(sent)[1], reply.json()["urls"][0]


def first_payload(sent: Sent) -> tuple[int, int]:
    from git_lepton.format.pack import TRAILER_BYTES, index_bytes, parse_end

    tail = sent.pack.data[-index_bytes(sent.pack.data[-TRAILER_BYTES:]) :]
    start, record = parse_end(tail, len(sent.pack.data))[1][0]
    return start, start + record.stored_length


def test_bytes_pass_by_the_server(stored: Sent, place: Place, server: RunningServer) -> None:
    assert stored.ticket["url"].startswith(place.s3_endpoint)
    assert stored.ticket["confirm"] is True
    key = stored.ticket["url"].partition("?")[0].partition("/packs/")[2]
    assert key.startswith("t1/")
    assert server.stored_files()[key] == len(stored.pack.data)
    end, url = range_of(stored)
    assert url["url"].startswith(place.s3_endpoint)
    reply = httpx.get(url["url"], headers=url["headers"])
    assert reply.status_code == 206
    assert reply.content == stored.pack.data[first_payload(stored)[0] : end]


def test_what_was_put_can_not_be_put_again(stored: Sent) -> None:
    assert stored.put().status_code == 412
    assert stored.put(b"x" * len(stored.pack.data)).status_code in (400, 412)
    bare = {name: value for name, value in stored.ticket["headers"].items() if name != "If-None-Match"}
    assert httpx.put(stored.ticket["url"], content=stored.pack.data, headers=bare).status_code == 403
    assert httpx.delete(stored.ticket["url"]).status_code == 403


def test_a_url_is_for_one_key_and_one_length(offer: Offer) -> None:
    sent = offer()
    other = replace(sent, ticket={**sent.ticket, "url": sent.ticket["url"].replace("/t1/", "/t2/")})
    assert other.put().status_code == 403
    assert sent.put(sent.pack.data + b"x", **{"Content-Length": str(len(sent.pack.data) + 1)}).status_code == 403
    assert sent.put().status_code == 200


def test_a_range_is_all_that_its_url_gives(stored: Sent) -> None:
    end, url = range_of(stored)
    for header in ({}, {"Range": "bytes=0-9"}, {"Range": f"bytes=0-{end}"}):
        assert httpx.get(url["url"], headers=header).status_code == 403
    assert httpx.get(url["url"].replace("/t1/", "/t2/"), headers=url["headers"]).status_code == 403


def test_a_pack_that_is_not_there_is_asked_for_again(offer: Offer) -> None:
    sent = offer()
    assert (sent.confirm().status_code, sent.confirm().json()["error"]["code"]) == (424, "missing_chunks")
    assert sent.again()["url"].partition("?")[0] == sent.ticket["url"].partition("?")[0]  # what arrives late still counts
    assert sent.put().status_code == 200
    assert [sent.confirm().status_code, sent.confirm().status_code] == [202, 202]
    sent.client.commit(sent.session)
    assert sent.client.ended(sent.session)["state"] == "done"


def test_another_pack_than_was_offered_is_refused_and_deleted(offer: Offer, server: RunningServer) -> None:
    other = make_pack(weights(b"x" * 1000, b"y" * 1001).unique).data
    sent = offer(body=lambda data: other[-2000:].rjust(len(data), b"\0"))
    assert sent.put(other[-2000:].rjust(len(sent.pack.data), b"\0")).status_code == 200
    reply = sent.confirm()
    assert (reply.status_code, reply.json()["error"]["code"]) == (422, "corrupt_data")
    key = sent.ticket["url"].partition("?")[0].partition("/packs/")[2]
    assert key not in server.stored_files()
    sent.ticket = sent.again()
    assert key not in sent.ticket["url"]
    assert (sent.put().status_code, sent.confirm().status_code) == (200, 202)


def test_damaged_bytes_are_found_when_they_are_verified_and_deleted(offer: Offer, server: RunningServer) -> None:
    def damaged(data: bytes) -> bytes:
        return data[:5000] + bytes([data[5000] ^ 1]) + data[5001:]

    sent = offer(body=damaged)
    assert sent.put(damaged(sent.pack.data)).status_code == 200
    assert sent.confirm().status_code == 202
    sent.client.commit(sent.session)
    state = sent.client.ended(sent.session)
    assert state["state"] == "failed"
    assert "corrupt_data" in {failure["code"] for failure in state["failures"]}
    key = sent.ticket["url"].partition("?")[0].partition("/packs/")[2]
    assert key not in server.stored_files()


def test_only_who_was_promised_a_place_may_say_that_it_is_filled(
    offer: Offer, connect: Callable[..., WeightsClient], server: RunningServer
) -> None:
    sent = offer()
    assert sent.put().status_code == 200
    token = server.make_user("eve")
    outsider = connect(sent.client.name, token)
    assert outsider.ask("POST", "uploads", sent.session, "packs", sent.pack.name.hex, "received").status_code == 404
    server.grant("eve", "writer", sent.client.name)
    assert outsider.ask("POST", "uploads", sent.session, "packs", sent.pack.name.hex, "received").status_code == 410
    assert sent.confirm().status_code == 202


def test_promises_end_with_what_was_promised(stored: Sent, server: RunningServer) -> None:
    database = open_database(server.settings)
    with database.read() as connection:
        mine = select(pending_packs.c.name).where(pending_packs.c.upload == stored.session)
        assert connection.execute(mine).all() == []
    database.close()
