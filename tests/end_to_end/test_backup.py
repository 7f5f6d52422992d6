"""Backup, loss of everything, restore onto the other kind of database and storage: every version comes back byte for byte."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lepton_server.admin import backups
from lepton_server.settings import S3Settings
from tests.end_to_end.world import World
from tests.support.backends import Backends, Place, chosen
from tests.support.fine_tuned import model
from tests.support.running_server import RunningServer

pytestmark = pytest.mark.thorough

_COUNT = 1 << 15  # values of a tensor: a version has 256 KiB
_OTHER = {"sqlite-disk": "postgres-moto", "postgres-moto": "sqlite-disk", "postgres-ceph": "sqlite-disk"}
Versions = dict[str, bytes]
"""The weights of each commit."""


@pytest.fixture(params=chosen())
def kinds(request: pytest.FixtureRequest) -> tuple[str, str]:
    """On what the server runs, and on what it is restored."""
    return request.param, _OTHER[request.param]


@pytest.fixture
def world(tmp_path: Path, clean_environment: Path, kinds: tuple[str, str], backends: Backends) -> Iterator[World]:
    folder = tmp_path / "place"
    folder.mkdir()
    (tmp_path / "first").mkdir()
    with RunningServer(tmp_path / "first", place=backends.place(kinds[0])) as running:
        yield World(folder, clean_environment, running)


def lepton_server(*arguments: str, place: Place) -> str:
    """What a command of `lepton-server` printed."""
    command = [sys.executable, "-m", "lepton_server.cli", *arguments, *place.options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | dict(place.environment))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def push_versions(world: World, work: Path, numbers: range, seed: int) -> Versions:
    made = {}
    for number in numbers:
        data = model(number, seed, tensors=4, count=_COUNT)
        made[world.commit(work, "model.safetensors", data, f"version {number}")] = data
    world.git(work, "push", "-q", "origin", "HEAD")
    return made


def check_versions(world: World, url: str, versions: Versions, name: str) -> Path:
    """A clone has every one of these versions, byte for byte."""
    clone = world.folder / name
    world.git(world.folder, "clone", "-q", url, str(clone))
    for commit, data in versions.items():
        world.git(clone, "checkout", "-q", commit)
        assert (clone / "model.safetensors").read_bytes() == data
    return clone


def test_everything_is_lost_and_comes_back_elsewhere(
    world: World, kinds: tuple[str, str], backends: Backends, tmp_path: Path
) -> None:
    server, archive = world.server, str(tmp_path / "archive")
    assert server
    work = world.repository("work", remote=world.url("admin/models"))
    versions = push_versions(world, work, range(2), seed=1)
    world.git(work, "tag", "-a", "v1", "-m", "the first")
    world.git(work, "checkout", "-qb", "trial", "HEAD~1")
    versions |= push_versions(world, work, range(7, 8), seed=1)
    reader = server.make_user("reader")
    server.grant("reader", "reader", "admin/models")
    first = json.loads(server.run("backup", archive, "--json"))
    assert first["objects"] == 3 and first["copied_packs"] == first["packs"] > 0

    world.git(work, "push", "-q", "origin", "v1")  # nothing but a ref
    other = world.repository("other", remote=world.url("admin/other"))
    others = push_versions(world, other, range(1), seed=2)
    refs = world.git(work, "ls-remote", "origin")
    second = backups.make(server.settings, archive, S3Settings())
    assert second.snapshot.counts["objects"] == 4
    assert second.copied_packs == second.snapshot.counts["packs"] - first["packs"] == 1

    server.kill()
    shutil.rmtree(server.data)
    place = backends.place(kinds[1])
    folder = tmp_path / "second"
    told = lepton_server("restore", archive, "--deep", "--data", str(folder / "data"), place=place)
    assert f"restored {second.snapshot.id}: 4 files" in told
    with RunningServer(folder, place=place, admin_token=server.admin_token) as restored:
        again = World(world.folder, world.home, restored)
        clone = check_versions(again, again.url("admin/models"), versions, "models-again")
        assert again.git(clone, "ls-remote", "origin") == refs
        again.environment["GIT_LEPTON_TOKEN"] = reader
        assert again.git(clone, "ls-remote", "origin") == refs
        assert "not" in again.git(clone, "ls-remote", again.url("admin/other"), fails=True)
        again.environment["GIT_LEPTON_TOKEN"] = server.admin_token
        check_versions(again, again.url("admin/other"), others, "other-again")
        again.git(clone, "checkout", "-q", "main")
        push_versions(again, clone, range(3, 4), seed=1)  # the server goes on, and so do its backups
        third = backups.make(restored.settings, archive, S3Settings(), keep=1)
        assert third.snapshot.counts["objects"] == 5 and third.copied_packs == 1
        assert third.pruned_snapshots == 0  # those are of another server, as far as anybody can tell
    assert len(backups.listed(archive, S3Settings())) == 3
    assert backups.verify(archive, S3Settings()) == []
