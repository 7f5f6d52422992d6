"""What breaks: the server killed or stopped at a bad moment, a full disk, a cut connection, things that expire."""

from __future__ import annotations

import random
import resource
import socket
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from git_lepton.format.identifiers import ObjectId
from git_lepton.wire.protocol import STORED
from lepton_server.http.transfer_tokens import GET, PUT, Signer
from tests.server.weights_client import Weights, WeightsClient, make_pack, weights
from tests.support.running_server import RunningServer


def big_file(seed: int) -> Weights:
    source = random.Random(seed)
    return weights(*(source.randbytes(1_500_000) for _ in range(12)))


def everything_but_verified(client: WeightsClient, file: Weights) -> str:
    """An upload whose packs are all there, and none verified: number 0 seems to be still on its way."""
    session = client.open()
    client.announce(session, file.manifest())
    for sequence, chunk in enumerate(file.chunks, 1):
        client.send(session, make_pack([chunk]), sequence)
    return session


def incoming(server: RunningServer) -> list[Path]:
    """What is on its way into the storage: packs, and for a moment notes that the server writes of its own accord."""
    return list((server.data / "packs" / "incoming").iterdir())


@pytest.mark.parametrize("seconds", [0.0, 0.05])
def test_after_kill_9_in_a_verification_the_next_server_goes_on(tmp_path: Path, seconds: float) -> None:
    file = big_file(1)
    with RunningServer(tmp_path) as server, WeightsClient(server.url, server.admin_token, "admin/m") as client:
        session = everything_but_verified(client, file)
        assert client.commit(session)["state"] == "verifying"
        time.sleep(seconds)
        server.kill()
        server.restart()
        assert client.ended(session)["state"] == "done"
        assert client.check(file.oid) == [STORED]
        assert client.fetch(file.names[-1]) == file.data[-1_500_000:]


@pytest.mark.thorough
def test_after_kill_9_before_the_commit_the_same_session_goes_on(tmp_path: Path) -> None:
    file = big_file(2)
    with RunningServer(tmp_path) as server, WeightsClient(server.url, server.admin_token, "admin/m") as client:
        session = client.open()
        client.announce(session, file.manifest())
        for sequence, chunk in enumerate(file.chunks[:6]):
            client.send(session, make_pack([chunk]), sequence)
        server.kill()
        server.restart()
        for sequence, chunk in enumerate(file.chunks[6:], 6):
            client.send(session, make_pack([chunk]), sequence)
        client.commit(session)
        assert client.ended(session)["state"] == "done"


@pytest.mark.thorough
def test_a_stopped_server_ends_well_and_the_next_goes_on(tmp_path: Path) -> None:
    file = big_file(3)
    with RunningServer(tmp_path) as server, WeightsClient(server.url, server.admin_token, "admin/m") as client:
        session = everything_but_verified(client, file)
        client.commit(session)
        assert server.stop() == 0
        server.restart()
        assert client.ended(session)["state"] == "done"
        assert server.stop() == 0
        assert server.log.read_text() == ""  # a terminal on which nothing went wrong shows nothing


def test_who_waits_for_a_verification_does_not_hold_the_server_up(tmp_path: Path) -> None:
    with RunningServer(tmp_path) as server, WeightsClient(server.url, server.admin_token, "admin/m") as client:
        session = everything_but_verified(client, big_file(9))
        client.commit(session)
        replies: list[httpx.Response] = []
        waiting = threading.Thread(target=lambda: replies.append(client.ask("GET", "uploads", session, params={"wait": 20})))
        waiting.start()
        began = time.monotonic()
        assert server.stop() == 0
        waiting.join()
        assert time.monotonic() - began < 18  # of the 20 that it would have waited
        assert replies[0].status_code == 200


@pytest.mark.thorough
def test_a_request_under_way_ends_before_the_server_does(tmp_path: Path) -> None:
    file = weights(random.Random(4).randbytes(200_000))
    pack = make_pack(file.chunks)
    with RunningServer(tmp_path) as server, WeightsClient(server.url, server.admin_token, "admin/m") as client:
        ticket = client.ticket(client.open(), pack)
        url = urlsplit(ticket["url"])
        with socket.create_connection((url.hostname, url.port)) as connection:
            connection.sendall(f"PUT {url.path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(pack.data)}\r\n\r\n".encode())
            connection.sendall(pack.data[:1000])
            time.sleep(0.3)
            codes: list[int] = []
            stopper = threading.Thread(target=lambda: codes.append(server.stop()))
            stopper.start()
            time.sleep(0.3)
            connection.sendall(pack.data[1000:])
            assert connection.recv(12) == b"HTTP/1.1 201"
        stopper.join()
        assert codes == [0]
        server.restart()
        session = client.open()
        client.announce(session, file.manifest())
        assert not client.ticket(session, pack)["url"]  # the pack is there
        client.commit(session)
        assert client.ended(session)["state"] == "done"


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    limit = 1_500_000
    source = random.Random(5)
    large, small = weights(source.randbytes(2_000_000)), weights(source.randbytes(300_000))

    def no_long_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    with (
        RunningServer(tmp_path, prepare=no_long_files) as server,
        WeightsClient(server.url, server.admin_token, "admin/m") as client,
    ):
        pack = make_pack(large.chunks)
        reply = client.put(client.ticket(client.open(), pack), pack.data)
        assert (reply.status_code, reply.json()["error"]["code"]) == (507, "storage_full")
        wait_until(lambda: incoming(server) == [])
        assert client.upload(small)["state"] == "done"
        server.restart()
        assert client.check(large.oid, small.oid) == [0, 2]


def test_a_cut_connection_leaves_nothing(tmp_path: Path) -> None:
    pack = make_pack(weights(random.Random(6).randbytes(5_000_000)).chunks)
    with RunningServer(tmp_path) as server, WeightsClient(server.url, server.admin_token, "admin/m") as client:
        session = client.open()
        ticket = client.ticket(session, pack)
        url = urlsplit(ticket["url"])
        with socket.create_connection((url.hostname, url.port)) as connection:
            connection.sendall(f"PUT {url.path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(pack.data)}\r\n\r\n".encode())
            connection.sendall(pack.data[:3_000_000])
            wait_until(lambda: len(incoming(server)) == 1)
        wait_until(lambda: incoming(server) == [])
        assert client.ticket(session, pack)["url"]  # still to be sent
        assert server.stop() == 0
        assert server.log.read_text() == ""


@pytest.mark.thorough
def test_what_dead_servers_left_is_cleared(tmp_path: Path) -> None:
    with RunningServer(tmp_path) as server:
        server.kill()
        half = server.data / "packs" / "incoming" / "half"
        half.write_bytes(b"half a pack")
        server.restart()
        assert not half.exists()


@pytest.mark.thorough
def test_an_unused_session_expires_and_a_used_one_does_not(tmp_path: Path) -> None:
    with (
        RunningServer(tmp_path, ["--session-seconds", "2"]) as server,
        WeightsClient(server.url, server.admin_token, "admin/m") as client,
    ):
        used, unused = client.open(), client.open()
        for _ in range(5):
            time.sleep(0.5)
            assert client.have(used, []) == []
        reply = client.ask("POST", "uploads", unused, "have")
        assert (reply.status_code, reply.json()["error"]["code"]) == (410, "session_gone")


def test_transfer_urls_expire(tmp_path: Path) -> None:
    file = weights(random.Random(7).randbytes(1000))
    with (
        RunningServer(tmp_path, ["--transfer-seconds", "100"]) as server,
        WeightsClient(server.url, server.admin_token, "admin/m") as client,
    ):
        client.upload(file)
        plan = client.plan(file.names)
        _, offset, stored, *_ = plan["entries"][0]
        url = client.urls(plan["packs"][0]["pack"], offset, offset + stored).json()["urls"][0]
        pack = make_pack(weights(b"another").chunks)
        ticket = client.ticket(client.open(), pack)
        assert httpx.get(url["url"]).status_code == 403  # without its header
        assert httpx.get(url["url"], headers={"Range": f"bytes={offset}-{offset + stored}"}).status_code == 403
        assert httpx.get(url["url"], headers=url["headers"]).status_code == 206
        assert (url["expires_in"], ticket["expires_in"]) == (100, 100)
        assert httpx.get(aged(server, GET, url["url"]), headers=url["headers"]).status_code == 403
        assert client.put({**ticket, "url": aged(server, PUT, ticket["url"])}, pack.data).status_code == 403
        assert client.put(ticket, pack.data).status_code == 201


def test_a_missing_pack_file_is_our_failure_and_says_so(tmp_path: Path) -> None:
    file = weights(random.Random(8).randbytes(1000))
    with RunningServer(tmp_path) as server, WeightsClient(server.url, server.admin_token, "admin/m") as client:
        client.upload(file)
        plan = client.plan(file.names)
        _, offset, stored, *_ = plan["entries"][0]
        url = client.urls(plan["packs"][0]["pack"], offset, offset + stored).json()["urls"][0]
        for pack in (server.data / "packs").glob("t*/??/*"):
            pack.unlink()
        assert httpx.get(url["url"], headers=url["headers"]).status_code == 404
        assert client.check(ObjectId(file.oid.raw)) == [STORED]


def test_a_pack_that_the_disk_lost_is_refused_and_can_be_sent_again(tmp_path: Path) -> None:
    file = weights(random.Random(10).randbytes(1000))
    with RunningServer(tmp_path) as server, WeightsClient(server.url, server.admin_token, "admin/m") as client:
        session = everything_but_verified(client, file)
        server.kill()
        for pack in (server.data / "packs").glob("t*/??/*"):
            pack.unlink()
        server.restart()
        client.commit(session)
        state = client.ended(session)
        assert state["state"] == "failed"
        assert {failure["code"] for failure in state["failures"]} == {"internal_error", "missing_chunks"}
        assert client.upload(file)["state"] == "done"


def aged(server: RunningServer, purpose: str, url: str) -> str:
    """The same URL as it is when its time is over."""
    signer = Signer.of_file(server.data / "transfer-secret")
    start, _, token = url.rpartition("/")
    return f"{start}/{signer.sign(purpose, signer.open(purpose, token), 0)}"


def wait_until(condition: object, patience: float = 10.0) -> None:
    assert callable(condition)
    limit = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < limit, "it never came about"
        time.sleep(0.02)
