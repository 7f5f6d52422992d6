"""The database goes away in the middle of things and comes back: clear answers meanwhile, nothing wrong afterwards, no help needed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.server.weights_client import WeightsClient, make_pack, weights
from tests.support.backends import Place
from tests.support.postgres import Postgres
from tests.support.running_server import RunningServer


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """One that may be stopped."""
    with Postgres() as running:
        yield running


@pytest.fixture(scope="module")
def server(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("server"), place=Place(postgres.new_database())) as running:
        yield running


@pytest.fixture
def client(server: RunningServer) -> Iterator[WeightsClient]:
    with WeightsClient(server.url, server.admin_token, f"admin/m{os.urandom(4).hex()}") as opened:
        yield opened


def succeeds(client: WeightsClient, *arguments: object, patience: float = 20.0) -> httpx.Response:
    """Ask until the answer is no 503; the answer."""
    limit = time.monotonic() + patience
    while (reply := client.ask(*arguments)).status_code == 503:  # type: ignore[arg-type]
        assert time.monotonic() < limit, reply.text
        time.sleep(0.2)
    return reply


@pytest.mark.thorough
def test_requests_are_told_to_come_again_and_then_go_on(server: RunningServer, client: WeightsClient, postgres: Postgres) -> None:
    file = weights(*(os.urandom(100_000) for _ in range(4)))
    session = client.open()
    client.announce(session, file.manifest())
    client.send(session, make_pack(file.chunks[:2]), 0)
    ticket = client.ticket(session, make_pack(file.chunks[2:]), 1)
    postgres.stop()
    for reply in (
        client.ask("GET"),
        client.ask("POST", "uploads", session, "have"),
        client.ask("POST", "uploads", session, "commit"),
        client.put(ticket, make_pack(file.chunks[2:]).data),
        httpx.get(f"{server.url}/{client.name}.git/info/refs?service=git-upload-pack", auth=("admin", server.admin_token)),
    ):
        assert reply.status_code == 503, reply.text
        assert int(reply.headers["Retry-After"]) > 0
        assert "Traceback" not in reply.text
    postgres.start()
    assert succeeds(client, "GET", "uploads", session).json()["state"] == "open"
    assert client.check(file.oid) != [2]  # nobody was told that it is stored, and it is not
    client.send(session, make_pack(file.chunks[2:]), 1)
    client.commit(session)
    assert client.ended(session)["state"] == "done"
    assert b"".join(client.fetch(name) for name in file.names) == file.data


@pytest.mark.thorough
@pytest.mark.parametrize("seconds", [0.0, 3.0])
def test_a_verification_waits_for_the_database(client: WeightsClient, postgres: Postgres, seconds: float) -> None:
    file = weights(*(os.urandom(1_000_000) for _ in range(8)))
    session = client.open()
    client.announce(session, file.manifest())
    for sequence, chunk in enumerate(file.chunks, 1):
        client.send(session, make_pack([chunk]), sequence)
    client.commit(session)
    postgres.stop()
    time.sleep(seconds)
    postgres.start()
    succeeds(client, "GET")
    assert client.ended(session)["state"] == "done"


@pytest.mark.thorough
def test_the_log_says_what_was_missing_and_shows_no_bug(server: RunningServer, client: WeightsClient, postgres: Postgres) -> None:
    before = len(server.log.read_text())
    postgres.stop()
    assert client.ask("GET").status_code == 503
    time.sleep(6)  # a sign of life is due, and news are listened for
    postgres.start()
    succeeds(client, "GET")
    said = server.log.read_text()[before:]
    assert said
    assert "Traceback" not in said
    assert client.upload(weights(os.urandom(1000)))["state"] == "done"


@pytest.mark.thorough
def test_a_server_that_finds_no_database_says_so(tmp_path: Path, postgres: Postgres) -> None:
    place = Place(postgres.new_database())
    postgres.stop()
    with pytest.raises(AssertionError) as error:
        RunningServer(tmp_path, place=place)
    postgres.start()
    assert "database" in str(error.value)
    assert "Traceback" not in str(error.value)
