"""Repack and chains of deltas: bases stay as long as something lies on them, and the deepest chunks come up."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from sqlalchemy import update

from lepton_server.database.tables import repositories
from lepton_server.maintenance import pack_replacement
from lepton_server.maintenance.pack_writer import NewPack, verify_pack
from tests.server.deltas import fetch, on, solo, tuned, versions
from tests.server.maintenance.conftest import Keep
from tests.server.weights_client import Connect, Noise, Weights, WeightsClient, make_pack
from tests.support.running_server import RunningServer


@pytest.fixture
def seed(noise: Noise) -> int:
    return int.from_bytes(noise(4), "little")


def upload(client: WeightsClient, *files: Weights) -> None:
    """Each in a pack of its own."""
    packs = [make_pack(file.chunks) for file in files]
    assert client.upload(*files, packs=packs)["state"] == "done"


def come_back(client: WeightsClient, *files: Weights) -> None:
    for file in files:
        assert b"".join(fetch(client, file.names)) == file.data


def test_a_base_stays_while_something_lies_on_it(connect: Connect, seed: int, keep: Keep) -> None:
    client = connect()
    files = versions(seed, 3, pieces=2)
    upload(client, *files)
    keeper = keep(client)
    for file in files[:2]:
        keeper.unlink(file)
    keeper.end_sessions()
    assert keeper.repack().dropped_chunks == 0
    come_back(client, files[2])
    keeper.check_whole()
    keeper.unlink(files[2])
    keeper.end_sessions()
    assert keeper.repack().dropped_chunks == 6


def test_the_deepest_come_up(connect: Connect, seed: int, keep: Keep) -> None:
    client = connect()
    files = versions(seed, 4, pieces=3)
    upload(client, *files)
    keeper = keep(client)
    before = client.plan(files[3].names)
    assert max(keeper.depths(*files).values()) == 3
    done = keeper.repack()
    assert done.recoded_chunks == 3
    assert max(keeper.depths(*files).values()) == 2
    come_back(client, *files)
    keeper.check_whole()
    pack, start, stored, *_ = before["entries"][0]  # a plan from before still gives the old encoding
    url = client.urls(before["packs"][pack]["pack"], start, start + stored).json()["urls"][0]
    assert httpx.get(url["url"], headers=url["headers"]).content == bytes(files[3].chunks[0].payload)
    assert keeper.repack().recoded_chunks == 0


def test_there_is_room_above_what_came_up(connect: Connect, seed: int, keep: Keep) -> None:
    client = connect()
    files = versions(seed, 4)
    upload(client, *files)
    keep(client).repack()
    data = tuned(files[3].data, seed)
    depth = client.plan(files[3].names)["entries"][0][5]
    assert depth < 3
    from dataclasses import replace

    newest = Weights(data, (on(replace(files[3].chunks[0], depth=depth), files[3].data, data),))
    assert client.upload(newest)["state"] == "done"
    come_back(client, newest, files[3])


def test_what_only_a_shortened_chain_needed_goes(connect: Connect, seed: int, keep: Keep) -> None:
    client = connect()
    files = versions(seed, 4)
    upload(client, *files)
    keeper = keep(client)
    for file in files[1:3]:
        keeper.unlink(file)
    keeper.end_sessions()
    done = keeper.repack()
    assert done.recoded_chunks == 1
    assert done.dropped_chunks == 3 - keeper.depths(files[3])[files[3].names[0]]
    come_back(client, files[0], files[3])
    keeper.check_whole()


def test_an_encoding_that_changed_meanwhile_stands(
    connect: Connect, seed: int, keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While repack copies, a push codes a chunk in the middle of the chain anew: solo, because others are to lie on it."""
    client = connect()
    files = versions(seed, 3)
    upload(client, *files)
    keeper = keep(client)
    data = tuned(files[1].data, seed + 7)
    pushed: list[Weights] = []

    def push_then_verify(*arguments: Any) -> None:
        verify_pack(*arguments)
        if not pushed:
            shallow = solo(files[1].data)
            pushed.append(Weights(data, (on(shallow, files[1].data, data),)))
            assert client.upload(pushed[0], packs=[make_pack([shallow, *pushed[0].chunks])])["state"] == "done"

    monkeypatch.setattr(pack_replacement, "verify_pack", push_then_verify)
    done = keeper.repack()
    assert pushed
    assert done.moved_chunks == 2  # not the one that changed
    assert keeper.depths(*files, *pushed) == {
        files[0].names[0]: 0,
        files[1].names[0]: 0,
        files[2].names[0]: 1,
        pushed[0].names[0]: 1,
    }
    come_back(client, *files, *pushed)
    keeper.check_whole()


def test_a_chunk_whose_chain_changed_meanwhile_is_not_put_on_its_old_root(
    connect: Connect, server: RunningServer, seed: int, keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else, who may not read the root, pushes the chunk on a base of their own while repack codes it anew."""
    client, other = connect(), connect("bob-of-races/models", server.make_user("bob-of-races"))
    files = versions(seed, 4)
    upload(client, *files)
    keeper = keep(client)
    shallow = solo(files[2].data)
    pushed: list[Weights] = []

    def push_then_verify(*arguments: Any) -> None:
        verify_pack(*arguments)
        if not pushed:
            pushed.extend([Weights(files[2].data, (shallow,)), Weights(files[3].data, files[3].chunks)])
            upload(other, *pushed)

    monkeypatch.setattr(pack_replacement, "verify_pack", push_then_verify)
    assert keeper.repack().recoded_chunks == 0
    assert other.plan(files[3].names)["extra"] == [files[2].names[0].hex()]
    come_back(other, files[3])
    come_back(client, *files)
    keeper.check_whole()


def test_a_codec_that_is_no_longer_allowed_is_not_brought_in(
    connect: Connect, seed: int, keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = connect()
    files = versions(seed, 4)
    upload(client, *files)
    keeper = keep(client)

    def verify_then_forbid(*arguments: Any) -> None:
        verify_pack(*arguments)
        with keeper.database.write() as connection:
            mine = repositories.c.folded == client.name.partition("/")[2]
            connection.execute(update(repositories).where(mine).values(codecs="0"))

    monkeypatch.setattr(pack_replacement, "verify_pack", verify_then_forbid)
    assert keeper.repack().recoded_chunks == 0
    keeper.check_whole()


def test_a_file_that_is_committed_meanwhile_keeps_its_chunks(
    connect: Connect, seed: int, keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dead when repack began to look, needed when it would drop."""
    from lepton_server.maintenance import dead_chunks

    client = connect()
    files = versions(seed, 3)
    upload(client, *files)
    keeper = keep(client)
    for file in files:
        keeper.unlink(file)
    keeper.end_sessions()
    found = dead_chunks.find_dead

    def find_then_commit(*arguments: Any) -> Any:
        dead = found(*arguments)
        assert len(dead) == 3
        session = client.open()
        client.announce(session, files[1].manifest())
        client.commit(session)
        assert client.ended(session)["state"] == "done"
        keeper.end_sessions()
        return dead

    monkeypatch.setattr(dead_chunks, "find_dead", find_then_commit)
    assert keeper.repack().dropped_chunks == 1
    come_back(client, files[1])
    keeper.check_whole()


def test_a_new_pack_that_does_not_decode_is_not_used(
    connect: Connect, seed: int, keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = connect()
    files = versions(seed, 3)
    upload(client, *files)
    keeper = keep(client)

    def flip_then_verify(*arguments: Any) -> None:
        pack: NewPack = arguments[2]
        place = pack.moves[-1].now
        with (keeper.data / "packs" / pack.storage_key).open("r+b") as file:
            file.seek(place.offset + place.stored // 2)
            file.write(b"\0\0\0\0")
        verify_pack(*arguments)

    before = keeper.pack_files()
    monkeypatch.setattr(pack_replacement, "verify_pack", flip_then_verify)
    done = keeper.repack()
    assert (done.moved_chunks, done.packs_written, len(done.damaged)) == (0, 0, 1)
    assert keeper.pack_files() <= before
    come_back(client, *files)
