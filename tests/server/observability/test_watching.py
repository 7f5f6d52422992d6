"""What a server tells those who watch it: metrics, logs, whether it is alive and ready; on both databases."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.server.conftest import BOTH_DATABASES, Connect
from tests.server.observing import METRICS_TOKEN, sample, scrape, wait_until_ready_is
from tests.server.weights_client import make_pack, weights
from tests.support.backends import Place
from tests.support.running_server import RunningServer

pytestmark = BOTH_DATABASES


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, place: Place) -> Iterator[RunningServer]:
    options = ["--log-format", "json", "--log-level", "info", "--metrics-token", f"{METRICS_TOKEN}\n"]
    with RunningServer(tmp_path_factory.mktemp("server"), options, place=place) as running:
        yield running


def log_lines(server: RunningServer) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.log.read_text().splitlines()]


def test_metrics_say_what_a_push_did(server: RunningServer, connect: Connect, noise: Callable[[int], bytes]) -> None:
    before = scrape(server)
    client = connect()
    piece = noise(50_000)
    file = weights(piece, bytes(200_000), piece)
    assert client.upload(file)["state"] == "done"
    after = scrape(server)

    def grew(name: str, **labels: str) -> float:
        return sample(after, name, **labels) - sample(before, name, **labels)

    route = "/api/v1/repositories/{owner}/{name}/uploads/{session}/commit"
    assert grew("lepton_requests_total", route=route, method="POST", status="202") == 1
    assert grew("lepton_request_seconds_count", route="/api/v1/transfers/{token}", method="PUT") == 1
    assert grew("lepton_received_bytes_total", kind="transfer") == len(make_pack(file.unique).data)
    assert grew("lepton_pushed_file_bytes_total") == 300_000
    assert grew("lepton_pushed_chunk_bytes_total", form="raw") == 250_000  # the piece that comes twice counts once
    assert 50_000 <= grew("lepton_pushed_chunk_bytes_total", form="stored") < 60_000
    assert sample(after, "lepton_database_up") == 1
    assert sample(after, "lepton_requests_in_progress") == 1  # the scrape itself


def test_metrics_are_for_admins_and_for_who_has_the_token(server: RunningServer) -> None:
    ask = httpx.Client(base_url=server.url)
    with ask:
        assert ask.get("/metrics").status_code == 401  # also from this machine: so comes all that a proxy on it passes on
        assert ask.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 401
        user = server.make_user("metrics-reader")
        assert ask.get("/metrics", headers={"Authorization": f"Bearer {user}"}).status_code == 403
    assert sample(scrape(server, server.admin_token), "lepton_build", version="0.1.0") == 1


def test_alive_and_ready(server: RunningServer) -> None:
    assert httpx.get(f"{server.url}/healthz").json() == {"status": "ok"}
    assert httpx.head(f"{server.url}/healthz").status_code == 200
    ready = httpx.get(f"{server.url}/readyz")
    assert ready.status_code == 200
    assert {name: part["state"] for name, part in ready.json()["parts"].items()} == {
        "database": "ok",
        "storage": "ok",
        "git": "ok",
        "disk": "ok",
    }
    assert httpx.head(f"{server.url}/readyz").status_code == 200


def test_not_ready_while_the_packs_are_gone(server: RunningServer) -> None:
    packs = server.data / "packs"
    packs.rename(server.data / "elsewhere")
    try:
        wait_until_ready_is(server, 503)
        told = httpx.get(f"{server.url}/readyz").json()
        assert told["parts"]["storage"]["state"] == "failed"
        assert str(server.data) not in json.dumps(told)
        assert httpx.get(f"{server.url}/healthz").status_code == 200
    finally:
        shutil.rmtree(packs, ignore_errors=True)
        (server.data / "elsewhere").rename(packs)
    wait_until_ready_is(server, 200)


def test_every_request_has_a_line_and_no_line_has_a_secret(server: RunningServer, connect: Connect) -> None:
    client = connect()
    session = client.open()
    pack = make_pack(weights(b"secret").chunks)
    ticket = client.ticket(session, pack)
    answer = client.put(ticket, pack.data)
    secret = ticket["url"].rpartition("/")[2]
    lost = httpx.get(f"{server.url}/nowhere/{server.admin_token}", headers={"Authorization": "Bearer lpt_wrong"})
    assert lost.status_code == 404
    lines: dict[str, dict[str, Any]] = {}
    while lost.headers["Lepton-Request"] not in lines:  # it is written once the answer is out
        lines = {line["request"]: line for line in log_lines(server) if line["logger"] == "lepton_server.access"}
    line = lines[answer.headers["Lepton-Request"]]
    assert line["path"] == "/api/v1/transfers/..."
    assert (line["method"], line["status"], line["received"]) == ("PUT", 201, len(pack.data))
    assert line["address"] == "127.0.0.1"
    assert lines[lost.headers["Lepton-Request"]]["status"] == 404
    assert any(line["account"] == "admin" for line in lines.values())
    text = server.log.read_text()
    for hidden in (server.admin_token, secret, METRICS_TOKEN, "lpt_wrong"):
        assert hidden not in text
