"""Requests that no client would make: what anybody may send before the server knows who it is takes little memory and no time."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from git_lepton.format.coding.encoded import RELEASED
from tests.server.weights_client import Connect, WeightsClient
from tests.support.running_server import RunningServer

ALL = ",".join(map(str, sorted(RELEASED)))

MIB = 1 << 20


def resident_mib(server: RunningServer) -> int:
    """The most memory that the server ever had."""
    status = Path(f"/proc/{server.pid}/status")
    if not status.exists():
        pytest.skip("this system does not tell how much memory a process had")
    return int(status.read_text().split("VmHWM:")[1].split()[0]) // 1024


def flood(server: RunningServer, head: bytes, block: bytes, most: int) -> bytes:
    """Send this head, then the block again and again until the server has enough; its answer, empty if it hung up."""
    url = urlsplit(server.url)
    with socket.create_connection((url.hostname, url.port), timeout=240) as connection:
        try:
            connection.sendall(head)
            for _ in range(0, most, len(block)):
                connection.sendall(block)
            connection.shutdown(socket.SHUT_WR)
            return connection.recv(MIB)
        except OSError:
            return b""


@pytest.mark.parametrize(
    ("head", "block"),
    [
        (b"GET /", b"a" * MIB),
        (b"GET /healthz HTTP/1.1\r\nX: ", b"a" * MIB),
        (b"GET /healthz HTTP/1.1\r\n", b"a: b\r\n" * 100_000),
        (b"POST /healthz HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"a: b\r\n" * 100_000),
    ],
    ids=["address", "header", "headers", "trailers"],
)
def test_a_head_without_end(server: RunningServer, head: bytes, block: bytes) -> None:
    before, began = resident_mib(server), time.monotonic()
    answer = flood(server, head, block, 100 * MIB)
    assert time.monotonic() - began < 120  # the server hung up; else it waits for what does not come
    assert answer == b"" or b" 431 " in answer.splitlines()[0] or b" 400 " in answer.splitlines()[0]
    assert resident_mib(server) < before + 50
    assert httpx.get(f"{server.url}/healthz").status_code == 200


@pytest.mark.parametrize(
    "target",
    [
        "PUT /api/v1/repositories/a/b",
        "POST /api/v1/repositories/a/b/urls",
        "POST /api/v1/repositories/a/b/uploads/s/packs",
    ],
)
def test_a_message_without_end(server: RunningServer, target: str) -> None:
    before = resident_mib(server)
    head = f"{target} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    answer = flood(server, head, b"100000\r\n" + b" " * MIB + b"\r\n", 200 * MIB)
    assert resident_mib(server) < before + 50
    assert answer.startswith(b"HTTP/1.1 413 ") and b'"too_large"' in answer


def test_a_long_head_in_reason_is_taken(server: RunningServer) -> None:
    assert httpx.get(f"{server.url}/healthz", headers={"X": "a" * 30_000}).status_code == 200


@pytest.mark.parametrize(
    ("told", "status"), [("9" * 5000, 426), ("0,1", 426), (f"\xb2,{ALL}", 200), (f"{ALL.replace(',', ' , ')}, 77", 200)]
)
def test_odd_codecs(connect: Connect, told: str, status: int) -> None:
    client = connect()
    client.open()
    reply = client.ask("GET", headers={"Lepton-Codecs": told.encode("latin-1")})
    assert reply.status_code == status, reply.text


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"ranges": [{"pack": "\\ud800", "start": 1, "end": 2}]}', b"nonsense", b"\xff\xfe"]
)
def test_messages_that_no_reader_likes(connect: Connect, body: bytes) -> None:
    client = connect()
    client.open()
    reply = client.ask("POST", "urls", content=body, headers={"Content-Type": "application/json"})
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "bad_request")


def test_who_hangs_up_in_a_body_is_not_worth_a_line(tmp_path: Path) -> None:
    with RunningServer(tmp_path) as server, WeightsClient(server.url, server.admin_token, "admin/m") as client:
        client.open()
        url = urlsplit(server.url)
        with socket.create_connection((url.hostname, url.port)) as connection:
            path = "/api/v1/repositories/admin/m/plan"
            head = f"POST {path} HTTP/1.1\r\nAuthorization: Bearer {server.admin_token}\r\nContent-Length: 320\r\n\r\n"
            connection.sendall(head.encode() + bytes(32))
            time.sleep(0.2)
        assert client.plan([])["missing"] == []
        server.stop()
        assert server.log.read_text() == ""
