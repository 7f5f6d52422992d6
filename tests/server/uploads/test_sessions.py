"""The life of an upload over HTTP: what is stored, what is known already, and going on after a break."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from git_lepton.format.coding.encoded import RELEASED
from git_lepton.format.manifest import Manifest, ManifestEntry, parse_manifest
from git_lepton.wire.protocol import PENDING, STORED
from tests.server.conftest import BOTH_DATABASES
from tests.server.weights_client import Connect, Noise, WeightsClient, make_pack, weights
from tests.support.running_server import RunningServer

pytestmark = BOTH_DATABASES


def test_what_was_uploaded_comes_back(connect: Connect, noise: Noise) -> None:
    client = connect()
    file = weights(noise(300_000), bytes(200_000), noise(5))
    assert client.upload(file) == {
        "state": "done",
        "verified_bytes": len(file.data),
        "total_bytes": len(file.data),
        "failures": [],
        "bases": [],
    }
    assert client.check(file.oid) == [STORED]
    assert b"".join(client.fetch(name) for name in file.names) == file.data


def test_the_first_upload_makes_the_repository_hosted_and_private(connect: Connect, noise: Noise) -> None:
    client = connect()
    assert client.ask("GET").status_code == 404
    client.open()
    described = client.ask("GET").json()
    assert (described["kind"], described["visibility"], described["role"]) == ("hosted", "private", "owner")
    assert described["codecs"] == sorted(RELEASED)


def test_manifests_come_back_framed(connect: Connect, noise: Noise) -> None:
    client = connect()
    file, absent = weights(noise(1000)), weights(noise(1000))
    client.upload(file)
    body = client.ask("POST", "manifests", "read", content=absent.oid.raw + file.oid.raw).content
    assert body[:4] == bytes(4)
    assert parse_manifest(body[8:]) == file.manifest()
    assert int.from_bytes(body[4:8], "little") == len(body) - 8


def test_nothing_is_visible_before_the_commit(connect: Connect, noise: Noise) -> None:
    client = connect()
    file = weights(noise(1000))
    session = client.open()
    client.announce(session, file.manifest())
    client.send(session, make_pack(file.chunks))
    assert client.check(file.oid) == [PENDING]
    client.commit(session)
    client.ended(session)
    assert client.check(file.oid) == [STORED]


def test_a_file_that_repeats_its_chunks_in_any_order_is_rebuilt(connect: Connect, noise: Noise) -> None:
    a, b, c, d = (noise(70_000) for _ in range(4))
    client = connect()
    file = weights(a, a, b, a, c, b, d, a)
    packs = [make_pack(file.unique[:2]), make_pack(file.unique[2:])]
    assert client.upload(file, packs=packs)["state"] == "done"


def test_packs_that_come_in_reverse_are_verified_all_the_same(connect: Connect, noise: Noise) -> None:
    client = connect()
    file = weights(*(noise(5000) for _ in range(4)))
    session = client.open()
    client.announce(session, file.manifest())
    for sequence in (3, 2, 1, 0):
        client.send(session, make_pack([file.chunks[sequence]]), sequence)
    client.commit(session)
    assert client.ended(session)["state"] == "done"


def test_a_second_version_sends_only_what_is_new(connect: Connect, noise: Noise) -> None:
    client = connect()
    shared = [noise(40_000) for _ in range(6)]
    first, second = weights(*shared), weights(*shared[:3], noise(40_000), *shared[4:])
    client.upload(first)
    session = client.open()
    assert client.have(session, second.names) == [2, 2, 2, 0, 2, 2]
    client.announce(session, second.manifest())
    client.send(session, make_pack([second.chunks[3]]))
    client.commit(session)
    sizes = {"verified_bytes": 240_000, "total_bytes": 240_000}
    assert client.ended(session) == {"state": "done", **sizes, "failures": [], "bases": []}
    assert client.fetch(second.names[3]) == second.data[120_000:160_000]


def test_chunks_of_another_repository_that_the_caller_may_read_need_no_sending(connect: Connect, noise: Noise) -> None:
    file = weights(noise(9000), noise(9000))
    here, there = connect("admin/copy-source"), connect("admin/copy-target")
    here.upload(file)
    session = there.open()
    assert there.have(session, file.names) == [2, 2]
    assert there.plan(file.names)["missing"] == [0, 1]  # "have" links nothing yet
    there.announce(session, file.manifest())
    there.commit(session)
    assert there.ended(session)["state"] == "done"
    assert there.fetch(file.names[1]) == file.data[9000:]


def test_going_on_in_a_new_session(connect: Connect, noise: Noise) -> None:
    client = connect()
    file = weights(*(noise(20_000) for _ in range(4)))
    packs = [make_pack([chunk]) for chunk in file.chunks]
    broken = client.open()
    client.announce(broken, file.manifest())
    for sequence in (0, 1):
        client.send(broken, packs[sequence], sequence)
    session = client.open()
    wait_for_chunks(client, session, file.names[:2])
    client.announce(session, file.manifest())
    assert client.have(session, file.names) == [2, 2, 0, 0]
    for sequence in (2, 3):
        client.send(session, packs[sequence], sequence - 2)
    client.commit(session)
    assert client.ended(session)["state"] == "done"


def test_a_pack_that_is_there_needs_no_bytes(connect: Connect, noise: Noise) -> None:
    client = connect()
    file = weights(noise(20_000))
    pack = make_pack(file.chunks)
    client.send(client.open(), pack)
    session = client.open()
    client.announce(session, file.manifest())
    ticket = client.ticket(session, pack)
    assert (ticket["url"], ticket["confirm"]) == ("", False)
    client.commit(session)
    assert client.ended(session)["state"] == "done"


def test_every_step_may_be_done_again(connect: Connect, noise: Noise) -> None:
    client = connect()
    file = weights(noise(20_000))
    session = client.open()
    pack = make_pack(file.chunks)
    client.announce(session, file.manifest())
    ticket = client.ticket(session, pack)
    for _ in range(2):
        client.announce(session, file.manifest())
        assert client.put(ticket, pack.data).status_code == 201
        assert client.ask("POST", "uploads", session, "packs", pack.name.hex, "received").status_code == 202
    for _ in range(2):
        client.commit(session)
        assert client.ended(session)["state"] == "done"
    assert client.upload(file)["state"] == "done"


def test_the_first_manifest_of_an_object_stands(connect: Connect, noise: Noise) -> None:
    client = connect()
    left, right = noise(3000), noise(3000)
    whole, halves = weights(left + right), weights(left, right)
    assert whole.oid == halves.oid
    client.upload(whole)
    assert client.upload(halves)["state"] == "done"
    body = client.ask("POST", "manifests", "read", content=whole.oid.raw).content
    assert parse_manifest(body[4:]) == whole.manifest()


def test_a_pack_of_chunks_that_are_all_there_is_not_kept(connect: Connect, server: RunningServer, noise: Noise) -> None:
    client = connect()
    file = weights(noise(30_000), noise(30_000))
    client.upload(file)
    before = server.stored_files()
    assert client.upload(file, packs=[make_pack(file.chunks[::-1])])["state"] == "done"
    assert server.stored_files() == before


def test_two_clients_with_overlapping_files_at_once(connect: Connect, noise: Noise) -> None:
    shared = [noise(50_000) for _ in range(5)]
    files = [weights(noise(50_000), *shared), weights(*shared, noise(50_000))]
    clients = [connect(), connect()]
    with ThreadPoolExecutor(2) as pool:
        states = list(pool.map(lambda client, file: client.upload(file)["state"], clients, files))
    assert states == ["done", "done"]
    assert clients[0].check(*(file.oid for file in files)) == [2, 2]


def test_of_two_first_pushes_at_once_the_second_joins(connect: Connect, noise: Noise) -> None:
    files = [weights(noise(1000)) for _ in range(6)]
    clients = [connect() for _ in files]
    with ThreadPoolExecutor(6) as pool:
        states = list(pool.map(lambda client, file: client.upload(file)["state"], clients, files))
    assert states == ["done"] * 6
    assert clients[0].check(*(file.oid for file in files)) == [STORED] * 6


@pytest.mark.thorough
def test_many_small_files_in_one_upload(connect: Connect, noise: Noise) -> None:
    client = connect()
    files = [weights(noise(500)) for _ in range(250)]
    assert client.upload(*files)["state"] == "done"
    assert client.check(*(file.oid for file in files)) == [STORED] * 250


def test_an_object_that_was_verified_elsewhere_is_linked(connect: Connect, noise: Noise) -> None:
    file = weights(noise(1000))
    connect("admin/verified-here").upload(file)
    other = connect("admin/linked-there")
    session = other.open()
    other.announce(session, file.manifest())
    other.commit(session)
    assert other.ended(session)["verified_bytes"] == 1000
    assert other.check(file.oid) == [STORED]


def test_a_manifest_of_other_lengths_is_refused(connect: Connect, noise: Noise) -> None:
    client = connect()
    file = weights(noise(1000), noise(500))
    swapped = (ManifestEntry(file.chunks[0].name, 500), ManifestEntry(file.chunks[1].name, 1000))
    session = client.open()
    client.announce(session, Manifest(file.oid, 1500, swapped))
    client.send(session, make_pack(file.chunks))
    client.commit(session)
    state = client.ended(session)
    assert (state["state"], state["failures"][0]["code"]) == ("failed", "corrupt_data")


def wait_for_chunks(client: WeightsClient, session: str, names: list[bytes]) -> None:
    for _ in range(500):
        if all(client.have(session, names)):
            return
    raise AssertionError("received packs are not verified")
