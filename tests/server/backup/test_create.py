"""Backups of a server that serves, and the server that comes out of one, on the other kind of database."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import delete, func, insert, select, update

from git_lepton.errors import CorruptData
from git_lepton.wire.protocol import STORED
from lepton_server.admin import backups, maintenance
from lepton_server.backends import open_database
from lepton_server.backup import create
from lepton_server.backup.archive import NoArchive, NotAnArchive, open_archive
from lepton_server.backup.archive_lock import ArchiveBusy
from lepton_server.backup.parts import rows_of
from lepton_server.backup.restore import NotEmpty
from lepton_server.backup.salvage import salvage
from lepton_server.backup.snapshot import UnknownBackupVersion
from lepton_server.database.tables import backups as backup_rows
from lepton_server.database.tables import chunk_links, facts, object_links, uploads
from lepton_server.settings import S3Settings, ServerSettings
from tests.server.conftest import BOTH_DATABASES
from tests.server.weights_client import Connect, Noise, Weights, WeightsClient, make_pack, weights
from tests.support.backends import Backends
from tests.support.running_server import RunningServer

pytestmark = BOTH_DATABASES
_S3 = S3Settings()


def upload(client: WeightsClient, *files: Weights) -> None:
    assert client.upload(*files)["state"] == "done"


@pytest.fixture
def other(server: RunningServer, backends: Backends, tmp_path: Path) -> ServerSettings:
    """An empty place on the other kind of database."""
    kind = "sqlite-disk" if server.place.database else "postgres-disk"
    return backends.place(kind).settings(tmp_path / "other" / "data")


def test_a_second_backup_copies_only_what_is_new(server: RunningServer, connect: Connect, noise: Noise, tmp_path: Path) -> None:
    place = str(tmp_path / "archive")
    first_file, second_file = weights(noise(50_000)), weights(noise(30_000))
    upload(connect(), first_file)
    first = backups.make(server.settings, place, _S3)
    nothing = backups.make(server.settings, place, _S3)
    upload(connect(), second_file)
    second = backups.make(server.settings, place, _S3)
    assert first.copied_packs == first.snapshot.counts["packs"] > 0
    assert (nothing.copied_packs, nothing.copied_bytes) == (0, 0)
    assert second.copied_packs == 1
    assert 30_000 < second.copied_bytes < 32_000
    assert [one.id for one in backups.listed(place, _S3)] == [one.snapshot.id for one in (first, nothing, second)]
    with server.looking_into() as connection:
        assert connection.execute(select(func.count()).select_from(backup_rows)).scalar_one() >= 3


def test_old_backups_go_and_what_only_they_needed(server: RunningServer, connect: Connect, noise: Noise, tmp_path: Path) -> None:
    place = tmp_path / "archive"
    gone, kept = weights(noise(40_000)), weights(noise(40_000))
    upload(connect(), gone)
    backups.make(server.settings, str(place), _S3)
    upload(connect(), kept)
    with server.looking_into() as connection:
        connection.execute(delete(object_links).where(object_links.c.oid == gone.oid.raw))
        connection.execute(update(uploads).values(expires=0))  # and with them their leases
    maintenance.repack(server.settings, None, 0)
    done = backups.make(server.settings, str(place), _S3, keep=1)
    assert done.pruned_snapshots == 1 and done.pruned_files > 0
    assert backups.verify(str(place), _S3) == []
    assert not any(bytes(gone.chunks[0].payload) in file.read_bytes() for file in (place / "packs").rglob("*") if file.is_file())
    assert any(bytes(kept.chunks[0].payload) in file.read_bytes() for file in (place / "packs").rglob("*") if file.is_file())


def test_a_backup_of_another_server_is_dropped_with_what_only_it_needed(
    server: RunningServer, connect: Connect, noise: Noise, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "archive"
    monkeypatch.chdir(tmp_path)
    upload(connect(), weights(noise(40_000)))
    kept = backups.make(server.settings, "archive", _S3).snapshot
    archive = open_archive(str(place))
    part = hashlib.sha256(b"only theirs").hexdigest()
    archive.put(f"parts/{part[:2]}/{part}", b"only theirs")
    theirs = replace(kept, id="theirs", server="f" * 32, packs=replace(kept.packs, rows=0, parts=[]))
    archive.complete(theirs)
    assert backups.make(server.settings, str(place), _S3, keep=2).pruned_snapshots == 0
    with pytest.raises(backups.NoSuchBackup, match="nothing"):
        backups.drop(str(place), _S3, "nothing")
    archive.put(f"running/{'e' * 32}-{time.time_ns() // 1_000_000}", b"")
    with pytest.raises(ArchiveBusy):
        backups.drop(str(place), _S3, "theirs")
    next((place / "running").iterdir()).unlink()
    archive.put(f"parts/{part[:2]}/{part}", b"only theirs")
    assert backups.drop("archive", _S3, "theirs").files == 1
    assert not (place / "parts" / part[:2] / part).exists()
    assert [one.server for one in backups.listed(str(place), _S3)] == [kept.server] * 2
    assert backups.verify(str(place), _S3) == []
    with server.looking_into() as connection:
        noted = connection.execute(select(backup_rows.c.destination).order_by(backup_rows.c.id.desc()).limit(2)).scalars().all()
    assert noted == [str(place)] * 2


def test_the_other_database_gives_the_same_weights(
    server: RunningServer, connect: Connect, noise: Noise, tmp_path: Path, other: ServerSettings
) -> None:
    place, client = str(tmp_path / "archive"), connect()
    file = weights(noise(50_000), noise(20_000))
    upload(client, file)
    backups.make(server.settings, place, _S3)
    backups.restore_server(other, place, _S3, deep=True)
    where = replace(server.place, database=other.database, storage=other.storage, s3_endpoint="", git=None, environment={})
    with RunningServer(other.data.parent, place=where, admin_token=server.admin_token) as restored:
        with WeightsClient(restored.url, server.admin_token, client.name) as again:
            assert again.check(file.oid) == [STORED]
            assert hashlib.sha256(b"".join(again.fetch(name) for name in file.names)).digest() == file.oid.raw
            upload(again, weights(noise(10_000)))  # numbers of new rows are free
        restored.make_user("somebody")
    with pytest.raises(NotEmpty):
        backups.restore_server(other, place, _S3)


def test_a_flipped_bit_in_a_backup_is_found_and_never_restored(
    server: RunningServer, connect: Connect, noise: Noise, tmp_path: Path, other: ServerSettings
) -> None:
    place = tmp_path / "archive"
    upload(connect(), weights(noise(50_000)))
    backups.make(server.settings, str(place), _S3)
    files = [file for file in place.rglob("*") if file.is_file() and file.parts[len(place.parts)] in ("packs", "parts")]
    for file in (max(files, key=lambda file: file.stat().st_size), min(files, key=lambda file: file.stat().st_size)):
        sound = file.read_bytes()
        damaged = bytearray(sound)
        damaged[len(damaged) // 2] ^= 1
        file.write_bytes(damaged)
        found = backups.verify(str(place), _S3)
        assert len(found) == 1 and file.name in found[0] and "damaged" in found[0]
        with pytest.raises(CorruptData):
            backups.restore_server(other, str(place), _S3)
        file.write_bytes(sound)
    backups.restore_server(other, str(place), _S3)  # what failed before left nothing in the way


def test_a_file_that_lacks_a_part_is_named_and_the_others_come_back(
    server: RunningServer, connect: Connect, noise: Noise, tmp_path: Path, other: ServerSettings
) -> None:
    place, client = str(tmp_path / "archive"), connect()
    sound, broken = weights(noise(5_000)), weights(noise(5_000), noise(3_000))
    upload(client, sound, broken)
    link = chunk_links.c.chunk == broken.names[1]
    with server.looking_into() as connection:
        row = dict(connection.execute(select(chunk_links).where(link)).mappings().one())
        connection.execute(delete(chunk_links).where(link))
    try:
        (told,) = maintenance.scrub(server.settings).incomplete
        assert broken.oid.hex in told
        backups.make(server.settings, place, _S3)
        (told,) = backups.restore_server(other, place, _S3, deep=True).incomplete
        assert broken.oid.hex in told
    finally:
        with server.looking_into() as connection:
            connection.execute(insert(chunk_links).values(row))
    database = open_database(other)
    with database.read() as connection:
        held = set(connection.execute(select(object_links.c.oid)).scalars())
    database.close()
    assert sound.oid.raw in held and broken.oid.raw not in held


def test_damage_in_the_server_is_no_backup(server: RunningServer, connect: Connect, noise: Noise, tmp_path: Path) -> None:
    place, file = tmp_path / "archive", weights(noise(50_000))
    upload(connect(), file)
    packs = [pack for pack in (server.data / "packs").rglob("*") if pack.is_file()]
    (pack,) = [pack for pack in packs if bytes(file.chunks[0].payload) in pack.read_bytes()]
    sound = pack.read_bytes()
    pack.write_bytes(sound[:1000] + bytes([sound[1000] ^ 1]) + sound[1001:])
    with pytest.raises(create.Damaged, match="damaged"):
        backups.make(server.settings, str(place), _S3)
    assert backups.listed(str(place), _S3) == []
    pack.write_bytes(sound)
    done = backups.make(server.settings, str(place), _S3)
    assert done.copied_packs == 1  # the others were there, from the run that failed


def test_chunks_come_out_of_a_backup(server: RunningServer, connect: Connect, noise: Noise, tmp_path: Path) -> None:
    place, file = str(tmp_path / "archive"), weights(noise(50_000), noise(1_000))
    upload(connect(), file)
    snapshot = backups.make(server.settings, place, _S3).snapshot
    archive = open_archive(place)
    found = dict(salvage(archive, snapshot.server, 1, [*file.names, bytes(32)]))
    assert b"".join(found[name] for name in file.names) == file.data
    assert len(found) == 2
    pack = make_pack(file.unique)
    assert archive.pack(pack.name.raw) == pack.data
    assert archive.pack(bytes(32)) is None


def test_no_secret_is_in_a_backup(server: RunningServer, tmp_path: Path) -> None:
    snapshot = backups.make(server.settings, str(tmp_path / "archive"), _S3).snapshot
    archive = open_archive(str(tmp_path / "archive"))
    written = json.dumps({name: list(rows_of(archive, listing)) for name, listing in snapshot.tables.items()})
    with server.looking_into() as connection:
        secrets = [str(value) for value in connection.execute(select(facts.c.value)).scalars() if len(str(value)) > 20]
    if server.settings.secret_file.is_file():
        secrets.append(server.settings.secret_file.read_text().strip())
    assert len(secrets) >= 2
    assert [secret for secret in [server.admin_token, *secrets] if secret in written] == []
    assert hashlib.sha256(server.admin_token.encode()).hexdigest() in written  # it goes on being good


def test_places_that_hold_no_backups_are_refused(server: RunningServer, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(NotAnArchive):
        backups.make(server.settings, str(tmp_path / "mine"), _S3)
    with pytest.raises(NoArchive):
        backups.listed(str(tmp_path / "absent"), _S3)
    with pytest.raises(NoArchive):
        backups.listed(str(tmp_path), _S3)


def test_a_later_version_is_refused(server: RunningServer, tmp_path: Path) -> None:
    place = tmp_path / "archive"
    backups.make(server.settings, str(place), _S3)
    head = place / "lepton-backup"
    head.write_text(head.read_text().replace('"version": 1', '"version": 2'))
    with pytest.raises(UnknownBackupVersion, match="version 2"):
        backups.listed(str(place), _S3)
