"""git's refs, the database and the packs of a server: what one of them has lost is known, said, kept, and brought back."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, insert, select, update

from lepton_server.admin import maintenance, provisioning
from lepton_server.backends import open_store
from lepton_server.content import journal
from lepton_server.content.journal import DatabaseOlder
from lepton_server.database import tables
from lepton_server.database.tables import object_links, refs, stray_files
from lepton_server.database.transactions import Database
from lepton_server.maintenance import unused_packs
from lepton_server.maintenance.gc import HistoryInDoubt, check
from lepton_server.maintenance.scrub_report import DamageFound
from tests.server.deltas import fetch, solo, versions
from tests.server.maintenance.conftest import Keep, Keeper
from tests.server.maintenance.hosted import Hosted
from tests.server.weights_client import Connect, Noise, Weights, WeightsClient, make_pack, weights
from tests.support.running_server import RunningServer

Rows = dict[str, list[dict[str, Any]]]
BOTH = pytest.mark.parametrize("place", ["sqlite-disk", "postgres-moto"], indirect=True)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unused_packs, "_LEAST_GRACE_MS", 0)
    monkeypatch.setattr("lepton_server.git.history._TRIES", 2)


@pytest.fixture
def server(tmp_path: Path, place: Any) -> Any:
    """Each test has one of its own: what it breaks is told of the whole server."""
    (tmp_path / "server").mkdir()
    with RunningServer(tmp_path / "server", (), place=place) as running:
        yield running


def copied(database: Database) -> Rows:
    """A copy of the database: all rows but those of the audit log, which can only grow, and what it refers to."""
    with database.read() as connection:
        kept = [table for table in tables.metadata.sorted_tables if table.name not in ("audit", "processes", "tenants")]
        return {table.name: [dict(row._mapping) for row in connection.execute(select(table))] for table in kept}


def put_back(database: Database, rows: Rows) -> None:
    with database.write() as connection:
        for table in reversed([table for table in tables.metadata.sorted_tables if table.name in rows]):
            connection.execute(delete(table))
        for table in tables.metadata.sorted_tables:
            if rows.get(table.name):
                connection.execute(insert(table), rows[table.name])


def noted(keeper: Keeper, *files: Weights) -> bool:
    """Whether the journal has these files."""
    store = open_store(keeper.settings, keeper.database, "looking")
    return {file.oid.raw for file in files} <= {
        file.oid for note in journal.notes_since(store, 0) for file in journal.brought(store, note)
    }


def eventually(condition: Callable[[], bool], patience: float = 20.0) -> None:
    until = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def gc(keeper: Keeper) -> None:
    check(maintenance.gc(keeper.settings, None, 0.0))


def external(client: WeightsClient, server: RunningServer, name: str) -> WeightsClient:
    provisioning.create_repository(server.settings, name, kind="external")
    return WeightsClient(str(client.http.base_url), server.admin_token, name)


@BOTH
def test_a_database_that_is_older_than_its_packs_is_recognised_and_told_what_it_forgot(
    connect: Connect, server: RunningServer, noise: Noise, keep: Keep, tmp_path: Path
) -> None:
    first, second, elsewhere = weights(noise(4000)), weights(noise(5000)), weights(noise(6000))
    client = connect()
    hosted = Hosted(client, tmp_path / "work")
    hosted.version(first)
    keeper = keep(client)
    with external(client, server, "admin/external") as other:
        before = copied(keeper.database)
        hosted.version(first, second)
        assert other.upload(elsewhere)["state"] == "done"
        eventually(lambda: noted(keeper, first, second, elsewhere))
        server.stop()
        put_back(keeper.database, before)
        server.restart()

        ready = httpx.get(f"{server.url}/readyz").json()
        assert ready["parts"]["database"]["state"] == "warn"
        assert "older than the packs" in ready["parts"]["database"]["detail"]
        files = keeper.pack_files()
        for care in (
            lambda: maintenance.gc(server.settings, None, 0.0),
            lambda: maintenance.repack(server.settings, None, 0.0),
            lambda: maintenance.purge(server.settings, second.oid.hex, "why", "me"),
            lambda: maintenance.scrub(server.settings, drop_lost=True),
        ):
            with pytest.raises(DatabaseOlder, match="older than the packs"):
                care()
        report = maintenance.scrub(server.settings)
        assert [(loss.repository, loss.oid, loss.places) for loss in report.missing] == [
            (client.name, second.oid.hex, ("refs/heads/main:model1.bin",))
        ]
        assert journal.OLDER in report.doubts
        with pytest.raises(DamageFound, match="1 files that refs reach are not stored"):
            report.check()
        assert keeper.pack_files() == files

        report = maintenance.scrub(server.settings, adopt=True)
        report.check()
        assert (report.adopted_packs, report.adopted_files, report.not_adopted) == (2, 2, [])
        assert other.check(elsewhere.oid) == client.check(second.oid) == client.check(first.oid)
        for one, file in (client, second), (other, elsewhere):
            assert [one.fetch(name) for name in file.names] == [file.data]
        gc(keeper)
        assert keeper.pack_files() == files
        assert httpx.get(f"{server.url}/readyz").json()["parts"]["database"]["state"] == "ok"
    keeper.check_whole()


class Older:
    """A repository with a file, a copy of the database as it is then, and a way back to that."""

    def __init__(self, server: RunningServer, client: WeightsClient, keeper: Keeper, visibility: str, file: Weights) -> None:
        assert client.upload(file)["state"] == "done"
        self.server, self.client, self.keeper, self.first = server, client, keeper, file
        self.show(visibility)
        self.before = copied(keeper.database)

    def show(self, visibility: str) -> None:
        self.change(visibility=visibility)

    def change(self, **columns: Any) -> None:
        """Of the one repository that has the first file."""
        mine = select(object_links.c.repository).where(object_links.c.oid == self.first.oid.raw).scalar_subquery()
        with self.keeper.database.write() as connection:
            connection.execute(update(tables.repositories).where(tables.repositories.c.id == mine).values(**columns))

    def push(self, client: WeightsClient, file: Weights) -> None:
        """What the copy does not know of."""
        assert client.upload(file)["state"] == "done"
        eventually(lambda: noted(self.keeper, file))

    def put_back(self) -> None:
        self.server.stop()
        put_back(self.keeper.database, self.before)
        self.server.restart()

    def adopt(self) -> list[str]:
        """What was not read back in."""
        return maintenance.scrub(self.server.settings, adopt=True).not_adopted

    def is_shown(self, file: Weights) -> bool:
        """Whether any repository has it."""
        return bool(self.keeper.rows(select(object_links.c.oid).where(object_links.c.oid == file.oid.raw)))


Copy = Callable[[str], Older]


@pytest.fixture
def copy(connect: Connect, server: RunningServer, noise: Noise, keep: Keep) -> Copy:
    def make(visibility: str) -> Older:
        client = connect()
        return Older(server, client, keep(client), visibility, weights(noise(4000)))

    return make


class Lending:
    """A lender with a base, a borrower with people who may read it and not the lender, and a copy of the database as it is then."""

    def __init__(self, connect: Connect, server: RunningServer, keep: Keep, lender: str) -> None:
        self.base, self.tuned = versions(5, 2)
        self.lender, self.borrower = connect("admin/lender"), connect("admin/borrower")
        self.older = Older(server, self.lender, keep(self.borrower), lender, self.base)
        assert self.borrower.upload(weights(b"x" * 3000))["state"] == "done"
        self.reader = connect(self.borrower.name, server.make_user("reader"))
        server.grant("reader", "reader", self.borrower.name)
        self.older.before = copied(self.older.keeper.database)

    def push(self, file: Weights, allowed: bool = False, brought: tuple[Weights, ...] = ()) -> set[str]:
        """To the borrower; the keys of the packs that it brought."""
        before, session = self.older.keeper.pack_files(), self.borrower.open()
        named = {"bases": [{"repository": self.lender.name, "allowed": allowed}]}
        assert self.borrower.ask("POST", "uploads", session, "bases", json=named).status_code == 200
        self.borrower.announce(session, file.manifest())
        self.borrower.send(session, make_pack([chunk for one in (*brought, file) for chunk in one.chunks]))
        self.borrower.commit(session)
        assert self.borrower.ended(session)["state"] == "done"
        eventually(lambda: noted(self.older.keeper, file))
        return self.older.keeper.pack_files() - before

    def read(self) -> set[str]:
        """What a reader of the borrower can decode by its chunks' names."""
        files = {"base": self.base, "tuned": self.tuned}
        return {
            name
            for name, file in files.items()
            if not self.reader.plan(file.names)["missing"] and fetch(self.reader, file.names) == [file.data]
        }

    def told(self) -> Any:
        """What the borrower holds only as bases, and whose."""
        return self.borrower.ask("GET", "bases").json()["bases"]


@pytest.fixture
def lending(connect: Connect, server: RunningServer, keep: Keep) -> Callable[[str], Lending]:
    return lambda visibility: Lending(connect, server, keep, visibility)


@pytest.mark.thorough
@pytest.mark.parametrize("lender", ["private", "public"])
def test_nothing_is_read_back_in_that_would_show_what_it_now_lies_on(lending: Callable[[str], Lending], lender: str) -> None:
    """Both had the same chunk: one on its base, one whole. The pack of the second is lost, so both would have it as the first had it."""
    world = lending(lender)
    world.older.push(world.lender, world.tuned)
    whole = Weights(world.tuned.data, (solo(world.tuned.data),))
    lost = world.push(whole)
    assert world.read() == {"tuned"}
    world.older.put_back()
    for key in lost:
        (world.older.server.data / "packs" / key).unlink()
    left = world.older.adopt()
    if lender == "public":
        assert (left, world.read()) == ([], {"base", "tuned"})
        [base] = world.told()
        assert (base["repository"], base["chunks"], base["allowed"], base["narrower"]) == ("admin/lender", 1, False, False)
        return
    assert len(left) == 1
    assert left[0].startswith(f"admin/borrower sha256:{whole.oid.hex}: it now lies on weights")
    assert (world.read(), world.told()) == (set(), [])
    world.push(whole)  # as the hint says
    assert (world.older.adopt(), world.read()) == ([], {"tuned"})


@pytest.mark.thorough
@pytest.mark.parametrize("way", ["allowed", "brought"])
def test_bases_that_a_repository_had_come_back_with_whose_they_were(lending: Callable[[str], Lending], way: str) -> None:
    world = lending("private")
    world.push(world.tuned, way == "allowed", (world.base,) if way == "brought" else ())
    before = world.read(), world.told()
    assert before[0] == {"base", "tuned"}
    assert [(one["repository"], one["allowed"], one["narrower"]) for one in before[1]] == (
        [("admin/lender", True, True)] if way == "allowed" else []
    )
    world.older.put_back()
    assert world.read() == set()
    assert world.older.adopt() == []
    assert (world.read(), world.told()) == before


@pytest.mark.thorough
def test_a_number_that_another_repository_got_since_is_not_taken_for_the_lender(lending: Callable[[str], Lending]) -> None:
    world = lending("private")
    world.push(world.tuned, allowed=True)
    world.older.put_back()
    world.older.change(created=1)
    assert world.older.adopt() == []
    assert [(one["repository"], one["narrower"]) for one in world.told()] == [("", True)]


@pytest.mark.thorough
def test_what_took_a_name_over_is_not_shown_by_what_had_it_before(connect: Connect, copy: Copy, noise: Noise) -> None:
    older, secret = copy("public"), weights(noise(5000))
    settings, name = older.server.settings, older.client.name
    provisioning.move(settings, name, name="released")
    provisioning.create_repository(settings, name, kind="hosted")
    older.push(older.client, secret)
    older.put_back()
    for _ in range(2):
        [left] = older.adopt()
        assert left.startswith(f"{name} sha256:{secret.oid.hex}: the database does not know the repository that was called so")
        assert not older.is_shown(secret)
    assert older.client.check(secret.oid) != older.client.check(older.first.oid)
    assert connect(name, "").ask("POST", "objects", "check", content=secret.oid.raw).content != b"\1"

    older.show("private")  # and as the hint says, from a clone
    assert older.client.upload(secret)["state"] == "done"
    assert older.adopt() == []


@pytest.mark.thorough
def test_an_old_name_leads_no_weights_to_what_was_renamed(copy: Copy, noise: Noise) -> None:
    older, secret = copy("public"), weights(noise(5000))
    settings, name = older.server.settings, older.client.name
    provisioning.move(settings, name, name="released")
    older.before = copied(older.keeper.database)  # the old name leads there
    provisioning.create_repository(settings, name, kind="hosted")
    older.push(older.client, secret)
    older.put_back()
    assert len(older.adopt()) == 1
    assert not older.is_shown(secret)


@pytest.mark.thorough
def test_the_same_repository_is_known_by_whatever_name(copy: Copy, noise: Noise) -> None:
    older, file = copy("internal"), weights(noise(5000))
    provisioning.move(older.server.settings, older.client.name, name="renamed-since")
    with WeightsClient(older.server.url, older.server.admin_token, "admin/renamed-since") as client:
        older.push(client, file)
    older.put_back()
    assert older.adopt() == []
    assert older.client.check(file.oid) == older.client.check(older.first.oid)


@pytest.mark.parametrize(
    ("column", "other", "why"),
    [
        ("visibility", "public", "it is public, and was internal when that was pushed; narrow it"),
        ("created", 1, "does not know the repository"),
        ("owner", None, "belongs to another"),
        ("deleted", 1, "is deleted; bring it back"),
        ("kind", "gone", "is gone"),
    ],
)
def test_weights_are_read_back_in_only_where_the_same_people_had_them(
    copy: Copy, noise: Noise, column: str, other: Any, why: str
) -> None:
    older, file = copy("internal"), weights(noise(5000))
    older.push(older.client, file)
    older.put_back()
    provisioning.add_user(older.server.settings, "somebody")
    [(somebody,)] = older.keeper.rows(select(tables.accounts.c.id).where(tables.accounts.c.name == "somebody"))
    [(was,)] = older.keeper.rows(select(tables.repositories.c[column]))
    older.change(**{column: other or somebody})
    [left] = older.adopt()
    assert file.oid.hex in left
    assert why in left
    assert not older.is_shown(file)
    older.change(**{column: was})
    assert older.adopt() == []
    assert older.is_shown(file)


@pytest.mark.thorough
def test_narrower_than_it_was_takes_them_in(copy: Copy, noise: Noise) -> None:
    older, file = copy("private"), weights(noise(5000))
    older.show("public")
    older.push(older.client, file)
    older.put_back()
    assert older.adopt() == []
    assert older.is_shown(file)


@pytest.mark.thorough
@pytest.mark.parametrize("note", [[], {"version": 3, "files": []}, {"version": "\n", "files": 1}])
def test_a_note_of_another_version_is_left_and_named(copy: Copy, noise: Noise, note: Any) -> None:
    older, file = copy("private"), weights(noise(5000))
    older.push(older.client, file)
    older.put_back()
    for there in (older.server.data / "packs" / "journal").iterdir():
        there.write_bytes(zlib.compress(json.dumps(note).encode()))
    left = older.adopt()
    assert left
    assert all("of version" in line and "reads version 2" in line for line in left)
    assert not older.is_shown(file)


def test_what_only_people_can_know_is_said_after_it(server: RunningServer) -> None:
    assert journal.TO_CHECK in maintenance.scrub(server.settings, adopt=True).as_text()
    assert journal.TO_CHECK not in maintenance.scrub(server.settings).as_text()


@pytest.mark.thorough
def test_a_lost_write_ahead_log_is_recognised(connect: Connect, server: RunningServer, noise: Noise, tmp_path: Path) -> None:
    client = connect()
    hosted = Hosted(client, tmp_path / "work")
    first, second = weights(noise(4000)), weights(noise(5000))
    hosted.version(first)
    server.stop()  # all of it is in the database's file
    server.restart()
    hosted.version(second)
    server.kill()
    for file in server.data.glob("lepton.sqlite-*"):
        file.unlink()
    server.restart()
    with pytest.raises(DatabaseOlder):
        maintenance.gc(server.settings, None, 0.0)
    assert [loss.oid for loss in maintenance.scrub(server.settings).missing] == [second.oid.hex]


@pytest.mark.thorough
def test_without_a_journal_packs_are_read_in_and_the_next_push_heals(
    connect: Connect, server: RunningServer, noise: Noise, keep: Keep, tmp_path: Path
) -> None:
    client = connect()
    hosted = Hosted(client, tmp_path / "work")
    first, second = weights(noise(4000)), weights(noise(5000))
    hosted.version(first)
    keeper = keep(client)
    before = copied(keeper.database)
    hosted.version(second)
    eventually(lambda: noted(keeper, second))
    server.stop()
    put_back(keeper.database, before)
    for note in (server.data / "packs" / "journal").iterdir():
        note.unlink()
    server.restart()
    files = keeper.pack_files()
    with pytest.raises(HistoryInDoubt, match="are not those of its last push"):
        gc(keeper)  # the refs alone give it away
    report = maintenance.scrub(server.settings, adopt=True)
    assert (report.adopted_packs, report.adopted_files, len(report.missing)) == (1, 0, 1)
    maintenance.adopt_refs(server.settings, client.name)
    for _ in range(2):
        with pytest.raises(HistoryInDoubt, match="1 files that its refs reach are not stored"):
            gc(keeper)
    assert keeper.pack_files() == files
    assert client.upload(second)["state"] == "done"
    maintenance.scrub(server.settings).check()
    keeper.end_sessions()
    gc(keeper)
    assert [client.fetch(name) for name in second.names] == [second.data]


def stray(server: RunningServer) -> Path:
    file = server.data / "packs" / "t1" / "00" / "0123456789abcdef"
    file.parent.mkdir(exist_ok=True, parents=True)
    file.write_bytes(b"left by a process that died between its rename and its row")
    return file


def test_stray_files_go_when_two_runs_over_all_have_seen_them(
    connect: Connect, server: RunningServer, noise: Noise, keep: Keep
) -> None:
    client = connect()
    client.upload(weights(noise(4000)))
    keeper, left = keep(client), stray(server)
    keeper.gc()
    assert keeper.rows(select(stray_files.c.storage_key)) == []  # a run over one repository does not look
    assert maintenance.gc(server.settings, None, 3600.0).files_deleted == 0
    assert keeper.rows(select(stray_files.c.storage_key)) == [("t1/00/0123456789abcdef",)]
    assert maintenance.gc(server.settings, None, 3600.0).files_deleted == 0
    assert left.exists()
    assert maintenance.gc(server.settings, None, 0.0).files_deleted == 1
    assert not left.exists()
    assert keeper.rows(select(stray_files.c.storage_key)) == []


@pytest.mark.thorough
@pytest.mark.parametrize("doubt", ["the mirror", "what is stored", "a history"])
def test_stray_files_stay_while_there_is_any_doubt(
    connect: Connect, server: RunningServer, noise: Noise, keep: Keep, tmp_path: Path, doubt: str
) -> None:
    client = connect()
    file = weights(noise(4000))
    Hosted(client, tmp_path / "work").version(file)
    keeper, left = keep(client), stray(server)
    folder = server.settings.git_root / f"{client.name}.git"
    if doubt == "the mirror":
        with keeper.database.write() as connection:
            connection.execute(delete(refs))
    elif doubt == "what is stored":
        keeper.unlink(file)
    else:
        folder.with_name("unknown.git").symlink_to(folder)
        folder.rename(folder.with_name("moved.git"))
    for _ in range(3):
        with pytest.raises(HistoryInDoubt):
            gc(keeper)
    assert left.exists()
    report = maintenance.scrub(server.settings)
    assert report.missing or report.doubts
    with pytest.raises(DamageFound):
        report.check()


@pytest.mark.thorough
def test_what_only_history_reaches_is_named_by_its_commit(
    connect: Connect, server: RunningServer, noise: Noise, keep: Keep, tmp_path: Path
) -> None:
    client = connect()
    hosted = Hosted(client, tmp_path / "work")
    old, new = weights(noise(4000)), weights(noise(5000))
    commit = hosted.version(old)
    hosted.version(new)
    keep(client).unlink(old)
    [loss] = maintenance.scrub(server.settings).missing
    assert (loss.oid, loss.places) == (old.oid.hex, (f"{commit[:12]}:model0.bin",))


def test_what_nobody_has_is_said_to_be_lost_and_a_push_brings_it_back(
    connect: Connect, server: RunningServer, noise: Noise, keep: Keep, tmp_path: Path
) -> None:
    client = connect()
    file = weights(noise(4000))
    Hosted(client, tmp_path / "work").version(file)
    keeper = keep(client)
    keeper.unlink(file)
    with pytest.raises(DamageFound):
        maintenance.scrub(server.settings, drop_lost=True).check()
    maintenance.scrub(server.settings).check()
    gc(keeper)
    [row] = keeper.rows(select(tables.tombstones.c.oid, tables.tombstones.c.kind))
    assert row == (file.oid.raw, "lost")
    assert client.upload(file)["state"] == "done"
    assert keeper.rows(select(object_links.c.oid)) == [(file.oid.raw,)]
    assert keeper.rows(select(tables.tombstones.c.oid)) == []


def test_a_damaged_pack_or_note_is_left_and_named(
    connect: Connect, server: RunningServer, noise: Noise, keep: Keep, tmp_path: Path
) -> None:
    client = connect()
    file = weights(noise(4000))
    assert client.upload(file)["state"] == "done"
    keeper = keep(client)
    [key] = keeper.pack_files()
    with keeper.database.write() as connection:
        for table in (tables.leases, tables.upload_packs, object_links, tables.chunk_links, tables.encodings, tables.packs):
            connection.execute(delete(table))
    pack = server.data / "packs" / key
    data = bytearray(pack.read_bytes())
    data[200] ^= 1
    pack.write_bytes(data)
    report = maintenance.scrub(server.settings, adopt=True)
    assert (report.adopted_packs, report.adopted_files) == (0, 0)
    assert f"pack {key}" in report.not_adopted[0]
    with pytest.raises(DamageFound, match="could not be read back in"):
        report.check()
    assert pack.exists()
    for note in (server.data / "packs" / "journal").iterdir():
        note.write_bytes(b"damaged")
    assert any("note" in why for why in maintenance.scrub(server.settings, adopt=True).not_adopted)
