"""The storage goes away in the middle of a push: clear answers, nothing acknowledged that is not there, and service returns by itself."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.server.weights_client import WeightsClient, make_pack, weights
from tests.support.backends import Backends, Place
from tests.support.faulty_proxy import Fault, FaultyProxy
from tests.support.running_server import RunningServer

DOWN = Fault(cut_answer_after=0, times=None)
NO_BUCKET = Fault(status=404, body=b"<Error><Code>NoSuchBucket</Code><Message>Secret</Message></Error>", times=None)


@pytest.fixture(scope="module")
def place(backends: Backends) -> Place:
    return backends.place("postgres-moto")


@pytest.fixture(scope="module")
def storage(place: Place) -> Iterator[FaultyProxy]:
    """Between the server, through which all bytes go, and its storage."""
    with FaultyProxy(place.s3_endpoint) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def server(place: Place, storage: FaultyProxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("server")
    with RunningServer(folder, ["--s3-direct", "never"], place=replace(place, s3_endpoint=storage.url)) as running:
        yield running


@pytest.mark.thorough
@pytest.mark.parametrize("trouble", [DOWN, NO_BUCKET], ids=["down", "bucket gone"])
def test_a_push_waits_for_the_storage(storage: FaultyProxy, server: RunningServer, trouble: Fault) -> None:
    file = weights(random.Random(trouble.status).randbytes(200_000))
    pack = make_pack(file.unique)
    with WeightsClient(server.url, server.admin_token, f"admin/m{trouble.status}") as client:
        session = client.open()
        client.announce(session, file.manifest())
        ticket = client.ticket(session, pack)
        storage.faults = [replace(trouble)]
        reply = client.put(ticket, pack.data)
        assert (reply.status_code, reply.json()["error"]["code"]) == (503, "unavailable")
        assert int(reply.headers["Retry-After"]) > 0
        assert "Secret" not in reply.text
        assert client.have(session, file.names) == [0]

        storage.faults = []
        assert client.put(ticket, pack.data).status_code == 201
        storage.faults = [replace(trouble)]
        client.commit(session)
        assert client.ask("GET", "uploads", session, params={"wait": 2}).json()["state"] in ("verifying", "done")

        storage.faults = []
        assert client.ended(session, patience=60)["state"] == "done"
        assert client.fetch(file.names[0]) == file.data


@pytest.mark.thorough
def test_a_server_waits_for_its_storage_when_it_starts(storage: FaultyProxy, server: RunningServer) -> None:
    server.stop()
    storage.faults = [Fault(cut_answer_after=0, times=7)]  # more than one request tries
    server.restart()
    assert storage.faults[0].struck == 7
    assert "waiting for the storage" in server.log.read_text()
