"""What a server does not take: each failure is named, and what was sound beside it is stored all the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from git_lepton.format.coding.codec import encode
from git_lepton.format.coding.encoded import EncodedChunk
from git_lepton.format.identifiers import ChunkId, ObjectId
from git_lepton.format.pack import MAX_PACK_BYTES
from tests.server.weights_client import Connect, Noise, Pack, Weights, WeightsClient, make_pack, weights
from tests.support.running_server import RunningServer


def failed(client: WeightsClient, file: Weights, *packs: Pack) -> dict[str, str]:
    """Subject and code of each failure of an upload with these packs."""
    state = client.upload(file, packs=packs)
    assert state["state"] == "failed"
    assert all(failure["message"] for failure in state["failures"])
    assert client.check(file.oid) == [1 if state["state"] == "open" else 0]
    return {failure["subject"]: failure["code"] for failure in state["failures"]}


def damaged(chunk: EncodedChunk) -> EncodedChunk:
    payload = bytearray(chunk.payload)
    payload[-1] ^= 1
    return replace(chunk, payload=bytes(payload))


def test_a_payload_that_is_not_what_its_checksum_says(connect: Connect, noise: Noise) -> None:
    file = weights(noise(2000))
    pack = make_pack([damaged(file.chunks[0])])
    assert failed(connect(), file, pack) == {pack.name.hex: "corrupt_data", file.oid.hex: "missing_chunks"}


def test_a_chunk_under_a_wrong_name(connect: Connect, noise: Noise) -> None:
    file = weights(noise(2000))
    other = encode(noise(2000), "")
    pack = make_pack([replace(other, name=file.chunks[0].name)])
    assert failed(connect(), file, pack) == {pack.name.hex: "corrupt_data", file.oid.hex: "missing_chunks"}


def test_a_chunk_on_a_base_that_is_not_there(connect: Connect, noise: Noise) -> None:
    file = weights(noise(2000))
    chunk = file.chunks[0]
    pack = make_pack([replace(chunk, depth=1, base=ChunkId.of(noise(10)))])
    assert failed(connect(), file, pack) == {chunk.name.hex: "missing_chunks", file.oid.hex: "missing_chunks"}


def test_a_chunk_on_a_base_of_a_repository_that_the_sender_may_not_read(
    connect: Connect, server: RunningServer, noise: Noise
) -> None:
    secret = weights(noise(2000))
    connect("admin/secret-bases").upload(secret)
    file = weights(noise(2000))
    pack = make_pack([replace(file.chunks[0], depth=1, base=secret.chunks[0].name)])
    mallory = connect("mallory-bases/own", server.make_user("mallory-bases"))
    assert failed(mallory, file, pack)[file.chunks[0].name.hex] == "missing_chunks"


def test_a_chunk_on_more_bases_than_three(connect: Connect, noise: Noise) -> None:
    file = weights(*(noise(900) for _ in range(5)))
    chain = [replace(chunk, depth=1, base=base.name) for base, chunk in zip(file.chunks, file.chunks[1:], strict=False)]
    pack = make_pack([file.chunks[0], *chain])
    assert failed(connect(), file, pack)[file.chunks[4].name.hex] == "conflict"


def test_two_chunks_that_are_each_others_base(connect: Connect, noise: Noise) -> None:
    file = weights(noise(900), noise(900))
    one, two = file.chunks
    pack = make_pack([replace(one, depth=1, base=two.name), replace(two, depth=1, base=one.name)])
    assert failed(connect(), file, pack)[one.name.hex] == "missing_chunks"


def test_a_codec_that_is_not_allowed(connect: Connect, noise: Noise) -> None:
    file = weights(noise(900))
    pack = make_pack([replace(file.chunks[0], codec=77)])
    assert failed(connect(), file, pack)[file.chunks[0].name.hex] == "bad_request"


def test_a_chunk_that_never_came(connect: Connect, noise: Noise) -> None:
    file = weights(noise(900), noise(900))
    assert failed(connect(), file, make_pack(file.chunks[:1])) == {file.oid.hex: "missing_chunks"}


def test_a_file_that_is_not_what_its_name_says(connect: Connect, noise: Noise) -> None:
    client = connect()
    file = weights(noise(900))
    wrong = ObjectId(bytes(32))
    session = client.open()
    client.announce(session, file.manifest(wrong))
    client.announce(session, file.manifest())
    client.send(session, make_pack(file.chunks))
    client.commit(session)
    state = client.ended(session)
    assert [(failure["subject"], failure["code"]) for failure in state["failures"]] == [(wrong.hex, "corrupt_data")]
    assert client.check(wrong, file.oid) == [0, 2]  # the sound one is stored all the same


def test_a_refused_pack_is_not_kept_and_its_sound_chunks_are_sent_again(
    connect: Connect, server: RunningServer, noise: Noise
) -> None:
    client = connect()
    file = weights(noise(900), noise(900))
    before = server.stored_files()
    client.upload(file, packs=[make_pack([file.chunks[0], damaged(file.chunks[1])])])
    assert server.stored_files() == before
    assert client.have(client.open(), file.names) == [0, 0]
    assert client.upload(file)["state"] == "done"


@pytest.mark.parametrize("cut", [1, 50, 3000])
def test_a_body_that_is_cut_short(connect: Connect, noise: Noise, cut: int) -> None:
    client = connect()
    pack = make_pack(weights(noise(4000)).chunks)
    session = client.open()
    ticket = client.ticket(session, pack)
    refused(client.put(ticket, pack.data[:-cut]), 422, "corrupt_data")


def test_a_body_that_is_another_pack(connect: Connect, noise: Noise) -> None:
    client = connect()
    offered, sent = make_pack(weights(noise(4000)).chunks), make_pack(weights(noise(4000)).chunks)
    session = client.open()
    refused(client.put(client.ticket(session, offered), sent.data), 422, "corrupt_data")


def test_a_body_that_is_no_pack(connect: Connect, noise: Noise) -> None:
    client = connect()
    pack = make_pack(weights(noise(4000)).chunks)
    session = client.open()
    refused(client.put(client.ticket(session, pack), noise(len(pack.data))), 422, "corrupt_data")


def test_a_pack_that_is_too_long(connect: Connect, noise: Noise) -> None:
    client = connect()
    offer = {"pack": bytes(32).hex(), "size": MAX_PACK_BYTES + 1, "sequence": 0}
    refused(client.ask("POST", "uploads", client.open(), "packs", json={"packs": [offer]}), 413, "too_large")


def test_a_manifest_that_is_damaged_or_another_objects(connect: Connect, noise: Noise) -> None:
    client = connect()
    manifest = weights(noise(100)).manifest()
    session = client.open()
    encoded = manifest.encode()
    at = "uploads", session, "manifests"
    refused(client.ask("PUT", *at, manifest.oid.hex, content=encoded[:-1]), 422, "corrupt_data")
    refused(client.ask("PUT", *at, bytes(32).hex(), content=encoded), 400, "bad_request")
    refused(client.ask("PUT", *at, "zz", content=encoded), 400, "bad_request")


def test_messages_that_are_none(connect: Connect, noise: Noise) -> None:
    client = connect()
    session = client.open()
    refused(client.ask("POST", "uploads", session, "packs", content=b"{"), 400, "bad_request")
    refused(client.ask("POST", "uploads", session, "packs", json={"packs": [{"pack": "x"}]}), 400, "bad_request")
    refused(
        client.ask("POST", "uploads", session, "packs", json={"packs": [{"pack": "x", "size": 3, "sequence": 0}]}),
        400,
        "bad_request",
    )
    refused(client.ask("POST", "uploads", session, "have", content=bytes(33)), 400, "bad_request")
    refused(client.ask("POST", "objects", "check", content=bytes(32 * 131_073)), 413, "too_large")
    refused(client.ask("POST", "manifests", "read", content=bytes(32 * 1001)), 413, "too_large")
    refused(client.ask("DELETE", "objects", "check"), 405, "bad_request")


def test_an_ended_or_foreign_session_is_gone(connect: Connect, server: RunningServer, noise: Noise) -> None:
    client = connect()
    session = client.open()
    client.commit(session)
    client.ended(session)
    refused(client.ask("POST", "uploads", session, "have", content=b""), 410, "session_gone")
    refused(client.ask("GET", "uploads", "0" * 32), 410, "session_gone")
    mine = client.open()
    other = connect(client.name, server.make_user("session-thief"))
    server.grant("session-thief", "writer", client.name)
    refused(other.ask("GET", "uploads", mine), 410, "session_gone")
    refused(connect("admin/elsewhere").ask("GET", "uploads", mine), 404, "not_found")


def refused(reply: object, status: int, code: str) -> None:
    import httpx

    assert isinstance(reply, httpx.Response)
    assert reply.status_code == status, reply.text
    error = reply.json()["error"]
    assert error["code"] == code
    assert error["message"].endswith((".", "?")) or error["message"]
    assert error["request"] == reply.headers["lepton-request"]
