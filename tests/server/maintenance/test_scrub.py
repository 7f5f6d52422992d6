"""scrub finds every flipped bit, what is cut short and what is missing, says what that costs, and brings it back from a backup."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from lepton_server.admin import maintenance
from lepton_server.backends import open_store
from lepton_server.database.tables import encodings, facts, packs
from lepton_server.maintenance import scrub as scrubbing
from lepton_server.maintenance.scrub_report import DamageFound, ScrubReport
from tests.server.deltas import fetch, solo, versions
from tests.server.maintenance.conftest import Keep, Keeper
from tests.server.maintenance.hosted import Hosted
from tests.server.weights_client import Connect, Noise, Weights, WeightsClient, make_pack, weights
from tests.support.running_server import RunningServer

Place = tuple[Path, int, int]


@pytest.fixture(autouse=True)
def whole_before(server: RunningServer) -> object:
    """Every test leaves the store sound for the next."""
    yield
    for key in [bad.key for bad in maintenance.scrub(server.settings).left]:
        raise AssertionError(f"{key} was left damaged")


@pytest.fixture
def place_of(server: RunningServer, keep: Keep, connect: Connect) -> Callable[[bytes], Place]:
    """Where a chunk lies: the pack's file, offset and length of the payload."""
    keeper = keep(connect())

    def find(chunk: bytes) -> Place:
        query = select(packs.c.storage_key, encodings.c.offset, encodings.c.stored).join(
            encodings, encodings.c.pack == packs.c.id
        )
        [(key, offset, stored)] = keeper.rows(query.where(encodings.c.chunk == chunk))
        return server.data / "packs" / key, offset, stored

    return find


def upload(client: WeightsClient, *files: Weights) -> None:
    """Each in a pack of its own."""
    assert client.upload(*files, packs=[make_pack(file.chunks) for file in files])["state"] == "done"


def scrub(server: RunningServer, **options: object) -> ScrubReport:
    return maintenance.scrub(server.settings, **options)  # type: ignore[arg-type]


def flip(file: Path, at: int) -> None:
    data = bytearray(file.read_bytes())
    data[at] ^= 0x10
    file.write_bytes(data)


def test_what_is_sound_is_said_to_be(server: RunningServer, connect: Connect, noise: Noise) -> None:
    upload(connect(), *versions(int.from_bytes(noise(4), "little"), 4))
    report = scrub(server)
    assert (report.bad, report.lost) == ([], [])
    assert report.packs >= 4
    assert report.chunks >= 4
    report.check()


def test_every_flipped_bit_is_found(
    server: RunningServer, connect: Connect, noise: Noise, place_of: Callable[[bytes], Place]
) -> None:
    """In payloads, headers, the head, the index and the trailer; no file is lost where no payload is hit."""
    client = connect()
    file = weights(noise(3000), noise(2000))
    upload(client, file)
    pack, offset, stored = place_of(file.names[1])
    good = pack.read_bytes()
    source = random.Random(0)
    places = [0, 9, offset - 50, offset, offset + stored - 1, len(good) - 1, len(good) - 50, len(good) - 150]
    for at in [*places, *(source.randrange(len(good)) for _ in range(12))]:
        flip(pack, at)
        report = scrub(server)
        assert [bad.key for bad in report.bad] == [pack.relative_to(server.data / "packs").as_posix()], at
        hit = offset <= at < offset + stored
        assert (not hit) or [loss.oid for loss in report.lost] == [file.oid.hex]
        pack.write_bytes(good)


def test_what_is_lost_is_named_and_the_rest_stays_readable(
    server: RunningServer, connect: Connect, noise: Noise, place_of: Callable[[bytes], Place], tmp_path: Path
) -> None:
    hosted, external = Hosted(connect(), tmp_path / "work"), connect("admin/elsewhere-hosted")
    external.ask("PUT", json={"kind": "external"})
    hit, whole, shared = weights(noise(3000), noise(10)), weights(noise(2000)), noise(700)
    older = weights(shared, noise(10))
    hosted.version(older, whole)
    hosted.version(hit, whole)
    other = weights(noise(30), shared)
    external.upload(other)
    for chunk in (hit.names[0], older.names[0]):
        pack, offset, _ = place_of(chunk)
        flip(pack, offset)
    report = scrub(server)
    assert sorted(loss.told() for loss in report.lost) == sorted(
        [
            f"{hosted.client.name} sha256:{hit.oid.hex} (refs/heads/main:model0.bin)",
            f"{hosted.client.name} sha256:{older.oid.hex} (in its history)",
            f"{external.name} sha256:{other.oid.hex} (in its history)",
        ]
    )
    with pytest.raises(DamageFound, match="3 files cannot be rebuilt"):
        report.check()
    assert fetch(hosted.client, whole.names) == [whole.data]
    for chunk in (hit.names[0], older.names[0]):
        pack, offset, _ = place_of(chunk)
        flip(pack, offset)


def test_a_chunk_that_lies_on_a_damaged_one_is_lost_with_it(
    server: RunningServer, connect: Connect, noise: Noise, place_of: Callable[[bytes], Place]
) -> None:
    files = versions(int.from_bytes(noise(4), "little"), 3)
    upload(connect(), *files)
    pack, offset, _ = place_of(files[0].names[0])
    flip(pack, offset)
    report = scrub(server)
    assert {loss.oid for loss in report.lost} == {file.oid.hex for file in files}
    assert [bad.unreadable_chunks for bad in report.bad] == [1, 1, 1]
    flip(pack, offset)


def test_what_is_cut_short_or_missing_is_found(
    server: RunningServer, connect: Connect, noise: Noise, place_of: Callable[[bytes], Place]
) -> None:
    client = connect()
    cut, gone = weights(noise(3000), noise(3000)), weights(noise(2000))
    upload(client, cut, gone)
    pack, offset, stored = place_of(cut.names[1])
    good = pack.read_bytes()
    pack.write_bytes(good[: offset + stored // 2])
    other, _, _ = place_of(gone.names[0])
    other_good = other.read_bytes()
    other.unlink()
    report = scrub(server)
    assert sorted((bad.missing, bad.unreadable_chunks) for bad in report.bad) == [(False, 1), (True, 1)]
    assert {loss.oid for loss in report.lost} == {cut.oid.hex, gone.oid.hex}
    assert fetch(client, cut.names[:1])[0] == cut.data[:3000]  # what is before the cut stays readable
    pack.write_bytes(good)
    other.write_bytes(other_good)


def test_a_run_that_ended_in_the_middle_goes_on(
    server: RunningServer,
    connect: Connect,
    noise: Noise,
    keep: Keep,
    monkeypatch: pytest.MonkeyPatch,
    place_of: Callable[[bytes], Place],
) -> None:
    monkeypatch.setattr(scrubbing, "_NOTED_EVERY", 1)
    files = [weights(noise(100)) for _ in range(5)]
    upload(connect(), *files)
    keeper: Keeper = keep(connect())
    keys = sorted(keeper.pack_files())
    whole = scrub(server).packs
    bad, offset, _ = min(map(place_of, (file.names[0] for file in files)))
    flip(bad, offset)
    found, seen = scrubbing.Scrubber._look_at, 0

    def die_at_the_last(self: scrubbing.Scrubber, key: str) -> None:
        nonlocal seen
        if key == keys[-1]:
            raise KeyboardInterrupt
        seen += 1
        found(self, key)

    with monkeypatch.context() as patch:
        patch.setattr(scrubbing.Scrubber, "_look_at", die_at_the_last)
        with pytest.raises(KeyboardInterrupt):
            scrub(server)
    assert seen == len(keys) - 1
    report = scrub(server, resume=True)
    assert report.packs == 2 < whole  # the last, and the bad one once more
    assert len(report.bad) == 1
    assert keeper.rows(select(facts.c.value).where(facts.c.name == "scrub.position")) == []
    flip(bad, offset)


def test_the_command_says_it_and_ends_with_7(
    server: RunningServer, connect: Connect, noise: Noise, place_of: Callable[[bytes], Place]
) -> None:
    file = weights(noise(3000))
    upload(connect(), file)
    pack, offset, _ = place_of(file.names[0])
    assert "all of it is sound" in server.run("scrub")
    flip(pack, offset)
    import subprocess
    import sys

    command = [sys.executable, "-m", "lepton_server.cli", "scrub", "--json", "--data", str(server.data)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 7, done.stderr
    assert [loss["oid"] for loss in json.loads(done.stdout)["lost"]] == [file.oid.hex]
    flip(pack, offset)


def test_damage_is_repaired_from_a_backup(
    server: RunningServer, connect: Connect, noise: Noise, keep: Keep, place_of: Callable[[bytes], Place], tmp_path: Path
) -> None:
    """Whole packs where the backup has them; single chunks where they lay elsewhere when it was made."""
    client = connect()
    files = versions(int.from_bytes(noise(4), "little"), 4, pieces=2)
    upload(client, *files)
    keeper = keep(client)
    server.run("backup", str(tmp_path / "backups"))
    first, offset, _ = place_of(files[1].names[0])
    flip(first, offset)
    second, _, _ = place_of(files[2].names[0])
    second.unlink()
    report = scrub(server, repair_from=str(tmp_path / "backups"))
    assert (len(report.bad), report.left, report.lost, report.repaired_packs) == (3, [], [], 2)
    for file in files:
        assert b"".join(fetch(client, file.names)) == file.data
    assert keeper.repack().packs_written >= 1
    keeper.end_sessions()
    keeper.repack()  # the old packs go: the backup holds none of those that are left
    merged, offset, _ = place_of(files[3].names[0])
    flip(merged, offset)
    base, offset, _ = place_of(files[0].names[0])
    flip(base, offset)
    report = scrub(server, repair_from=str(tmp_path / "backups"))
    assert (report.left, report.lost) == ([], [])
    assert report.repaired_chunks >= 1
    for file in files:
        assert b"".join(fetch(client, file.names)) == file.data
    store = open_store(server.settings, keeper.database, "looking")
    assert {key for (key,) in keeper.rows(select(packs.c.storage_key))} <= set(store.keys())


def test_what_no_backup_has_stays_lost(
    server: RunningServer, connect: Connect, noise: Noise, place_of: Callable[[bytes], Place], tmp_path: Path
) -> None:
    client = connect()
    server.run("backup", str(tmp_path / "backups"))
    file = weights(noise(3000))
    upload(client, file)
    pack, offset, _ = place_of(file.names[0])
    flip(pack, offset)
    report = scrub(server, repair_from=str(tmp_path / "backups"))
    assert ([loss.oid for loss in report.lost], len(report.left)) == ([file.oid.hex], 1)
    flip(pack, offset)


def test_what_is_lost_for_good_can_be_pushed_again(
    server: RunningServer, connect: Connect, noise: Noise, place_of: Callable[[bytes], Place], keep: Keep
) -> None:
    client = connect()
    files = versions(int.from_bytes(noise(4), "little"), 2)
    upload(client, *files)
    pack, _, _ = place_of(files[0].names[0])
    pack.unlink()
    assert client.check(*(file.oid for file in files)) == [2, 2]
    report = scrub(server, drop_lost=True)
    assert {loss.oid for loss in report.lost} == {file.oid.hex for file in files}  # the second lies on the first
    assert client.check(*(file.oid for file in files)) == [0, 0]
    upload(client, *(Weights(file.data, tuple(solo(file.data) for _ in file.chunks)) for file in files))
    for file in files:
        assert fetch(client, file.names) == [file.data]
    keeper = keep(client)
    keeper.end_sessions()
    keeper.gc()  # the row of the pack that is gone goes
