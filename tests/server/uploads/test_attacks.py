"""Packs and manifests made to fill the server's memory, to be said to be stored, or to be taken for something else."""

from __future__ import annotations

import hashlib
import socket
import struct
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from git_lepton.format.coding.codec import encode
from git_lepton.format.coding.encoded import EncodedChunk
from git_lepton.format.identifiers import ChunkId, ObjectId, PackId
from git_lepton.format.manifest import BadManifest, check_manifest, parse_manifest
from git_lepton.wire.messages import PackOffer
from git_lepton.wire.protocol import repository_path
from lepton_server.backends import open_database
from lepton_server.errors import Refusal
from lepton_server.identity.accounts import caller_by_id, ensure_account
from lepton_server.repositories import registry
from lepton_server.settings import ServerSettings
from lepton_server.storage.disk import DiskStore
from lepton_server.uploads import records as upload_records
from lepton_server.uploads import sessions
from lepton_server.uploads.verification import Verification
from lepton_server.uploads.verification_threads import Verifier
from tests.server.http.test_attacks import resident_mib
from tests.server.weights_client import Connect, Noise, WeightsClient, make_pack, weights
from tests.support.running_server import RunningServer


def manifest_of_one_byte_chunks(byte: bytes, count: int, oid: ObjectId | None = None) -> bytes:
    entry = struct.pack("<32sI", ChunkId.of(byte).raw, 1)
    name = oid or ObjectId(bytes(32))
    body = struct.pack("<4sB3x32sQI4x", b"LMAN", 1, name.raw, count, count) + entry * count
    return body + struct.pack("<Q", xxhash.xxh3_64_intdigest(body))


def test_a_manifest_is_checked_without_an_object_for_each_chunk() -> None:
    data = manifest_of_one_byte_chunks(b"a", 100_000)
    tracemalloc.start()
    try:
        assert check_manifest(data).size == 100_000
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


@given(st.integers(0, 200), st.integers(1, 255), st.booleans())
def test_both_readers_of_manifests_agree(position: int, change: int, mended: bool) -> None:
    data = bytearray(manifest_of_one_byte_chunks(b"a", 4))
    data[position % len(data)] ^= change
    if mended:
        data[-8:] = struct.pack("<Q", xxhash.xxh3_64_intdigest(bytes(data[:-8])))
    outcomes: list[object] = []
    for read in (check_manifest, parse_manifest):
        try:
            found = read(bytes(data))
            outcomes.append((found.oid, found.size))
        except BadManifest as error:
            outcomes.append(error.message)
        except Exception as error:
            outcomes.append(type(error))
    assert outcomes[0] == outcomes[1]


@pytest.mark.thorough
def test_the_manifests_of_one_upload_are_bounded_together(connect: Connect, server: RunningServer) -> None:
    client = connect()
    session, before = client.open(), resident_mib(server)
    statuses = []
    for number in range(4):
        oid = ObjectId(bytes([number]) * 32)
        body = manifest_of_one_byte_chunks(b"a", 600_000, oid)
        reply = client.ask("PUT", "uploads", session, "manifests", oid.hex, content=body)
        statuses.append(reply.status_code)
    assert statuses == [202, 202, 202, 413]
    assert resident_mib(server) < before + 330


def test_large_bodies_that_come_at_once_are_bounded_together(connect: Connect, server: RunningServer) -> None:
    client = connect()
    session, before = client.open(), resident_mib(server)
    url, address = urlsplit(server.url), repository_path(client.name, "uploads", session, "manifests", "0" * 64)
    head = f"PUT {address} HTTP/1.1\r\nAuthorization: Bearer {server.admin_token}\r\nContent-Length: {60 << 20}\r\n\r\n".encode()
    block = bytes(59 << 20)
    with ExitStack() as opened:
        connections = [opened.enter_context(socket.create_connection((url.hostname, url.port), timeout=60)) for _ in range(5)]
        for connection in connections:
            with suppress(OSError):  # refused while it still sends
                connection.sendall(head + block)
        assert [connection.recv(12) for connection in connections[3:]] == [b"HTTP/1.1 429"] * 2
        for connection in connections[:3]:  # the server waits for their ends
            connection.setblocking(False)
            with pytest.raises(BlockingIOError):
                connection.recv(12)
    assert resident_mib(server) < before + 250
    assert client.ask("PUT", "uploads", session, "manifests", "0" * 64, content=b"x").status_code == 422


def test_large_manifests_are_read_back_piece_by_piece(connect: Connect, server: RunningServer) -> None:
    client, count = connect(), 300_000
    oid = ObjectId(hashlib.sha256(b"z" * count).digest())
    manifest = manifest_of_one_byte_chunks(b"z", count, oid)
    session = client.open()
    assert client.ask("PUT", "uploads", session, "manifests", oid.hex, content=manifest).status_code == 202
    client.send(session, make_pack([encode(b"z", "")]))
    client.commit(session)
    assert client.ended(session)["state"] == "done"
    before = resident_mib(server)
    address = repository_path(client.name, "manifests", "read")
    with client.http.stream("POST", address, content=oid.raw * 40) as reply:
        assert int(reply.headers["content-length"]) == 40 * (4 + len(manifest))
        head = b""
        for part in reply.iter_bytes():
            head += part
            if len(head) > 2 * len(manifest):
                break
    assert head[4 : 4 + len(manifest)] == manifest
    assert resident_mib(server) < before + 120


def test_a_pack_of_very_many_records_is_sent_in_smaller_ones(connect: Connect) -> None:
    """413: a client halves its packs then."""
    client = connect()
    tiny = encode(b"x", "")
    pack = make_pack([tiny] * 65_537)
    reply = client.put(client.ticket(client.open(), pack), pack.data)
    assert (reply.status_code, reply.json()["error"]["code"]) == (413, "too_large")


def test_of_two_encodings_that_come_at_once_one_stands(connect: Connect, server: RunningServer, noise: Noise) -> None:
    data = noise(1000) * 400
    ways = [encode(data, "", frozenset({codec})) for codec in (0, 1)]
    clients = [connect(f"admin/encodings-{number}") for number in range(2)]
    states: list[str] = []

    def send(client: WeightsClient, chunk: EncodedChunk) -> None:
        states.append(client.upload(replace(weights(data), chunks=(chunk,)))["state"])

    threads = [threading.Thread(target=send, args=pair) for pair in zip(clients, ways, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert states == ["done", "done"]
    assert [client.fetch(ways[0].name.raw) == data for client in clients] == [True, True]
    assert clients[0].plan([ways[0].name.raw])["entries"] == clients[1].plan([ways[0].name.raw])["entries"]


@pytest.fixture(scope="module")
def fuzzed(server: RunningServer) -> Iterator[WeightsClient]:
    with WeightsClient(server.url, server.admin_token, "admin/fuzzed") as client:
        yield client


PAYLOADS = st.one_of(
    st.binary(min_size=1, max_size=200),
    st.binary(min_size=1, max_size=200).map(lambda raw: bytes(encode(raw * 50, "BF16").payload)),
)


@pytest.mark.thorough
@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            PAYLOADS,
            st.sampled_from([0, 0, 1, 2, 3, 255]),
            st.sampled_from([0, 0, 1, 3, 4, 255]),
            st.sampled_from([1, 200, 10_000, 16 << 20, (16 << 20) + 1, 0xFFFFFFFF, 0]),
            st.booleans(),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_no_pack_of_nonsense_is_taken(fuzzed: WeightsClient, records: list[tuple[bytes, int, int, int, bool]]) -> None:
    chunks = [
        EncodedChunk(
            ChunkId.of(b"?" + payload),
            codec,
            depth,
            ChunkId.of(b"!") if based else None,
            raw,
            payload,
            xxhash.xxh3_64_intdigest(payload),
        )
        for payload, codec, depth, raw, based in records
    ]
    pack = make_pack(chunks)
    session = fuzzed.open()
    reply = fuzzed.put(fuzzed.ticket(session, pack), pack.data)
    if reply.status_code != 201:
        assert (reply.status_code, reply.json()["error"]["code"]) == (422, "corrupt_data")
        return
    fuzzed.commit(session)
    state = fuzzed.ended(session)
    assert state["state"] == "failed"
    assert {failure["code"] for failure in state["failures"]} <= {"corrupt_data", "missing_chunks", "bad_request"}
    assert fuzzed.plan([chunk.name.raw for chunk in chunks])["entries"] == []


@settings(max_examples=40)
@given(st.data())
def test_no_flipped_byte_of_a_pack_gets_through(fuzzed: WeightsClient, data: st.DataObject) -> None:
    raw = bytes(range(256)) * 3 + data.draw(st.binary(min_size=8, max_size=8))
    pack = make_pack([encode(raw, "")])
    body = bytearray(pack.data)
    body[data.draw(st.integers(0, len(body) - 1))] ^= data.draw(st.integers(1, 255))
    session = fuzzed.open()
    ticket = fuzzed.ticket(session, pack)
    if not ticket["url"]:
        return  # drawn before
    reply = fuzzed.put(ticket, bytes(body))
    fuzzed.commit(session)
    assert reply.status_code == 422 or fuzzed.ended(session)["state"] == "failed"
    assert fuzzed.plan([ChunkId.of(raw).raw])["entries"] == []


def test_a_ticket_is_for_one_pack_of_one_session(connect: Connect, noise: Noise) -> None:
    client = connect()
    first, second = make_pack(weights(noise(100)).chunks), make_pack(weights(noise(100)).chunks)
    ticket = client.ticket(client.open(), first)
    assert client.put(ticket, second.data).status_code == 422
    assert client.put(ticket, first.data).status_code == 201
    spoilt = first.data[:100] + bytes([first.data[100] ^ 1]) + first.data[101:]
    assert client.put(ticket, spoilt).status_code == 201  # the pack of this name is there; what came now is dropped
    session = client.open()
    client.announce(session, weights(noise(1)).manifest())
    for method in ("GET", "POST", "DELETE"):
        assert httpx.request(method, ticket["url"], headers={"Range": "bytes=0-1"}).status_code in (400, 403, 405)
    head, _, tail = ticket["url"].rpartition("/")
    for wrong in (
        tail[:-2],
        tail[1:],
        tail.replace(".", ""),
        f"{tail.split('.')[0]}.",
        "." + tail.split(".")[1],
        tail + ".x",
        "é",
    ):
        assert httpx.put(f"{head}/{wrong}", content=first.data).status_code in (403, 404), wrong


def test_what_is_announced_after_the_commit_is_not_said_to_be_done(tmp_path: Path) -> None:
    database = open_database(ServerSettings(tmp_path))
    file = weights(b"late")
    with database.write() as connection:
        caller = caller_by_id(connection, ensure_account(connection, "ann"))
        repository = registry.create(connection, caller, "ann", "models")
        session = sessions.open_session(connection, caller, repository, 60)
        sessions.commit(connection, session)
        with pytest.raises(Refusal, match="has ended"):
            sessions.announce(connection, repository, session, file.manifest(), file.manifest().encode())
    database.close()


def test_the_verifier_outlives_a_database_that_takes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = open_database(ServerSettings(tmp_path))
    with database.write() as connection:
        caller = caller_by_id(connection, ensure_account(connection, "ann"))
        repository = registry.create(connection, caller, "ann", "models")
        session = sessions.open_session(connection, caller, repository, 60)
        sessions.receive(connection, caller, repository, session, PackOffer(PackId(bytes(32)).hex, 10, 0), "key")
    verifier = Verifier(database, DiskStore(tmp_path / "packs"), ServerSettings(tmp_path))

    def fail(*_: object) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as broken:
        broken.setattr(Verification, "step", fail)
        broken.setattr(upload_records, "end", fail)
        delays = [verifier._step(session) for _ in range(8)]
    assert all(delay is not None and delay <= 30 for delay in delays)
    assert len(delays) == 8
    verifier.stop()
    database.close()
