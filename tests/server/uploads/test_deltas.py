"""The rules of deltas at the door, over HTTP: base first, at most three deep, only what the sender may read, found out by the name."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
import xxhash
from sqlalchemy import update

from git_lepton.format.coding.codec import encode
from git_lepton.format.identifiers import ChunkId, ObjectId
from git_lepton.wire.protocol import MISSING, STORED
from lepton_server.backends import open_database
from lepton_server.database.tables import repositories
from tests.server.conftest import BOTH_DATABASES
from tests.server.deltas import fetch, on, solo, trained, tuned, versions
from tests.server.http.test_attacks import resident_mib
from tests.server.uploads.test_sessions import wait_for_chunks
from tests.server.weights_client import Connect, Noise, Pack, Weights, WeightsClient, make_pack
from tests.support.running_server import RunningServer

pytestmark = BOTH_DATABASES


@pytest.fixture
def seed(noise: Noise) -> int:
    return int.from_bytes(noise(4), "little")


def chain_pack(*files: Weights) -> Pack:
    return make_pack([chunk for file in files for chunk in file.chunks])


def reasons(state: dict[str, object]) -> dict[str, str]:
    assert state["state"] == "failed"
    return {failure["subject"]: failure["code"] for failure in state["failures"]}  # type: ignore[attr-defined]


def test_a_chain_of_three_in_one_pack(connect: Connect, seed: int) -> None:
    client = connect()
    files = versions(seed, 4)
    assert client.upload(*files, packs=[chain_pack(*files)])["state"] == "done"
    plan = client.plan(files[3].names)
    assert [entry[5] for entry in plan["entries"]] == [3, 2, 1, 0]
    assert plan["extra"] == [file.names[0].hex() for file in (files[2], files[1], files[0])]
    assert fetch(client, files[3].names) == [files[3].data]


def test_the_newest_version_alone_brings_its_bases(connect: Connect, seed: int) -> None:
    """The bases belong to no file of the push: they are linked all the same, for nothing can be read without them."""
    client = connect()
    files = versions(seed, 4)
    assert client.upload(files[3], packs=[chain_pack(*files)])["state"] == "done"
    assert fetch(client, files[3].names) == [files[3].data]


def test_a_chain_over_packs_and_sessions(connect: Connect, seed: int) -> None:
    client = connect()
    files = versions(seed, 4)
    client.upload(files[0])
    assert client.upload(*files[1:3], packs=[chain_pack(files[1]), chain_pack(files[2])])["state"] == "done"
    session = client.open()
    assert client.have(session, [name for file in files for name in file.names]) == [2, 3, 4, 0]
    assert client.upload(files[3])["state"] == "done"
    assert fetch(client, [name for file in files for name in file.names]) == [file.data for file in files]


@pytest.mark.parametrize("pause", [0.0, 2.5])
def test_a_delta_waits_for_the_pack_that_its_base_is_in(connect: Connect, seed: int, pause: float) -> None:
    client = connect()
    files = versions(seed, 4)
    session = client.open()
    for file in files:
        client.announce(session, file.manifest())
    for sequence in (3, 2, 1):
        client.send(session, chain_pack(files[sequence]), sequence)
    time.sleep(pause)  # longer than the server waits for packs that come out of turn
    client.send(session, chain_pack(files[0]), 0)
    client.commit(session)
    assert client.ended(session)["state"] == "done"
    assert fetch(client, files[3].names) == [files[3].data]


def test_sequence_numbers_that_are_wrong_do_not_matter_at_last(connect: Connect, seed: int) -> None:
    client = connect()
    files = versions(seed, 3)
    session = client.open()
    for file in files:
        client.announce(session, file.manifest())
    for sequence, file in enumerate(reversed(files)):
        client.send(session, chain_pack(file), sequence)
    client.commit(session)
    assert client.ended(session)["state"] == "done"


def test_a_base_that_never_comes(connect: Connect, seed: int) -> None:
    client = connect()
    files = versions(seed, 3)
    state = client.upload(files[1], files[2], packs=[chain_pack(files[2]), chain_pack(files[1])])
    assert reasons(state)[files[1].names[0].hex()] == "missing_chunks"
    assert reasons(state)[files[2].names[0].hex()] == "missing_chunks"


def test_a_base_that_comes_later_in_the_same_pack(connect: Connect, seed: int) -> None:
    client = connect()
    files = versions(seed, 2)
    state = client.upload(*files, packs=[chain_pack(files[1], files[0])])
    assert reasons(state)[files[1].names[0].hex()] == "missing_chunks"


def test_the_server_counts_the_depth_itself(connect: Connect, seed: int) -> None:
    client = connect()
    files = versions(seed, 4)
    client.upload(*files, packs=[chain_pack(*files)])
    data = tuned(files[3].data, seed)
    lies = replace(on(replace(files[3].chunks[0], depth=0), files[3].data, data), depth=1)
    deep = Weights(data, (lies,))
    assert reasons(client.upload(deep))[deep.names[0].hex()] == "conflict"
    again = Weights(data, (solo(data),))
    assert client.upload(again)["state"] == "done"  # what the message says to do


def test_another_base_than_the_one_it_was_coded_on(connect: Connect, seed: int) -> None:
    client = connect()
    base, other = (Weights(data, (solo(data),)) for data in (trained(seed), trained(seed + 1)))
    client.upload(base, other)
    data = tuned(base.data, seed)
    wrong = Weights(data, (replace(on(base.chunks[0], base.data, data), base=other.chunks[0].name),))
    state = client.upload(wrong)
    assert "corrupt_data" in reasons(state).values()
    assert client.have(client.open(), wrong.names) == [MISSING]


def test_a_readable_base_of_another_repository_is_linked(connect: Connect, seed: int) -> None:
    files = versions(seed, 2)
    connect("admin/foreign-bases").upload(files[0])
    client = connect()
    session = client.open()
    assert client.plan(files[0].names)["missing"] == [0]
    assert client.have(session, files[0].names) == [STORED]
    assert client.upload(files[1])["state"] == "done"
    assert fetch(client, files[1].names) == [files[1].data]
    assert client.plan(files[0].names)["missing"] == []
    assert client.check(files[0].oid) == [MISSING]  # chunks are linked, files are not


def test_who_makes_a_repository_public_is_told_whose_weights_it_shows(connect: Connect, seed: int) -> None:
    files = versions(seed, 2)
    connect("admin/lender-of-deltas").upload(files[0])
    client = connect()
    (borrowed,) = client.upload(files[1])["bases"]
    assert (borrowed["repository"], borrowed["chunks"], borrowed["bytes"]) == ("admin/lender-of-deltas", 1, len(files[0].data))
    assert not (borrowed["allowed"] or borrowed["narrower"])
    reply = client.ask("PATCH", json={"visibility": "public"})
    assert (reply.status_code, reply.headers["Lepton-Bases"]) == (200, "1")
    assert client.ask("GET", "bases").json()["bases"] == [borrowed | {"narrower": True}]


def test_a_file_that_is_not_what_it_says_publishes_no_base(connect: Connect, seed: int) -> None:
    """A manifest that names a private chunk and a wrong SHA-256 is no file that shows it."""
    base, new = versions(seed, 2)
    connect("admin/vault-of-deltas").upload(base)
    shop = connect("admin/shop-of-lies")
    session = shop.open()
    assert shop.ask("PATCH", json={"visibility": "public"}).status_code == 200
    false = ObjectId(b"\x66" * 32)
    shop.announce(session, base.manifest(false))
    shop.announce(session, new.manifest())
    shop.send(session, make_pack(new.chunks))
    shop.commit(session)
    found = reasons(shop.ended(session))
    assert (found[false.hex], found[new.chunks[0].name.hex]) == ("corrupt_data", "missing_chunks")
    assert shop.plan(base.names + new.names)["missing"] == [0, 1]
    assert shop.ask("GET", "bases").json()["bases"] == []
    assert shop.upload(Weights(new.data, (solo(new.data),)))["state"] == "done"


def test_nothing_lies_on_a_known_file_before_that_is_visible(connect: Connect, seed: int) -> None:
    """Two versions go to a public repository. Of the first, one piece is known from a private one and not sent; the second lies on it."""
    first, second = versions(seed, 2, pieces=2)
    connect("admin/vault-of-versions").upload(Weights(trained(seed * 1000), first.chunks[:1]))
    shop, other = connect("admin/shop-of-versions"), versions(seed + 500, 1)[0]
    session = shop.open()
    assert shop.ask("PATCH", json={"visibility": "public"}).status_code == 200
    for file in (first, second, other):
        shop.announce(session, file.manifest())
    shop.send(session, make_pack([first.chunks[1], *second.chunks]), 0)
    shop.send(session, make_pack(other.chunks), 1)
    wait_for_chunks(shop, session, other.names)  # the pack before it was looked at by then
    assert shop.plan(first.names + second.names)["missing"] == [0, 1, 2, 3]
    shop.commit(session)
    ended = shop.ended(session)
    assert (ended["state"], ended["failures"]) == ("done", [])
    assert shop.check(first.oid, second.oid, other.oid) == [2, 2, 2]
    assert fetch(shop, second.names) == [tuned(trained(seed * 1000 + piece), seed * 1000 + 1) for piece in range(2)]
    assert shop.ask("GET", "bases").json()["bases"] == []


def test_a_push_does_not_publish_what_its_chunks_lie_on_elsewhere(connect: Connect, seed: int) -> None:
    files = versions(seed, 4)
    connect("admin/lab-of-deltas").upload(*files, packs=[chain_pack(*files)])
    client = connect()
    assert client.have(client.open(), [name for one in files for name in one.names]) == [2, 0, 0, 0]
    released = Weights(files[3].data, (solo(files[3].data),))
    assert client.upload(released)["state"] == "done"
    plan = client.plan([name for one in files for name in one.names])
    assert (plan["missing"], plan["extra"], len(plan["entries"])) == ([0, 1, 2], [], 1)
    assert fetch(client, released.names) == [released.data]


def test_a_former_place_is_read_only_with_its_base(connect: Connect, server: RunningServer, seed: int) -> None:
    """Who has a chunk's bytes may code it solo for all; where it lay as a delta is none of their business."""
    owner = connect("admin/former-deltas")
    secret, public = versions(seed, 2)
    head, tail = (encode(bytes([number]) * 700, "") for number in (1, 2))
    file = Weights(bytes([1]) * 700 + public.data + bytes([2]) * 700, (head, *public.chunks, tail))
    assert owner.upload(secret)["state"] == owner.upload(file)["state"] == "done"
    before = owner.plan(file.names)
    pack, start, stored, *_ = before["entries"][1]
    name = before["packs"][pack]["pack"]
    other = connect("eve-of-places/models", server.make_user("eve-of-places"))
    assert other.upload(Weights(file.data, (head, solo(public.data), tail)))["state"] == "done"
    assert owner.urls(name, start, start + stored).status_code == 200
    first, last = before["entries"][0], before["entries"][2]
    assert other.urls(name, first[1], first[1] + first[2]).status_code == 200
    assert other.urls(name, start, start + stored).status_code == 416
    assert other.urls(name, first[1], last[1] + last[2]).status_code == 416


def test_two_honest_pushes_with_their_chunks_on_each_other(connect: Connect, seed: int) -> None:
    client = connect()
    left, right = trained(seed), tuned(trained(seed), seed + 1)
    below, above = solo(left), solo(right)
    client.upload(Weights(left, (below,)), Weights(right, (on(below, left, right),)))
    files = Weights(right, (above,)), Weights(left, (on(above, right, left),))
    session = client.open()
    for sequence, file in enumerate(files):
        client.send(session, chain_pack(file), sequence)
    client.commit(session)
    assert client.ended(session)["state"] == "done"
    assert fetch(client, [below.name.raw, above.name.raw]) == [left, right]


def test_an_unreadable_base_is_as_missing_as_none(connect: Connect, server: RunningServer, seed: int) -> None:
    secret = versions(seed, 1)[0]
    connect("admin/secret-base").upload(secret)
    other = connect("eve-of-bases/models", server.make_user("eve-of-bases"))
    told = []
    data = tuned(secret.data, seed)
    for base in (secret.chunks[0].name, ChunkId(bytes(31) + b"x")):
        delta = replace(on(secret.chunks[0], secret.data, data), base=base)
        state = other.upload(Weights(data, (delta,)))
        told.append(state["failures"])
    assert told[0] == told[1]
    assert other.have(other.open(), secret.names) == [MISSING]


def test_the_first_encoding_stands(connect: Connect, seed: int) -> None:
    client = connect()
    files = versions(seed, 2)
    client.upload(*files, packs=[chain_pack(*files)])
    again = Weights(files[1].data, (solo(files[1].data),))
    assert client.upload(again)["state"] == "done"
    assert client.plan(files[1].names)["entries"][0][5] == 1


@pytest.fixture
def old(connect: Connect, server: RunningServer) -> WeightsClient:
    """A repository that was made before deltas were."""
    client = connect(f"admin/old-{time.monotonic_ns()}")
    client.open()
    database = open_database(server.settings)
    with database.write() as connection:
        mine = repositories.c.folded == client.name.partition("/")[2]
        connection.execute(update(repositories).where(mine).values(codecs="0,1,2"))
    database.close()
    return client


def test_a_codec_that_the_repository_does_not_allow(old: WeightsClient, seed: int) -> None:
    files = versions(seed, 2)
    state = old.upload(*files, packs=[chain_pack(files[0]), chain_pack(files[1])])
    assert reasons(state)[files[1].names[0].hex()] == "bad_request"
    assert old.check(files[0].oid) == [STORED]


def test_a_maintainer_raises_the_codecs(old: WeightsClient, server: RunningServer, seed: int) -> None:
    assert server.run("repo", "codecs", old.name) == "0,1,2"
    codec = versions(seed, 2)[1].chunks[0].codec
    assert server.run("repo", "codecs", old.name, "--allow", f"0,1,2,{codec}") == f"0,1,2,{codec}"
    assert old.ask("GET").json()["codecs"] == [0, 1, 2, codec]
    files = versions(seed, 2)
    assert old.upload(*files, packs=[chain_pack(*files)])["state"] == "done"
    told = old.ask("GET", headers={"Lepton-Codecs": "0,1,2"})
    assert (told.status_code, told.json()["error"]["code"]) == (426, "upgrade_required")


def test_what_a_repository_does_not_allow_is_missing_there(connect: Connect, old: WeightsClient, seed: int) -> None:
    """A delta of another repository must be sent again, solo; it then is solo for both."""
    client = connect()
    files = versions(seed, 3)
    client.upload(*files, packs=[chain_pack(*files)])
    assert old.have(old.open(), [file.names[0] for file in files]) == [2, 0, 0]
    again = Weights(files[1].data, (solo(files[1].data),))
    assert old.upload(again)["state"] == "done"
    assert old.plan(again.names)["entries"][0][4] in {0, 1, 2}
    assert [client.plan(file.names)["entries"][0][5] for file in files] == [0, 0, 1]  # what lies on it has moved up
    assert fetch(client, files[2].names) == [files[2].data]


@pytest.mark.parametrize("position", [0, 1, 2, 5, 9, 30, -1])
def test_damaged_deltas_are_refused_and_cost_no_memory(connect: Connect, server: RunningServer, seed: int, position: int) -> None:
    client = connect()
    base = trained(seed, 2_000_000)
    data = tuned(base, seed)
    below, sound = solo(base), None
    sound = on(below, base, data)
    client.upload(Weights(base, (below,)))
    before = resident_mib(server)
    for value in (0x00, 0x7F, 0xFF):
        payload = bytearray(sound.payload)
        payload[position] = value if payload[position] != value else value ^ 0x55
        broken = replace(sound, payload=bytes(payload), checksum=xxhash.xxh3_64_intdigest(payload))
        state = client.upload(Weights(data, (broken,)))
        assert "corrupt_data" in reasons(state).values()
    assert resident_mib(server) < before + 150


def test_a_raw_length_that_is_not_its_bases(connect: Connect, seed: int) -> None:
    client = connect()
    base = trained(seed, 1000)
    data = tuned(base, seed)
    client.upload(Weights(base, (solo(base),)))
    sound = Weights(data, (on(solo(base), base, data),))
    for length in (16 * 1024 * 1024, 1999, 2001, 4000):
        pack = make_pack([replace(sound.chunks[0], raw_length=length)])
        assert "corrupt_data" in reasons(client.upload(sound, packs=[pack])).values()
    assert client.upload(sound)["state"] == "done"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_large_chunks_on_three_bases_are_verified_in_little_memory(connect: Connect, server: RunningServer, seed: int) -> None:
    client = connect()
    below = trained(seed, 4 << 20)
    chunks = [solo(below)]
    for version in range(3):
        above = tuned(below, seed + version)
        chunks.append(on(chunks[-1], below, above))
        below = above
    newest = Weights(below, (chunks[3],))
    assert client.upload(newest, packs=[make_pack(chunks)])["state"] == "done"
    status = Path(f"/proc/{server.pid}/status").read_text()
    assert int(status.split("VmHWM:")[1].split()[0]) < 500 * 1024  # KiB, at any time since the server started
