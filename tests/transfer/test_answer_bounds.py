"""Of an answer no more is read than the request can be answered with, whatever a hostile server sends; refusals too."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from urllib3.connection import HTTPConnection

from git_lepton.errors import LeptonError
from git_lepton.format.identifiers import ChunkId, ObjectId
from git_lepton.format.manifest import Manifest, ManifestEntry
from git_lepton.settings import Settings
from git_lepton.transfer.collaboration import Collaboration
from git_lepton.transfer.evidence import EvidenceStore
from git_lepton.transfer.git_snapshot import read_snapshot
from git_lepton.transfer.http.connection import Connection
from git_lepton.transfer.http.refusals import AnswerTooLong
from git_lepton.transfer.http.retries import Patience
from git_lepton.transfer.remote_store import RemoteStore
from git_lepton.transfer.tombstones import taken_away
from git_lepton.wire import protocol
from git_lepton.wire.evidence import FoundRecord
from git_lepton.wire.messages import RangeRequest, to_json
from git_lepton.workflow.download.share import fetch_share
from tests.transfer.scripted_server import CAPABILITIES, Answer, Request, ScriptedServer

OIDS = [ObjectId(bytes([number]) * 32) for number in range(8)]
CHUNKS = [ChunkId(bytes([number]) * 32) for number in range(8)]
QUICK = Patience(total_s=0, first_contact_s=0, fewest_attempts=1, internal_errors=1)
MIB = 1 << 20
BUFFER = MIB // 4
SLACK = 4 * MIB  # what lies in the buffers of both sides, and a block


@pytest.fixture(autouse=True)
def small_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections take in little that nobody reads: the system alone would let 32 MiB lie on a busy machine."""
    options = [*HTTPConnection.default_socket_options, (socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)]
    monkeypatch.setattr(HTTPConnection, "default_socket_options", options)


class Endless:
    """A server whose answers have no end, with this status; the greeting has one, unless it is not to `greet`. `sent`: bytes."""

    def __init__(self, status: int = 200, *, greet: bool = True, length: str = "") -> None:
        self.sent = 0
        endless = self

        class Handler(BaseHTTPRequestHandler):
            def setup(self) -> None:
                self.request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
                super().setup()

            def do_any(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if greet and self.path == protocol.CAPABILITIES:
                    body = json.dumps(to_json(CAPABILITIES)).encode()
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                    return
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                if length:
                    self.send_header("Content-Length", length)
                self.end_headers()
                block = b"1," * (MIB // 2)
                try:
                    self.wfile.write(b"[")
                    while True:
                        self.wfile.write(block)
                        endless.sent += len(block)
                except OSError:
                    self.close_connection = True

            do_GET = do_POST = do_PUT = do_any

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> Endless:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def endless() -> Iterator[Endless]:
    with Endless() as server:
        yield server


def store(url: str) -> RemoteStore:
    return RemoteStore(Connection(url, patience=QUICK), "ada/models")


REQUESTS: dict[str, tuple[Callable[[RemoteStore], object], int]] = {
    "account": (lambda remote: remote.account(), 1),
    "information": (lambda remote: remote.information(), 1),
    "check": (lambda remote: remote.check(OIDS), 1),
    "open_upload": (lambda remote: remote.open_upload(), 1),
    "have": (lambda remote: remote.have("s", CHUNKS), 1),
    "commit": (lambda remote: remote.commit("s"), 16),
    "upload_state": (lambda remote: remote.upload_state("s"), 16),
    "plans": (lambda remote: list(remote.plans(CHUNKS)), 2),
    "range_urls": (lambda remote: remote.range_urls([RangeRequest("a" * 64, 0, 1)]), 2),
    "tombstones": (lambda remote: taken_away(remote, OIDS), 16),
    "found_records": (lambda remote: EvidenceStore(remote).find(["a" * 64]), 16),
    "record": (lambda remote: EvidenceStore(remote).read(FoundRecord("a" * 64, "self", "", 0, "", "", "")), 8),
    "kept_record": (lambda remote: EvidenceStore(remote).send(b"{}"), 1),
    "locks": (lambda remote: Collaboration(remote).locks(), 16),
    "shares": (lambda remote: Collaboration(remote).shares(), 16),
    "manifests": (lambda remote: remote.manifests(OIDS[:1]), 65),
    "transfer": (lambda remote: remote.connection.transfer("PUT", "/pack", asked="pack", body=b"x", headers={}), 1),
    "refs": (lambda remote: read_snapshot(remote, "main"), 65),
}


@pytest.mark.parametrize("name", list(REQUESTS))
def test_an_answer_without_end_is_left(endless: Endless, name: str) -> None:
    request, most = REQUESTS[name]
    with pytest.raises(AnswerTooLong, match="sends more") as caught:
        request(store(endless.url))
    assert caught.value.exit_code == 5
    assert endless.sent <= most * MIB + SLACK


def test_a_greeting_without_end_is_left(tmp_path: Path) -> None:
    with Endless(greet=False) as server, pytest.raises(AnswerTooLong):
        fetch_share(Settings(None, {}), f"{server.url}/s/{'a' * 43}", tmp_path / "files")
    assert server.sent <= SLACK


@pytest.mark.parametrize("status", [302, 401, 403, 404, 500, 507])
def test_a_refusal_without_end_is_left(status: int) -> None:
    with Endless(status) as server, pytest.raises(LeptonError):
        store(server.url).information()
    assert server.sent <= SLACK


def test_a_length_that_cannot_be_is_not_even_read() -> None:
    with Endless(length=str(1 << 60)) as server, pytest.raises(AnswerTooLong):
        store(server.url).account()
    assert server.sent <= SLACK


def test_manifests_that_are_too_much_for_one_answer_are_asked_for_in_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    manifests = {oid: Manifest(oid, 7, (ManifestEntry(CHUNKS[0], 7),)).encode() for oid in OIDS}
    most = 3 * len(next(iter(manifests.values())))
    monkeypatch.setattr(protocol, "MAX_MANIFESTS_BYTES", most)
    asked: list[int] = []

    def answer(request: Request) -> Answer:
        names = [ObjectId(request.body[at : at + 32]) for at in range(0, len(request.body), 32)]
        asked.append(len(names))
        return Answer(200, b"".join(len(manifests[name]).to_bytes(4, "little") + manifests[name] for name in names))

    with ScriptedServer(answer) as server:
        assert [manifest.oid for manifest in store(server.url).manifests(OIDS)] == OIDS
    assert asked == [8, 4, 2, 2, 4, 2, 2]
