"""What a server says of its database to those who watch it, also while there is none."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from lepton_server.coordination import maintenance_runs
from lepton_server.database.transactions import Database
from lepton_server.settings import ServerSettings
from tests.server.observing import METRICS_TOKEN, sample, scrape, wait_until_ready_is
from tests.server.weights_client import WeightsClient, weights
from tests.support.backends import Backends, Place
from tests.support.postgres import Postgres
from tests.support.running_server import RunningServer


def test_figures_of_the_database(tmp_path: Path, settings: ServerSettings, noise: Callable[[int], bytes]) -> None:
    place = Place(settings.database)
    with RunningServer(tmp_path, ["--metrics-token", METRICS_TOKEN], place=place) as server:
        with WeightsClient(server.url, server.admin_token, "admin/m") as client:
            assert client.upload(weights(noise(100_000)))["state"] == "done"
            client.open()
        database = Database(server.settings.database_place)
        with database.write() as connection:
            maintenance_runs.note(connection, "gc")
            maintenance_runs.note(connection, "gc")
        database.close()
        found = scrape(server)
    assert sample(found, "lepton_uploads", state="done") == 1
    assert sample(found, "lepton_uploads", state="open") == 1
    assert sample(found, "lepton_packs", state="verified") == 1
    assert 100_000 < sample(found, "lepton_stored_bytes", state="verified") < 101_000
    assert abs(sample(found, "lepton_last_run_timestamp_seconds", what="gc") - time.time()) < 60
    assert sample(found, "lepton_repositories") == 1
    assert sample(found, "lepton_disk_free_bytes", place="data") > 0


@pytest.mark.thorough
def test_a_database_that_goes_away_and_comes_back(tmp_path: Path) -> None:
    with (
        Postgres() as postgres,
        RunningServer(tmp_path, place=Place(postgres.new_database())) as server,
        WeightsClient(server.url, server.admin_token, "admin/m") as client,
    ):
        assert client.upload(weights(b"before"))["state"] == "done"
        postgres.stop()
        for _ in range(3):  # connections that died, and then none at all
            answer = client.ask("POST", "uploads")
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
            assert int(answer.headers["Retry-After"]) > 0
            assert "postgres" not in answer.text
        wait_until_ready_is(server, 503)
        assert httpx.get(f"{server.url}/readyz").json()["parts"]["database"]["state"] == "failed"
        assert httpx.get(f"{server.url}/healthz").status_code == 200
        postgres.start()
        wait_until_ready_is(server, 200)
        assert client.upload(weights(b"after"))["state"] == "done"


@pytest.mark.thorough
def test_workers_count_together(tmp_path: Path, backends: Backends) -> None:
    options = ["--workers", "2", "--metrics-token", METRICS_TOKEN]
    with RunningServer(tmp_path, options, place=backends.place("postgres-disk")) as server:
        with ThreadPoolExecutor(8) as pool:  # connections of their own, so that both workers get some
            asked = pool.map(lambda _: httpx.get(f"{server.url}/healthz").status_code, range(40))
            assert list(asked) == [200] * 40
        for _ in range(6):
            found = scrape(server)
            assert sample(found, "lepton_requests_total", route="/healthz", method="GET", status="200") == 40
            assert sample(found, "lepton_requests_in_progress") == 1
        assert len({file.stem.rpartition("_")[2] for file in (server.data / "metrics").glob("counter_*.db")}) == 2
    assert not (server.data / "metrics").exists()


@pytest.mark.thorough
def test_ready_says_how_packs_travel(tmp_path: Path, backends: Backends) -> None:
    with RunningServer(tmp_path, place=backends.place("postgres-moto")) as server:
        told = httpx.get(f"{server.url}/readyz").json()
        assert told["status"] == "ready"
        assert "clients send and fetch packs" in told["parts"]["storage"]["detail"]
        assert "ranges_kept" in told["parts"]["storage"]["detail"]
