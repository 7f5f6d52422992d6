"""One person's uploads do not cost the others theirs: turns, packs that wait, sessions that are over, answers in little memory."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import xxhash
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from git_lepton.format.coding.codec import encode
from git_lepton.format.identifiers import ChunkId
from git_lepton.format.pack import PACK_HEAD, Kind, Record, end_record
from lepton_server import backends
from lepton_server.backends import open_database
from lepton_server.content import chunk_lookup, pack_reader
from lepton_server.content.decoder import Decoder
from lepton_server.database.tables import uploads
from lepton_server.database.transactions import Database, clock
from lepton_server.settings import ServerSettings
from lepton_server.storage.disk import DiskStore
from lepton_server.storage.object_store import StoreFull
from lepton_server.uploads import sessions as uploads_of_clients
from lepton_server.uploads import verification
from lepton_server.uploads.jobs import Jobs
from lepton_server.uploads.verification import Verification, Workshop
from tests.server.deltas import fetch, versions
from tests.server.weights_client import Connect, WeightsClient, make_pack, weights
from tests.support.running_server import RunningServer

MIB = 1024 * 1024


@pytest.fixture
def received(tmp_path: Path) -> Iterator[tuple[Database, Verification]]:
    """An open upload of five chunks in one pack that no server verifies; the database, and who may."""
    file = weights(*(os.urandom(50) for _ in range(5)))
    with RunningServer(tmp_path) as server:
        client = WeightsClient(server.url, server.admin_token, "admin/turns")
        session = client.open()
        client.announce(session, file.manifest())
        client.send(session, make_pack(file.chunks), 5)  # out of turn: the server waits a little for what is before it
        client.http.close()
        server.kill()
        database = open_database(server.settings)
    decoder = Decoder(DiskStore(server.data / "packs"), 1)
    jobs = Jobs(database, 3600)
    jobs.release_all()
    shop = Workshop(database, DiskStore(server.data / "packs"), decoder, jobs, threading.Event(), lambda: True)
    yield database, Verification(shop, session)
    decoder.close()
    database.close()


def test_a_pack_is_verified_in_turns_each_of_which_goes_on_where_the_last_ended(
    received: tuple[Database, Verification], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "_TURN_SECONDS", 0.0)
    monkeypatch.setattr(verification, "_TURN_SHARE", 0)
    database, one = received
    with database.write() as connection:
        uploads_of_clients.commit(connection, connection.execute(select(uploads.c.id)).scalar_one())
    turns = 0
    while one.step() is not None:
        turns += 1
    assert turns >= 5
    with database.read() as connection:
        assert connection.execute(select(uploads.c.state)).scalar_one() == "done"
    assert one.verified_bytes == 250


@pytest.mark.parametrize(("constant", "value"), [("_LULL_SECONDS", 0.0), ("_BACKLOG_BYTES", 0)])
def test_packs_are_stored_first_and_verified_in_a_lull_or_when_many_wait(
    received: tuple[Database, Verification], monkeypatch: pytest.MonkeyPatch, constant: str, value: float
) -> None:
    monkeypatch.setattr(verification, "_PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(verification, "_LULL_SECONDS", 1000.0)
    _, one = received
    wait = one.step()
    assert wait is not None
    assert 900 < wait <= 1000
    assert one.verified_bytes == 0
    monkeypatch.setattr(verification, constant, value)
    while one.step() == 0.0 and one.verified_bytes < 250:
        pass
    assert one.verified_bytes == 250


def test_a_pack_that_was_verified_in_several_turns_is_whole(connect: Connect) -> None:
    client, other = connect(), connect("admin/turns-other")
    file = weights(*(bytes(16 * MIB - 8) + number.to_bytes(8, "big") for number in range(24)))
    session = client.open()
    client.announce(session, file.manifest())
    client.send(session, make_pack(file.chunks))
    client.commit(session)
    assert other.upload(weights(b"between its turns"))["state"] == "done"
    assert client.ended(session)["state"] == "done"


def test_waiting_packs_are_looked_at_again_only_when_their_base_comes(connect: Connect, noise: Callable[[int], bytes]) -> None:
    first, second = versions(int.from_bytes(noise(3), "big"), 2)
    client = connect()
    session = client.open()
    for file in (first, second):
        client.announce(session, file.manifest())
    client.send(session, make_pack(second.chunks), 0)
    for number in range(1, 6):
        client.send(session, make_pack([encode(noise(30), "")]), number)
    client.send(session, make_pack(first.chunks), 6)
    client.commit(session)
    assert client.ended(session)["state"] == "done"
    assert fetch(client, second.names)


def test_as_many_records_as_the_protocol_allows_and_no_more() -> None:
    def packed(count: int) -> bytes:
        header = Record(Kind.CHUNK, 0, 0, 1, 1, ChunkId(bytes(32)), None, xxhash.xxh3_64_intdigest(b"\0")).encode()
        return PACK_HEAD + (header + b"\0") * count + end_record([header] * count)[1]

    most = packed(65_536)
    assert pack_reader.pack_name(lambda start, length: most[start : start + length], len(most))
    more = packed(65_537)
    with pytest.raises(pack_reader.TooManyRecords):
        pack_reader.pack_name(lambda start, length: more[start : start + length], len(more))


@pytest.mark.thorough
def test_a_restart_does_not_revive_what_has_expired(tmp_path: Path) -> None:
    _, second = versions(7, 2)
    with RunningServer(tmp_path) as server:
        client = WeightsClient(server.url, server.admin_token, "admin/gone")
        session = client.open()
        client.send(session, make_pack(second.chunks))  # waits for a base that never comes
        database = open_database(server.settings)
        time.sleep(0.3)
        with database.write() as connection:
            connection.execute(update(uploads).values(expires=clock(connection) - 1000))
        server.restart()
        time.sleep(0.7)
        with database.read() as connection:
            assert connection.execute(select(uploads.c.expires)).scalar_one() < clock(connection)
        database.close()
        client.http.close()


def test_a_plan_in_many_windows_is_that_in_one(connect: Connect, noise: Callable[[int], bytes]) -> None:
    files = versions(int.from_bytes(noise(3), "big"), 4, pieces=3)
    client = connect()
    assert client.upload(*files)["state"] == "done"
    names = [*files[3].names, os.urandom(32), *files[1].names]
    plan = client.plan(names)
    assert plan["missing"] == [3]
    assert len(plan["entries"]) == 12
    assert {bytes.fromhex(name) for name in plan["extra"]} == {*files[0].names, *files[2].names}
    order = [name for name in names if name != names[3]] + [bytes.fromhex(name) for name in plan["extra"]]
    place = {name: number for number, name in enumerate(order)}
    for below, above in pairwise(files):
        assert [plan["entries"][place[name]][7] for name in above.names] == [place[name] for name in below.names]


def test_windows_hold_every_name_once() -> None:
    digests = os.urandom(32 * 7)
    assert [len(chunk_lookup.split(window)) for window in chunk_lookup.windows(digests, 3)] == [3, 3, 1]
    assert b"".join(name for window in chunk_lookup.windows(digests, 3) for name in chunk_lookup.split(window)) == digests


@pytest.mark.parametrize("complaint", ["disk I/O error", "database or disk is full"])
def test_a_full_disk_is_one_sentence(tmp_path: Path, complaint: str) -> None:
    with pytest.raises(StoreFull, match="disk is full"), backends.opened(ServerSettings(tmp_path)):
        raise OperationalError("", {}, Exception(complaint))
