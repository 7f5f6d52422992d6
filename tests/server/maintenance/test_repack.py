"""Repack beside a server that serves: what goes, what stays, and who notices nothing."""

from __future__ import annotations

import time

import httpx
from sqlalchemy import select

from lepton_server.database.tables import encodings, former_places, packs
from tests.server.maintenance.conftest import Keep
from tests.server.weights_client import Connect, Noise, Weights, WeightsClient, make_pack, weights
from tests.support.running_server import RunningServer


def come_back(client: WeightsClient, *files: Weights) -> None:
    for file in files:
        assert b"".join(client.fetch(name) for name in file.names) == file.data


def test_small_packs_become_one(connect: Connect, noise: Noise, keep: Keep) -> None:
    client = connect()
    files = [weights(noise(50_000), noise(3)) for _ in range(5)]
    for file in files:
        client.upload(file)
    keeper = keep(client)
    assert len(keeper.packs_of(*files)) == 5
    done = keeper.repack()
    assert (done.packs_read, done.packs_written, done.packs_condemned, done.moved_chunks) == (5, 1, 5, 10)
    assert len(keeper.packs_of(*files)) == 1
    come_back(client, *files)
    keeper.end_sessions()
    assert keeper.repack().packs_deleted == 5
    assert keeper.rows(select(former_places.c.pack)) == []
    come_back(client, *files)
    keeper.check_whole()


def test_a_second_run_finds_nothing_to_do(connect: Connect, noise: Noise, keep: Keep) -> None:
    client = connect()
    for _ in range(3):
        client.upload(weights(noise(50_000)))
    keeper = keep(client)
    keeper.repack()
    done = keeper.repack()
    assert (done.packs_read, done.packs_written, done.dropped_chunks, done.recoded_chunks) == (0, 0, 0, 0)


def test_what_no_file_needs_goes_and_its_bytes_with_it(connect: Connect, noise: Noise, keep: Keep) -> None:
    client = connect()
    shared = noise(40_000)
    kept, dropped = weights(shared, noise(1000)), weights(shared, noise(300_000))
    client.upload(kept, dropped)
    keeper = keep(client)
    keeper.unlink(dropped)
    keeper.end_sessions()
    before = keeper.repack(dry_run=True)
    assert len(keeper.depths(dropped)) == 2  # a preview changes nothing
    done = keeper.repack()
    assert done.dropped_chunks == before.dropped_chunks == 1
    assert done.dropped_bytes > 300_000
    assert done.bytes_after == before.bytes_after < done.bytes_before - 300_000
    assert client.have(client.open(), dropped.names) == [2, 0]
    come_back(client, kept)
    assert client.upload(dropped)["state"] == "done"
    come_back(client, dropped)


def test_what_came_within_the_grace_period_stays(connect: Connect, noise: Noise, keep: Keep) -> None:
    client = connect()
    file = weights(noise(1000))
    client.upload(file)
    keeper = keep(client)
    keeper.unlink(file)
    keeper.end_sessions()
    assert keeper.repack(grace=3600).dropped_chunks == 0
    assert keeper.repack().dropped_chunks == 1


def test_who_was_told_have_finds_it(connect: Connect, noise: Noise, keep: Keep) -> None:
    client = connect()
    file, other = weights(noise(60_000), noise(60_000)), weights(noise(500))
    client.upload(file)
    client.upload(other)
    keeper = keep(client)
    keeper.unlink(file)
    keeper.end_sessions()
    session = client.open()
    assert client.have(session, file.names) == [2, 2]
    done = keeper.repack()
    assert (done.dropped_chunks, done.packs_written) == (0, 1)
    assert keeper.repack().dropped_chunks == 0  # the lease went along to the new pack
    client.announce(session, file.manifest())
    client.commit(session)
    assert client.ended(session)["state"] == "done"
    come_back(client, file)


def test_an_announced_file_of_a_live_upload_keeps_its_chunks(connect: Connect, noise: Noise, keep: Keep) -> None:
    client = connect()
    file = weights(noise(1000))
    client.upload(file)
    keeper = keep(client)
    keeper.unlink(file)
    keeper.end_sessions()
    session = client.open()
    client.announce(session, file.manifest())  # without asking "have"
    assert keeper.repack().dropped_chunks == 0
    client.commit(session)
    assert client.ended(session)["state"] == "done"


def test_what_another_repository_needs_stays(connect: Connect, noise: Noise, keep: Keep) -> None:
    here, there = connect(), connect("admin/needs-it-too")
    file = weights(noise(9000))
    here.upload(file)
    there.upload(file)
    keeper = keep(here)
    from lepton_server.database.tables import object_links, repositories

    with keeper.database.write() as connection:
        mine = select(repositories.c.id).where(repositories.c.folded == here.name.partition("/")[2].lower())
        connection.execute(object_links.delete().where(object_links.c.repository.in_(mine)))
    keeper.end_sessions()
    assert keeper.repack().dropped_chunks == 0
    come_back(there, file)


def test_a_plan_from_before_goes_on_working(connect: Connect, noise: Noise, keep: Keep) -> None:
    client = connect()
    files = [weights(noise(50_000), noise(70_000)) for _ in range(2)]
    for file in files:
        client.upload(file)
    plan = client.plan(files[0].names)
    pack, start, stored, *_ = plan["entries"][0]
    end = plan["entries"][1][1] + plan["entries"][1][2]
    before = client.urls(plan["packs"][pack]["pack"], start, end).json()["urls"][0]
    keeper = keep(client)
    assert keeper.repack().moved_chunks == 4
    after = client.urls(plan["packs"][pack]["pack"], start, end)
    assert after.status_code == 200, after.text
    contents = [httpx.get(url["url"], headers=url["headers"]).content for url in (before, after.json()["urls"][0])]
    assert contents[0] == contents[1]
    assert contents[0][:stored] == bytes(files[0].chunks[0].payload)
    assert plan["packs"][pack]["pack"] not in {one["pack"] for one in client.plan(files[0].names)["packs"]}


def test_an_old_place_shows_nothing_that_was_not_to_be_seen(
    connect: Connect, server: RunningServer, noise: Noise, keep: Keep
) -> None:
    client = connect()
    files = [weights(noise(5000)) for _ in range(2)]
    for file in files:
        client.upload(file)
    other = connect("admin/reads-one-only")
    other.upload(files[0])
    plans = [client.plan(file.names) for file in files]
    keep(client).repack()
    for plan, status in zip(plans, (200, 416), strict=True):
        _, start, stored, *_ = plan["entries"][0]
        assert other.urls(plan["packs"][0]["pack"], start, start + stored).status_code == status


def test_a_poor_pack_is_written_anew(connect: Connect, noise: Noise, keep: Keep) -> None:
    client = connect()
    kept, gone = weights(*(noise(100_000) for _ in range(3))), weights(*(noise(100_000) for _ in range(3)))
    client.upload(kept, gone)
    keeper = keep(client)
    keeper.unlink(gone)
    keeper.end_sessions()
    done = keeper.repack()
    assert (done.dropped_chunks, done.moved_chunks, done.packs_read, done.packs_written) == (3, 3, 1, 1)
    come_back(client, kept)


def test_a_pack_of_an_upload_that_broke_goes(connect: Connect, noise: Noise, keep: Keep) -> None:
    client = connect()
    file, late = weights(noise(4000), noise(4000)), weights(noise(20))
    session = client.open()
    client.send(session, make_pack(file.chunks))
    until = time.monotonic() + 30
    while not all(client.have(session, file.names)) and time.monotonic() < until:  # no more comes: it is verified
        time.sleep(0.05)
    client.upload(late)
    keeper = keep(client)
    keeper.end_sessions()
    done = keeper.repack()
    assert done.dropped_chunks == 2
    assert client.have(client.open(), file.names) == [0, 0]


def test_a_damaged_chunk_stays_where_it_is(connect: Connect, server: RunningServer, noise: Noise, keep: Keep) -> None:
    client = connect()
    files = [weights(noise(50_000)) for _ in range(3)]
    for file in files:
        client.upload(file)
    keeper = keep(client)
    query = select(packs.c.storage_key, encodings.c.offset).join(encodings, encodings.c.pack == packs.c.id)
    [(key, offset)] = keeper.rows(query.where(encodings.c.chunk == files[1].names[0]))
    with (server.data / "packs" / key).open("r+b") as pack:
        pack.seek(offset + 100)
        pack.write(b"damage")
    done = keeper.repack()
    assert (done.moved_chunks, len(done.damaged)) == (2, 1)
    assert files[1].names[0].hex() in done.damaged[0]
    come_back(client, files[0], files[2])
    assert len(keeper.packs_of(*files)) == 2
