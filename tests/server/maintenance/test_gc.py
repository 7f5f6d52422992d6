"""gc beside a server that serves: what no ref reaches goes, with its bytes; what is needed or in doubt stays."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from git_lepton.wire.protocol import MISSING, STORED
from lepton_server.admin import maintenance
from lepton_server.database.tables import audit, chunk_links, encodings, object_links, objects, packs, share_files, shares
from lepton_server.maintenance import gc
from lepton_server.maintenance.gc import HistoryInDoubt
from lepton_server.repositories import registry
from tests.server.conftest import BOTH_DATABASES
from tests.server.deltas import fetch, versions
from tests.server.maintenance.conftest import Keep, Keeper
from tests.server.maintenance.hosted import Hosted
from tests.server.weights_client import Connect, Noise, Weights, WeightsClient, make_pack, weights
from tests.support.git_sandbox import GitEnded
from tests.support.running_server import RunningServer


@pytest.fixture
def hosted(connect: Connect, tmp_path: Path) -> Hosted:
    return Hosted(connect(), tmp_path / "work")


def come_back(client: WeightsClient, *files: Weights) -> None:
    for file in files:
        assert b"".join(fetch(client, file.names)) == file.data


def is_gone(keeper: Keeper, *files: Weights) -> bool:
    """Whether neither the files nor chunks that only they have are known to the database."""
    names = {name for file in files for name in file.names}
    links = keeper.rows(select(chunk_links.c.chunk).where(chunk_links.c.chunk.in_(names)))
    stored = keeper.rows(select(encodings.c.chunk).where(encodings.c.chunk.in_(names)))
    held = keeper.rows(select(objects.c.oid).where(objects.c.oid.in_([file.oid.raw for file in files])))
    return not (links or stored or held)


def with_unnamed(hosted: Hosted, keep: Keep, *files: Weights) -> Keeper:
    """The repository holds these files, a commit has landed that names none of them, and no upload lives."""
    hosted.client.upload(*files)
    hosted.commit()
    hosted.push()
    keeper = keep(hosted.client)
    keeper.end_sessions()
    return keeper


@BOTH_DATABASES
def test_what_no_ref_reaches_goes(hosted: Hosted, noise: Noise, keep: Keep, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, gone = weights(noise(30_000)), weights(noise(50_000), noise(10))
    hosted.version(kept)
    hosted.client.upload(gone)
    hosted.commit(gone)
    hosted.push("HEAD:other")
    keeper = keep(hosted.client)
    keeper.end_sessions()
    assert keeper.gc().objects_unlinked == 0
    hosted.push(":other")
    assert keeper.gc(grace=3600).objects_unlinked == 0
    would = keeper.gc(dry_run=True)
    assert not is_gone(keeper, gone)
    done = keeper.gc()
    for told in (would, done):
        assert (told.objects_unlinked, told.object_bytes, told.links_dropped, told.dropped_chunks) == (1, 50_010, 2, 2)
    assert is_gone(keeper, gone)
    assert done.packs_condemned == 1
    assert hosted.client.check(gone.oid, kept.oid) == [0, 2]
    assert keeper.gc().packs_deleted == 1
    assert keeper.pack_files() == {key for (key,) in keeper.rows(select(packs.c.storage_key))}
    come_back(hosted.client, kept)
    assert hosted.client.upload(gone)["state"] == "done"
    come_back(hosted.client, gone)


def test_history_and_tags_keep_what_they_reach(hosted: Hosted, noise: Noise, keep: Keep) -> None:
    older, tagged, newest = (weights(noise(2000)) for _ in range(3))
    hosted.version(older)
    hosted.version(tagged)
    hosted.work.git("tag", "-a", "-m", "kept", "v1")
    hosted.push("v1")
    hosted.work.git("reset", "-q", "--hard", "HEAD~1")
    hosted.version(newest)
    keeper = keep(hosted.client)
    keeper.end_sessions()
    assert keeper.gc().objects_unlinked == 0
    come_back(hosted.client, older, tagged, newest)
    hosted.push(":v1")
    assert keeper.gc().objects_unlinked == 1
    assert is_gone(keeper, tagged)
    come_back(hosted.client, older, newest)


def test_a_pointer_keeps_its_object_wherever_it_stands(hosted: Hosted, noise: Noise, keep: Keep) -> None:
    """Also where attributes do not say lepton, and where only a later git-lepton could read it."""
    plain, later, not_named = (weights(noise(2000)) for _ in range(3))
    hosted.client.upload(plain, later, not_named)
    hosted.work.write("notes.txt", f"version git-lepton/v1\noid sha256:{plain.oid.hex}\nsize {len(plain.data)}\n")
    hosted.work.write("later.txt", f"version git-lepton/v9\nroot sha256:{later.oid.hex}\n")
    hosted.work.write("readme.txt", f"the oid is sha256:{not_named.oid.hex}\n")
    hosted.commit()
    hosted.push()
    keeper = keep(hosted.client)
    keeper.end_sessions()
    assert keeper.gc().objects_unlinked == 1
    assert hosted.client.check(plain.oid, later.oid, not_named.oid) == [2, 2, 0]


@BOTH_DATABASES
def test_a_base_stays_while_something_that_is_kept_lies_on_it(hosted: Hosted, noise: Noise, keep: Keep) -> None:
    files = versions(int.from_bytes(noise(4), "little"), 3)
    for file in files:
        hosted.client.upload(file, packs=[make_pack(file.chunks)])
    hosted.commit(files[2])
    hosted.push()
    keeper = keep(hosted.client)
    keeper.end_sessions()
    done = keeper.gc()
    assert (done.objects_unlinked, done.links_dropped, done.dropped_chunks) == (2, 0, 0)
    come_back(hosted.client, files[2])
    keeper.check_whole()
    hosted.start_over()
    assert keeper.gc().dropped_chunks == 3
    assert is_gone(keeper, *files)


def test_each_repository_lets_go_of_what_it_does_not_need(hosted: Hosted, connect: Connect, noise: Noise, keep: Keep) -> None:
    """Chunks that another repository goes on holding are no longer readable here."""
    file = weights(noise(4000))
    hosted.version(file)
    other = connect("admin/goes-on-needing-it")
    other.upload(file)
    hosted.start_over()
    keeper = keep(hosted.client)
    keeper.end_sessions()
    done = keeper.gc()
    assert (done.objects_unlinked, done.links_dropped, done.dropped_chunks) == (1, 1, 0)
    assert hosted.client.plan(file.names)["missing"] == [0]
    come_back(other, file)


def test_external_repositories_lose_nothing(connect: Connect, noise: Noise, keep: Keep) -> None:
    client = connect()
    assert client.ask("PUT", json={"kind": "external"}).status_code in (200, 201)
    file = weights(noise(4000))
    client.upload(file)
    keeper = keep(client)
    keeper.end_sessions()
    done = keeper.gc()
    assert (done.objects_unlinked, done.kept, done.refused) == (0, [], [])
    come_back(client, file)


def test_weights_whose_history_never_came_stay_and_are_named(connect: Connect, noise: Noise, keep: Keep) -> None:
    client = connect()
    assert client.ask("PUT").status_code == 200
    keeper = keep(client)
    assert keeper.gc().kept == keeper.gc(dry_run=True).kept == []  # it holds nothing yet
    client.upload(weights(noise(100)))
    keeper.end_sessions()
    done = keeper.gc()
    assert (done.objects_unlinked, len(done.kept), done.refused) == (0, 1, [])
    assert client.name in done.kept[0]


def test_without_its_git_folder_nothing_is_touched(
    hosted: Hosted, noise: Noise, keep: Keep, server: RunningServer, tmp_path: Path
) -> None:
    kept, loose = weights(noise(100)), weights(noise(200))
    hosted.version(kept)
    hosted.client.upload(loose)
    keeper = keep(hosted.client)
    keeper.end_sessions()
    folder = server.settings.git_root / f"{hosted.client.name}.git"
    shutil.move(folder, tmp_path / "elsewhere")
    done = keeper.gc()
    assert (done.objects_unlinked, len(done.refused)) == (0, 1)
    assert hosted.client.name in done.refused[0]
    with pytest.raises(HistoryInDoubt):
        gc.check(done)
    shutil.move(tmp_path / "elsewhere", folder)
    assert keeper.gc().objects_unlinked == 1
    come_back(hosted.client, kept)


def test_refs_that_are_not_the_mirrors_stop_it_until_somebody_says_which_are_right(
    hosted: Hosted, noise: Noise, keep: Keep, server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lepton_server.git import history

    monkeypatch.setattr(history.settled_refs, "__kwdefaults__", {"tries": 2})
    older, newest = weights(noise(100)), weights(noise(200))
    before = hosted.version(older)
    hosted.version(newest)
    keeper = keep(hosted.client)
    keeper.end_sessions()
    folder = server.settings.git_root / f"{hosted.client.name}.git"
    hosted.work.git("--git-dir", str(folder), "update-ref", "refs/heads/main", before)  # as a wrong restore would
    done = keeper.gc()
    assert (done.objects_unlinked, len(done.refused)) == (0, 1)
    assert "refs/heads/main" in done.refused[0]
    come_back(hosted.client, older, newest)
    maintenance.adopt_refs(keeper.settings, hosted.client.name)
    assert keeper.gc().objects_unlinked == 1
    assert hosted.client.check(older.oid, newest.oid) == [2, 0]


def test_a_damaged_history_stops_it(hosted: Hosted, noise: Noise, keep: Keep, server: RunningServer) -> None:
    hosted.version(weights(noise(100)))
    hosted.client.upload(weights(noise(200)))
    keeper = keep(hosted.client)
    keeper.end_sessions()
    blob = hosted.work.git("rev-parse", "HEAD:model0.bin").strip()
    folder = server.settings.git_root / f"{hosted.client.name}.git" / "objects"
    unpacked = folder / blob[:2] / blob[2:]
    assert unpacked.is_file()  # a push this small is kept as loose objects
    unpacked.rename(unpacked.with_suffix(".away"))
    done = keeper.gc()
    assert (done.objects_unlinked, len(done.refused)) == (0, 1)
    unpacked.with_suffix(".away").rename(unpacked)
    assert keeper.gc().objects_unlinked == 1


def test_what_a_push_was_told_is_stored_stays_a_while(hosted: Hosted, noise: Noise, keep: Keep) -> None:
    """The client asks, hears that nothing need be sent, and commits meanwhile: the grace period begins with that answer."""
    file = weights(noise(100))
    keeper = with_unnamed(hosted, keep, file)
    with keeper.database.write() as connection:
        connection.execute(update(object_links).where(object_links.c.oid == file.oid.raw).values(created=0))
    assert keeper.gc(grace=60, dry_run=True).objects_unlinked == 1
    assert hosted.client.check(file.oid) == [STORED]
    assert keeper.gc(grace=60).objects_unlinked == 0
    hosted.commit(file)
    hosted.push()
    assert keeper.gc().objects_unlinked == 0


def test_a_reader_s_question_keeps_nothing(
    hosted: Hosted, connect: Connect, noise: Noise, keep: Keep, server: RunningServer
) -> None:
    file = weights(noise(100))
    keeper = with_unnamed(hosted, keep, file)
    token = server.make_user("reads-only")
    server.grant("reads-only", "reader", hosted.client.name)
    with keeper.database.write() as connection:
        connection.execute(update(object_links).where(object_links.c.oid == file.oid.raw).values(created=0))
    assert connect(hosted.client.name, token).check(file.oid) == [STORED]
    assert keeper.gc(grace=60).objects_unlinked == 1


@BOTH_DATABASES
def test_a_push_that_is_checked_while_gc_runs_lands_whole_or_is_refused(
    hosted: Hosted, noise: Noise, keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between gc's look at the refs and its unlinking a push brings the pointer back: seen, and kept."""
    from lepton_server.maintenance.gc import Collector

    file, loose = weights(noise(100)), weights(noise(200))
    keeper = with_unnamed(hosted, keep, file, loose)
    found = Collector._candidates

    def find_then_push(self: Collector, *arguments: Any) -> Any:
        candidates = found(self, *arguments)
        assert len(candidates) == 2
        hosted.commit(file)
        hosted.push()
        return candidates

    monkeypatch.setattr(Collector, "_candidates", find_then_push)
    assert keeper.gc().objects_unlinked == 1
    come_back(hosted.client, file)
    assert hosted.client.check(loose.oid) == [MISSING]
    hosted.commit(loose)
    with pytest.raises(GitEnded, match="not stored"):
        hosted.push()


@BOTH_DATABASES
def test_a_link_that_was_given_away_keeps_its_files(hosted: Hosted, noise: Noise, keep: Keep) -> None:
    file = weights(noise(100))
    keeper = with_unnamed(hosted, keep, file)
    with keeper.database.write() as connection:
        found = registry.find(connection, *hosted.client.name.split("/"))
        assert found
        row = {"digest": noise(32), "repository": found.id, "account": found.owner_account, "revision": "HEAD", "created": 0}
        share = connection.execute(shares.insert().values(row)).inserted_primary_key[0]  # type: ignore[index]
        named = {"share": share, "path": "model0.bin", "oid": file.oid.raw, "size": 100, "downloads": 0, "sent": 0}
        connection.execute(share_files.insert().values(named))
    assert keeper.gc().objects_unlinked == 0
    with keeper.database.write() as connection:
        connection.execute(update(shares).values(revoked=1))
    assert keeper.gc().objects_unlinked == 1


@BOTH_DATABASES
def test_a_file_that_a_live_upload_brings_stays(hosted: Hosted, noise: Noise, keep: Keep) -> None:
    file = weights(noise(100), noise(200))
    hosted.commit()
    hosted.push()
    session = hosted.client.open()
    hosted.client.announce(session, file.manifest())
    hosted.client.send(session, make_pack(file.chunks))
    other = hosted.client.open()
    hosted.client.commit(session)
    assert hosted.client.ended(session)["state"] == "done"
    keeper = keep(hosted.client)
    assert hosted.client.have(other, file.names) == [2, 2]
    keeper.gc()
    assert hosted.client.have(other, file.names) == [2, 2]


def test_a_run_is_noted(hosted: Hosted, noise: Noise, keep: Keep) -> None:
    keeper = with_unnamed(hosted, keep, weights(noise(100)))
    keeper.gc()
    [(by, detail)] = keeper.rows(
        select(audit.c.account, audit.c.detail).where(audit.c.action == "gc.run").order_by(audit.c.id.desc()).limit(1)
    )
    assert (by, json.loads(detail)["objects_unlinked"]) == ("server", 1)
