"""A repack, gc or purge that is killed at any of its steps loses nothing, and those after it end what it began."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from lepton_server.admin import maintenance
from lepton_server.database.tables import encodings, object_links, objects, packs
from lepton_server.maintenance import unused_packs
from tests.server.deltas import fetch, versions
from tests.server.maintenance.conftest import Keep
from tests.server.maintenance.hosted import Hosted
from tests.server.maintenance.test_purge import is_nowhere
from tests.server.weights_client import Connect, Noise, make_pack, weights
from tests.support.running_server import RunningServer

_SCRIPT = Path(__file__).with_name("dying_maintenance.py")
_MOST_STEPS = 60
KillAt = Callable[[int, str, str], int]
pytestmark = [pytest.mark.skipif(os.name != "posix", reason="nothing is killed so on Windows"), pytest.mark.thorough]


@pytest.fixture
def kill_at(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[KillAt]:
    """Runs one of them, killed at a step; the signal that ended it, 0 where it came to its end."""
    monkeypatch.setattr(unused_packs, "_LEAST_GRACE_MS", 0)
    command = [sys.executable, str(_SCRIPT), str(server.data)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        assert process.stdin
        assert process.stdout
        incoming, outgoing = process.stdin, process.stdout

        def kill(step: int, what: str, target: str) -> int:
            incoming.write(f"{step} {what} {target}\n")
            return int(outgoing.readline())

        yield kill
        incoming.close()


def test_a_repack_killed_at_every_step(connect: Connect, noise: Noise, keep: Keep, kill_at: KillAt) -> None:
    client = connect()
    keeper = keep(client)
    alive = []
    for step in range(_MOST_STEPS):
        *older, kept = versions(step, 4)  # the last lies on three bases: repack codes it anew
        gone = weights(noise(20_000))
        client.upload(*older, kept, gone)
        alive.append(kept)
        keeper.unlink(gone)
        keeper.end_sessions()
        ended_by = kill_at(step, "repack", keeper.repository)
        keeper.check_whole()
        for file in alive[-3:]:
            assert fetch(client, file.names) == [file.data]
        if ended_by == 0:
            break
        assert ended_by == signal.SIGKILL
    assert 10 < step < _MOST_STEPS - 1
    for _ in range(3):
        keeper.repack()
        maintenance.gc(keeper.settings, None, 0.0)  # which takes away what has no row
    for file in alive:
        assert fetch(client, file.names) == [file.data]
    assert max(keeper.depths(*alive).values()) < 3
    assert keeper.pack_files() == {key for (key,) in keeper.rows(select(packs.c.storage_key))}
    assert not list((keeper.data / "packs" / "repacking").iterdir())


def test_a_gc_killed_at_every_step(connect: Connect, noise: Noise, keep: Keep, kill_at: KillAt, tmp_path: Path) -> None:
    hosted, elsewhere = Hosted(connect(), tmp_path / "work"), connect("admin/needs-some-of-it")
    elsewhere.ask("PUT", json={"kind": "external"})
    hosted.commit()
    hosted.push()
    keeper = keep(hosted.client)
    alive, dead = [], []
    for step in range(_MOST_STEPS):
        kept, gone = weights(noise(4000), noise(300)), weights(noise(20_000), noise(200))
        hosted.client.upload(kept, gone, packs=[make_pack(kept.chunks), make_pack(gone.chunks)])
        elsewhere.upload(kept)
        alive.append(kept)
        dead.append(gone)
        keeper.end_sessions()
        ended_by = kill_at(step, "gc", "-")
        keeper.check_whole()
        for file in alive[-3:]:
            assert fetch(elsewhere, file.names) == [file.data[:4000], file.data[4000:]]
        if ended_by == 0:
            break
        assert ended_by == signal.SIGKILL
    assert 10 < step < _MOST_STEPS - 1
    for _ in range(3):
        maintenance.gc(keeper.settings, None, 0.0)
    for file in alive:
        assert b"".join(fetch(elsewhere, file.names)) == file.data
    oids, chunks = [file.oid.raw for file in dead], [name for file in dead for name in file.names]
    assert keeper.rows(select(object_links.c.oid).where(object_links.c.oid.in_(oids))) == []
    assert keeper.rows(select(objects.c.oid).where(objects.c.oid.in_(oids))) == []
    assert keeper.rows(select(encodings.c.chunk).where(encodings.c.chunk.in_(chunks))) == []
    assert is_nowhere(keeper, *(chunk for file in dead for chunk in file.chunks))
    assert keeper.pack_files() == {key for (key,) in keeper.rows(select(packs.c.storage_key))}


def test_a_purge_killed_at_every_step(connect: Connect, noise: Noise, keep: Keep, kill_at: KillAt) -> None:
    client = connect()
    keeper = keep(client)
    for step in range(_MOST_STEPS):
        first, leaked, last = versions(500 + step, 3)  # something lies on what is to go
        client.upload(first, leaked, last)
        ended_by = kill_at(step, "purge", leaked.oid.hex)
        keeper.check_whole()
        assert fetch(client, [*first.names, *last.names]) == [first.data, last.data]
        if ended_by:
            assert ended_by == signal.SIGKILL
            assert kill_at(1000, "purge", leaked.oid.hex) == 0  # it was not even begun, or is ended now
        assert client.check(first.oid, leaked.oid, last.oid) == [2, 0, 2]
        assert is_nowhere(keeper, *leaked.chunks)
        assert fetch(client, [*first.names, *last.names]) == [first.data, last.data]
        if ended_by == 0:
            break
    assert 10 < step < _MOST_STEPS - 1
