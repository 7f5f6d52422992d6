from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_lepton.format.coding.encoded import RELEASED
from git_lepton.format.identifiers import ChunkId, ObjectId
from git_lepton.format.manifest import Manifest, ManifestEntry
from git_lepton.git.repository import GitRepository
from git_lepton.settings import Settings
from git_lepton.store.local_store import LocalStore
from git_lepton.transfer import remote_store
from git_lepton.transfer.remote_store import BadAnswer, RemoteStore
from git_lepton.transfer.upload import upload
from git_lepton.wire import protocol
from git_lepton.wire.messages import Account, NewRepository, PackOffer, RangeRequest, RangeUrls, RepositoryInfo, Tickets
from tests.transfer.conftest import Connect
from tests.transfer.double_server import Double
from tests.transfer.scripted_server import Answer, Request, ScriptedServer, error_answer, json_answer
from tests.transfer.weights import MIB, add_object, noise

OIDS = [ObjectId(bytes([index]) * 32) for index in range(5)]


def test_what_we_say_to_decode_is_what_we_decode() -> None:
    assert set(remote_store.DECODABLE) == RELEASED


def test_what_asks_a_server_needs_no_numpy() -> None:
    code = "import sys; from git_lepton.transfer import download, remote_store, upload; print('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.strip() == b"False"


def test_lists_are_split_to_the_limits(
    here: LocalStore, double: Double, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    pointers = [add_object(here, noise(50, seed), piece=10) for seed in range(5)]
    remote = connect(double.url)
    upload(here, remote, pointers)
    oids = [pointer.oid for pointer in pointers]
    chunks = [entry.chunk for oid in oids for entry in here.manifest(oid).entries]  # type: ignore[union-attr]
    for name in ("MAX_DIGESTS", "MAX_MANIFESTS", "MAX_TICKETS", "MAX_RANGES"):
        monkeypatch.setattr(protocol, name, 2)
    monkeypatch.setattr(remote_store, "_PLANNED_AT_ONCE", 10)
    double.server.requests.clear()
    assert remote.check([*oids, OIDS[0]]) == {**dict.fromkeys(oids, 2), OIDS[0]: 0}
    assert [manifest.oid for manifest in remote.manifests([OIDS[0], *oids])] == oids
    assert remote.have("s0", chunks) == dict.fromkeys(chunks, 0)
    assert [len(asked) for asked, _ in remote.plans(chunks)] == [10, 10, 5]
    assert [t.pack for t in remote.tickets("s0", [PackOffer(f"{n}", 1, n) for n in range(5)])] == ["0", "1", "2", "3", "4"]
    pack = next(iter(double.packs))
    assert [u.headers["Range"] for u in remote.range_urls([RangeRequest(pack, n, n + 5) for n in range(3)])] == [
        f"bytes={n}-{n + 4}" for n in range(3)
    ]
    assert len(double.server.requests) == 3 + 3 + 13 + 3 + 3 + 2


def test_who_and_where(connect: Connect) -> None:
    information = RepositoryInfo("ada/m", "hosted", "private", "owner", [0, 1], "main")
    asked: list[Request] = []

    def answer(request: Request) -> Answer:
        asked.append(request)
        return json_answer(Account("ada", True) if request.path.endswith("account") else information)

    with ScriptedServer(answer) as server:
        remote = connect(server.url)
        assert remote.account() == Account("ada", True)
        assert remote.information() == information
        assert remote.create(NewRepository(kind="external")) == information
    assert [(request.method, request.path) for request in asked] == [
        ("GET", "/api/v1/account"),
        ("GET", "/api/v1/repositories/ada/m"),
        ("PUT", "/api/v1/repositories/ada/m"),
    ]
    assert b'"external"' in asked[2].body


@pytest.mark.parametrize(
    ("answer", "call"),
    [
        (Answer(200, b"\0"), lambda remote: remote.check(OIDS)),
        (Answer(200, b"\7" * 5), lambda remote: remote.check(OIDS)),
        (Answer(200, b"\0\0\0\0"), lambda remote: remote.manifests(OIDS)),
        (Answer(200, b"\0" * 21), lambda remote: remote.manifests(OIDS)),
        (json_answer(Tickets([])), lambda remote: remote.tickets("s", [PackOffer("p", 1, 0)])),
        (json_answer(RangeUrls([])), lambda remote: remote.range_urls([RangeRequest("p", 0, 1)])),
    ],
)
def test_an_answer_that_does_not_fit_the_question_is_refused(answer: Answer, call: object, connect: Connect) -> None:
    with ScriptedServer(lambda _request: answer) as server, pytest.raises(BadAnswer):
        call(connect(server.url))  # type: ignore[operator]


def test_the_manifest_of_another_object_is_refused(connect: Connect) -> None:
    data = Manifest(OIDS[1], 3, (ManifestEntry(ChunkId(bytes(32)), 3),)).encode()
    body = len(data).to_bytes(4, "little") + data
    with ScriptedServer(lambda _request: Answer(200, body)) as server, pytest.raises(BadAnswer, match="0101"):
        connect(server.url).manifests(OIDS[:1])


@given(st.lists(st.binary(max_size=300), max_size=5), st.integers(-1, 6), st.binary(max_size=9))
def test_framed_texts_are_read_back_or_refused(texts: list[bytes], count: int, rest: bytes) -> None:
    body = b"".join(len(text).to_bytes(4, "little") + text for text in texts)
    assert remote_store._framed(body, len(texts)) == texts
    if rest:
        with pytest.raises(BadAnswer):
            remote_store._framed(body + rest, len(texts))
    if count > len(texts):
        with pytest.raises(BadAnswer):
            remote_store._framed(body, count)


def test_a_repository_that_is_made_by_the_first_push(here: LocalStore, double: Double, connect: Connect) -> None:
    usual, opened = double.answer, []

    def answer(request: Request) -> Answer:
        opened.append(request.path.endswith("/uploads"))
        return usual(request) if any(opened) else error_answer(404, "not_found", "no")

    double.server.answer = answer
    pointer = add_object(here, noise(MIB, 1))
    assert upload(here, connect(double.url), [pointer]).objects == 1


def repository(folder: Path, remote: str) -> Settings:
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    subprocess.run(["git", "-C", str(folder), "remote", "add", "origin", remote], check=True)
    return Settings(GitRepository.find(folder), {"GIT_LEPTON_TOKEN": "t0ken"})


def test_a_location_becomes_a_remote_store_with_the_users_token(tmp_path: Path) -> None:
    with ScriptedServer(lambda _request: json_answer(Account("ada", True))) as server:
        settings = repository(tmp_path, f"lepton::{server.url}/ada/m")
        remote: RemoteStore = remote_store.connect(settings.store_location(), settings)
        assert remote.account().name == "ada"
        remote.close()
    assert remote.repository == "ada/m"
    assert server.requests[0].headers["authorization"] == "Bearer t0ken"


def test_a_location_that_is_not_to_get_the_token_does_not_get_it(tmp_path: Path) -> None:
    with ScriptedServer(lambda _request: json_answer(Account("nobody", False))) as server:
        settings = repository(tmp_path, f"lepton::{server.url}/ada/m")
        location = dataclasses.replace(settings.store_location(), token_allowed=False)
        remote = remote_store.connect(location, settings)
        assert remote.account().name == "nobody"
        remote.close()
    assert "authorization" not in server.requests[0].headers


def test_manifests_are_announced_together_up_to_the_limits(
    double: Double, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "MAX_MANIFESTS", 3)
    monkeypatch.setattr(protocol, "MAX_ANNOUNCED_BYTES", 1000)
    small = [Manifest(ObjectId(bytes([n]) * 32), 5, (ManifestEntry(ChunkId(bytes(32)), 5),)) for n in range(1, 8)]
    large = Manifest(ObjectId(bytes(32)), 20, tuple(ManifestEntry(ChunkId(bytes(32)), 1) for _ in range(20)))
    remote = connect(double.url)
    session = remote.open_upload().session
    before = len(double.server.requests)
    remote.announce_all(session, [*small[:4], large, *small[4:]])
    asked = [request.method for request in double.server.requests[before:]]
    assert double.sessions[session] == {manifest.oid.raw: manifest for manifest in [*small, large]}
    assert asked == ["POST", "PUT", "POST", "POST"]
