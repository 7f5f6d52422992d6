"""A bare repository on a disk, its store beside it: weights come and go by plain git, and what is rotten there frees nothing here."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.end_to_end.conftest import HERE
from tests.end_to_end.world import World
from tests.support.tiny_models import model

pytestmark = HERE

NAME = "model.safetensors"
OLD, NEW = model(1, rows=400), model(2, rows=400)


def packs(store: Path) -> list[Path]:
    return sorted((store / "lepton/packs").glob("*.pack"))


def size(store: Path) -> int:
    return sum(pack.stat().st_size for pack in packs(store))


def pushed(world: World) -> tuple[Path, Path]:
    """A repository with two versions, both pushed to a bare one on the disk; what is stored looks an hour old."""
    bare = world.folder / "nas.git"
    world.git(world.folder, "init", "-q", "--bare", "-b", "main", str(bare))
    place = world.repository(remote=str(bare))
    world.commit(place, NAME, OLD, "old")
    world.commit(place, NAME, NEW, "new")
    world.git(place, "push", "-q", "-u", "origin", "main")
    for pack in packs(place / ".git"):
        os.utime(pack, (time.time() - 3600,) * 2)
    return place, bare


def test_a_clone_by_path_brings_the_weights(world: World) -> None:
    _, bare = pushed(world)
    world.git(world.folder, "lepton", "install")
    world.git(world.folder, "clone", "-q", str(bare), "elsewhere")
    assert (world.folder / "elsewhere" / NAME).read_bytes() == NEW
    world.clean(world.folder / "elsewhere")


def test_prune_frees_what_the_folder_has(world: World) -> None:
    place, _ = pushed(world)
    before = size(place / ".git")
    world.git(place, "lepton", "prune", "--verify-remote")
    assert size(place / ".git") < 0.6 * before
    world.git(place, "checkout", "-q", "HEAD~1")
    assert (place / NAME).read_bytes() == OLD


@pytest.mark.thorough
def test_prune_keeps_what_is_rotten_in_the_folder(world: World) -> None:
    place, bare = pushed(world)
    for pack in packs(bare):
        data = bytearray(pack.read_bytes())
        for at in range(1000, len(data) - 5000, 5000):
            data[at] ^= 1
        pack.chmod(0o644)
        pack.write_bytes(data)
    before = size(place / ".git")
    world.git(place, "lepton", "prune", "--verify-remote")
    assert size(place / ".git") == before
    world.git(place, "checkout", "-q", "HEAD~1")
    assert (place / NAME).read_bytes() == OLD
