"""An upload over several server processes: whichever gets a request serves it, one verifies, and another goes on when that one dies."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.server.weights_client import Weights, WeightsClient, make_pack, weights
from tests.support.backends import Backends
from tests.support.cluster import Cluster
from tests.support.running_server import RunningServer


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, backends: Backends) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    place = backends.place("postgres-disk")
    shared = folder / "packs"  # of all, as a folder that all hosts mount
    place = type(place)(place.database, f"file://{shared}")
    with Cluster(folder, place, 2) as running:
        yield running


@contextmanager
def clients(cluster: Cluster, name: str) -> Iterator[list[WeightsClient]]:
    with ExitStack() as opened:
        yield [
            opened.enter_context(WeightsClient(server.url, cluster.admin_token, f"admin/{name}")) for server in cluster.servers
        ]


def big_file() -> Weights:
    return weights(*(os.urandom(1_000_000) for _ in range(12)))


@pytest.mark.thorough
def test_every_request_may_go_to_another_process(cluster: Cluster) -> None:
    with clients(cluster, "round") as (one, two):
        file = big_file()
        session = one.open()
        two.announce(session, file.manifest())
        for sequence, chunk in enumerate(file.chunks):
            (one, two)[sequence % 2].send(session, make_pack([chunk]), sequence)
        began = time.monotonic()
        two.commit(session)
        assert one.ended(session)["state"] == two.ended(session)["state"] == "done"
        assert time.monotonic() - began < 14  # news of the commit came to who was at it: no lease, of 15 s, had to run out
        assert one.fetch(file.names[3]) == two.fetch(file.names[3]) == file.data[3_000_000:4_000_000]


@pytest.mark.thorough
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_verification_moves_over_when_its_process_ends(cluster: Cluster, how: signal.Signals) -> None:
    with clients(cluster, f"moves-{how.name}") as (one, two):
        file = big_file()
        session = one.open()
        one.announce(session, file.manifest())
        for sequence, chunk in enumerate(file.chunks, 1):  # number 0 seems to be still on its way
            one.send(session, make_pack([chunk]), sequence)
        one.commit(session)
        server = cluster.servers[0]
        server.kill() if how == signal.SIGKILL else server.stop()
        began = time.monotonic()
        assert two.ended(session)["state"] == "done"
        assert time.monotonic() - began < (120 if how == signal.SIGKILL else 14)
        assert two.fetch(file.names[11]) == file.data[11_000_000:]
        server.restart()
        assert one.ended(session)["state"] == "done"


@pytest.mark.thorough
def test_workers_share_an_address_and_are_replaced_when_they_die(tmp_path: Path, backends: Backends) -> None:
    place = backends.place("postgres-disk")
    with RunningServer(tmp_path, ["--workers", "2"], place=place) as server:
        first = workers_of(server)
        assert len(first) == 2
        with WeightsClient(server.url, server.admin_token, "admin/m") as client:
            assert client.upload(big_file())["state"] == "done"
        os.kill(first[0], signal.SIGKILL)
        wait_until(lambda: len(set(workers_of(server)) - set(first)) == 1)
        assert httpx.get(f"{server.url}/healthz").status_code == 200
        last = workers_of(server)
        assert server.stop() == 0
        assert not any(Path(f"/proc/{pid}").exists() for pid in last)


@pytest.mark.thorough
def test_workers_end_with_who_started_them(tmp_path: Path, backends: Backends) -> None:
    with RunningServer(tmp_path, ["--workers", "2"], place=backends.place("postgres-disk")) as server:
        theirs = workers_of(server)
        server.kill()
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in theirs))


def workers_of(server: RunningServer) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(server.pid)], capture_output=True, text=True, check=False).stdout
    return [int(pid) for pid in found.split()]


def wait_until(condition: object, patience: float = 20.0) -> None:
    assert callable(condition)
    limit = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < limit, "it never came about"
        time.sleep(0.05)
