"""Servers over one PostgreSQL and one S3 that die or lose their database while people push and pull: the endurance run, made small."""

from __future__ import annotations

import argparse
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.endurance import Run
from tests.end_to_end.world import World
from tests.support import fine_tuned
from tests.support.backends import Backends, Place
from tests.support.postgres import Postgres
from tests.support.running_server import RunningServer
from tests.support.unreliable import Odds, Unreliable

NAME = "m.safetensors"


@pytest.mark.thorough
def test_nothing_acknowledged_is_lost_while_servers_die(tmp_path: Path, backends: Backends) -> None:
    options = argparse.Namespace(minutes=0.3, clients=3, servers=3, tensors=1, grace="5s")
    place = backends.place("postgres-moto")
    with Unreliable(place.s3_endpoint, Odds(busy=0.05, cut=0.02)) as s3:
        seen = Run(tmp_path, replace(place, s3_endpoint=s3.url), s3, options).go()
    assert seen["complaints"] == []
    assert int(seen["pushes acknowledged"]) > 0
    assert int(seen["servers killed or stopped"]) > 0


@pytest.mark.thorough
def test_a_push_during_which_the_database_goes_away(tmp_path: Path, clean_environment: Path) -> None:
    """It waits and goes on, or says that it could not be done; then the same command again completes."""
    data = fine_tuned.model(0, seed=77, tensors=8)
    with Postgres() as postgres, RunningServer(tmp_path, place=Place(postgres.new_database())) as server:
        world = World(tmp_path, clean_environment, server)
        place = world.repository(remote=world.url("admin/m"))
        world.commit(place, NAME, data)
        push = ["git", "push", "-q", "origin", "main"]
        pushing = subprocess.Popen(push, cwd=place, env=world.environment, stderr=subprocess.PIPE, text=True)
        postgres.stop()
        time.sleep(3)
        postgres.start()
        said = pushing.communicate(timeout=200)[1]
        assert "Traceback" not in said
        if pushing.returncode:
            world.run(push, place)
        world.git(tmp_path, "clone", "-q", world.url("admin/m"), "clone")
        assert (tmp_path / "clone" / NAME).read_bytes() == data
        assert "Traceback" not in server.log.read_text()
