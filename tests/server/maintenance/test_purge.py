"""purge: the bytes are nowhere any more, what others coded on them comes back byte for byte, and they are not taken again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from git_lepton.wire.protocol import MISSING, STORED
from lepton_server.admin import maintenance
from lepton_server.backends import open_store
from lepton_server.database.tables import audit, backups, encodings, object_links, objects, packs, tombstones
from lepton_server.database.transactions import clock
from lepton_server.maintenance import purge as purging
from lepton_server.maintenance.purge import NothingToPurge, Purged
from lepton_server.maintenance.purge_target import HeldElsewhere, NoSuchWeights
from tests.server.conftest import BOTH_DATABASES
from tests.server.deltas import fetch, versions
from tests.server.maintenance.conftest import Keep, Keeper
from tests.server.maintenance.hosted import Hosted, pointer
from tests.server.weights_client import Connect, Noise, Weights, WeightsClient, make_pack, weights
from tests.support.running_server import RunningServer


@pytest.fixture
def purge(server: RunningServer) -> Callable[..., Purged]:
    def run(target: str, *, everywhere: bool = False) -> Purged:
        [done] = maintenance.purge(server.settings, target, "it leaked", "ada", everywhere=everywhere)
        return done

    return run


def upload(client: WeightsClient, *files: Weights) -> None:
    """Each in a pack of its own."""
    assert client.upload(*files, packs=[make_pack(file.chunks) for file in files])["state"] == "done"


def come_back(client: WeightsClient, *files: Weights) -> None:
    for file in files:
        assert b"".join(fetch(client, file.names)) == file.data


def is_nowhere(keeper: Keeper, *chunks: object) -> bool:
    """Whether the payloads of these chunks lie in no file of the storage, and no row names them."""
    store = open_store(keeper.settings, keeper.database, "looking")
    payloads = [bytes(chunk.payload) for chunk in chunks]  # type: ignore[attr-defined]
    names = [chunk.name.raw for chunk in chunks]  # type: ignore[attr-defined]
    everything = [store.read(key, 0, store.size(key)) for key in store.keys()]  # noqa: SIM118
    everything += [file.read_bytes() for file in (keeper.data / "packs").rglob("*") if file.is_file()]
    found = [part for part in [*payloads, *names] for data in everything if part in data]
    return not found and not keeper.rows(select(encodings.c.chunk).where(encodings.c.chunk.in_(names)))


def test_the_bytes_are_nowhere(connect: Connect, noise: Noise, keep: Keep, purge: Callable[..., Purged]) -> None:
    client, keeper = connect(), keep(connect())
    shared = noise(3000)
    leaked, kept = weights(shared, noise(5000), noise(6000)), weights(shared, noise(4000))
    client.upload(leaked, kept)
    done = purge(f"sha256:{leaked.oid.hex}")
    assert (done.repositories, done.dropped_chunks, done.kept_chunks, done.packs_deleted) == (1, 2, 1, 1)
    assert is_nowhere(keeper, *leaked.chunks[1:])
    assert client.check(leaked.oid, kept.oid) == [0, 2]
    come_back(client, kept)
    keeper.check_whole()
    assert keeper.rows(select(objects.c.id).where(objects.c.oid == leaked.oid.raw)) == []
    again = purge(leaked.oid.hex)
    assert (again.dropped_chunks, again.packs_deleted) == (0, 0)


@BOTH_DATABASES
def test_what_lies_on_them_is_coded_anew_first(connect: Connect, noise: Noise, keep: Keep, purge: Callable[..., Purged]) -> None:
    client, keeper = connect(), keep(connect())
    files = versions(int.from_bytes(noise(4), "little"), 4, pieces=2)
    upload(client, *files)
    done = purge(files[1].oid.hex)
    assert (done.dropped_chunks, done.recoded_chunks) == (2, 2)
    assert is_nowhere(keeper, *files[1].chunks)
    come_back(client, files[0], *files[2:])
    keeper.check_whole()
    done = purge(files[0].oid.hex)  # the root of the chain
    assert done.dropped_chunks == 2
    assert is_nowhere(keeper, *files[0].chunks)
    come_back(client, *files[2:])
    keeper.check_whole()


@pytest.mark.thorough
def test_also_bytes_that_no_row_names_any_more(
    connect: Connect, noise: Noise, keep: Keep, server: RunningServer, purge: Callable[..., Purged]
) -> None:
    """In packs that repack has left for the grace period, in files without a row, in what is on its way."""
    client, keeper = connect(), keep(connect())
    leaked, kept = weights(noise(5000)), weights(noise(5000))
    upload(client, leaked)
    upload(client, kept)
    assert keeper.repack().packs_written == 1  # both are in a new pack, and in the condemned ones still
    pack = make_pack(leaked.chunks).data
    strays = [server.data / "packs" / "00" / "0123456789abcdef", server.data / "packs" / "incoming" / "left-by-one-that-died"]
    for file, data in zip(strays, (pack, pack[: len(pack) // 2]), strict=True):
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(data)
    done = purge(leaked.oid.hex)
    assert done.packs_deleted == 3
    assert is_nowhere(keeper, *leaked.chunks)
    come_back(client, kept)
    assert keeper.pack_files() == {key for (key,) in keeper.rows(select(packs.c.storage_key))}


def test_it_is_not_taken_again(connect: Connect, noise: Noise, keep: Keep, purge: Callable[..., Purged]) -> None:
    client, other = connect(), connect("admin/another-of-the-tenant")
    leaked = weights(noise(5000))
    client.upload(leaked)
    session = client.open()
    client.announce(session, weights(noise(10)).manifest())
    purge(leaked.oid.hex)
    for one in (client, other):
        begun = one.open()
        reply = one.ask("PUT", "uploads", begun, "manifests", leaked.oid.hex, content=leaked.manifest().encode())
        assert reply.status_code == 403
        error = reply.json()["error"]
        assert error["code"] == "forbidden"
        assert "was purged on" in error["message"]
        assert "by ada: it leaked" in error["message"]


@BOTH_DATABASES
def test_uploads_that_bring_it_at_the_moment_fail(
    connect: Connect, noise: Noise, keep: Keep, purge: Callable[..., Purged]
) -> None:
    client, sender, keeper = connect(), connect("admin/sends-it-too"), keep(connect())
    leaked = weights(noise(5000), noise(200))
    client.upload(leaked)
    session = sender.open()
    sender.announce(session, leaked.manifest())
    sender.send(session, make_pack(leaked.chunks))
    purge(leaked.oid.hex)
    sender.ask("POST", "uploads", session, "commit")
    state = sender.ask("GET", "uploads", session).json()
    assert state["state"] == "failed"
    assert {failure["code"] for failure in state["failures"]} == {"forbidden"}
    assert sender.check(leaked.oid) == [MISSING]
    assert is_nowhere(keeper, *leaked.chunks)


def test_an_upload_that_is_acknowledged_meanwhile_keeps_its_chunks(
    connect: Connect, noise: Noise, purge: Callable[..., Purged], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, shared = connect(), noise(5000)
    leaked, kept = weights(shared, noise(3000)), weights(shared, noise(2000))
    client.upload(leaked)
    session = client.open()
    client.have(session, kept.names)
    free = purging.Purger._free_others

    def after_an_upload(*arguments: object) -> object:
        client.send(session, make_pack(kept.chunks[1:]))
        client.announce(session, kept.manifest())
        client.commit(session)
        assert client.ended(session)["state"] == "done"
        return free(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(purging.Purger, "_free_others", after_an_upload)
    assert purge(leaked.oid.hex).kept_chunks == 1
    assert client.check(leaked.oid, kept.oid) == [0, 2]
    come_back(client, kept)


@BOTH_DATABASES
def test_by_version_and_path_and_what_others_hold(
    connect: Connect, noise: Noise, tmp_path: Path, purge: Callable[..., Purged], server: RunningServer
) -> None:
    hosted, other = Hosted(connect(), tmp_path / "work"), connect("admin/holds-it-as-well")
    leaked, kept = weights(noise(500)), weights(noise(600))
    hosted.version(leaked, kept)
    other.upload(leaked)
    name = hosted.client.name
    for wrong in (f"{name}@main:absent.bin", f"{name}@nowhere:model0.bin", f"{name}@main:.gitattributes", "main:model0.bin"):
        with pytest.raises(NoSuchWeights):
            purge(wrong)
    with pytest.raises(HeldElsewhere, match="admin/holds-it-as-well"):
        purge(f"{name}@main:model0.bin")
    with pytest.raises(HeldElsewhere):
        purge(leaked.oid.hex)
    with pytest.raises(NothingToPurge):
        purge("ab" * 32)
    assert hosted.client.check(leaked.oid) == other.check(leaked.oid) == [STORED]
    assert purge(f"{name}@main:model0.bin", everywhere=True).repositories == 2
    assert other.check(leaked.oid) == [MISSING]
    come_back(hosted.client, kept)
    reply = hosted.client.ask("POST", "tombstones", "read", content=leaked.oid.raw).json()
    assert [(one["kind"], one["size"], one["reason"]) for one in reply["tombstones"]] == [("purged", 500, "it leaked")]
    hosted.work.git("checkout", "-q", "-b", "side")  # histories that have its pointer go on being pushed
    hosted.work.git("commit", "-q", "--amend", "-m", "its pointers are looked at anew")
    hosted.push("HEAD:side")
    assert hosted.work.read("model0.bin") == pointer(leaked)


def test_backups_that_may_hold_it_are_named(
    connect: Connect, noise: Noise, keep: Keep, purge: Callable[..., Purged], server: RunningServer
) -> None:
    client, keeper = connect(), keep(connect())
    leaked = weights(noise(5000))
    with keeper.database.write() as connection:
        row = {"destination": "/before", "started": 0, "finished": clock(connection) - 1000, "detail": "{}"}
        connection.execute(insert(backups).values(row))
    client.upload(leaked)
    with keeper.database.write() as connection:
        now = clock(connection)
        for place, finished in (("/after", now), ("/never-finished", None)):
            row = {"destination": place, "started": now, "finished": finished, "detail": "{}"}
            connection.execute(insert(backups).values(row))
    said = server.run("purge", leaked.oid.hex, "--reason", "it\x1b leaked")
    assert [line for line in said.splitlines() if "backup" in line] == ["a backup may hold it still: /after"]


@BOTH_DATABASES
def test_a_dry_run_says_who_holds_it_and_changes_nothing(
    connect: Connect, noise: Noise, keep: Keep, purge: Callable[..., Purged], server: RunningServer
) -> None:
    client, other, keeper = connect(), connect("admin/holds-what-is-looked-at"), keep(connect())
    shared = noise(3000)
    leaked, kept = weights(shared, noise(5000)), weights(shared, noise(4000))
    upload(client, leaked, kept)
    other.upload(leaked)
    with keeper.database.write() as connection:
        now = clock(connection)
        connection.execute(insert(backups).values({"destination": "/copy", "started": now, "finished": now, "detail": "{}"}))
    tables = (objects, encodings, packs, object_links, tombstones, audit)
    before = [keeper.rows(select(table)) for table in tables]
    files = keeper.pack_files()
    said = json.loads(server.run("purge", leaked.oid.hex, "--dry-run", "--json"))
    assert [keeper.rows(select(table)) for table in tables] == before
    assert keeper.pack_files() == files
    assert client.check(leaked.oid) == other.check(leaked.oid) == [STORED]
    assert said["dry_run"]
    assert said["held_by"] == sorted([client.name, other.name])
    assert said["backups"] == ["/copy"]
    text = server.run("purge", leaked.oid.hex, "--dry-run")
    assert f"held by: {other.name}" in text
    assert "would be dropped: 1 chunks; 1 also belong to other files and stay" in text
    done = purge(leaked.oid.hex, everywhere=True)
    assert (done.repositories, done.dropped_chunks, done.kept_chunks, done.recoded_chunks) == (
        said["repositories"],
        said["dropped_chunks"],
        said["kept_chunks"],
        said["recoded_chunks"],
    )
