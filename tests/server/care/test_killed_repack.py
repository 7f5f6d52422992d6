"""A repack that is killed at any of its steps loses nothing, and those after it end what it began."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from lepton_server.care import leftovers
from lepton_server.tables import packs
from tests.server.care.conftest import Keep
from tests.server.deltas import fetch, versions
from tests.server.weights_client import WeightsClient, weights

Connect = Callable[..., WeightsClient]
Noise = Callable[[int], bytes]
_SCRIPT = Path(__file__).with_name("dying_repack.py")
_MOST_STEPS = 60


@pytest.fixture
def kill_at(connect: Connect, keep: Keep) -> Iterator[Callable[[int], int]]:
    """Repacks, killed at a step; the signal that ended it, 0 where it came to its end."""
    keeper = keep(connect())
    command = [sys.executable, str(_SCRIPT), str(keeper.data), keeper.repository]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        assert process.stdin
        assert process.stdout
        incoming, outgoing = process.stdin, process.stdout

        def kill(step: int) -> int:
            incoming.write(f"{step}\n")
            return int(outgoing.readline())

        yield kill
        incoming.close()


@pytest.mark.skipif(os.name != "posix", reason="nothing is killed so on Windows")
def test_killed_at_every_step(
    connect: Connect, noise: Noise, keep: Keep, monkeypatch: pytest.MonkeyPatch, kill_at: Callable[[int], int]
) -> None:
    monkeypatch.setattr(leftovers, "_LEAST_GRACE_MS", 0)
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
        ended_by = kill_at(step)
        keeper.check_whole()
        for file in alive[-3:]:
            assert fetch(client, file.names) == [file.data]
        if ended_by == 0:
            break
        assert ended_by == signal.SIGKILL
    assert 15 < step < _MOST_STEPS - 1
    for _ in range(3):
        keeper.repack()
    for file in alive:
        assert fetch(client, file.names) == [file.data]
    assert max(keeper.depths(*alive).values()) < 3
    assert keeper.pack_files() == {key for (key,) in keeper.rows(select(packs.c.storage_key))}
    assert not list((keeper.data / "packs" / "repacking").iterdir())
