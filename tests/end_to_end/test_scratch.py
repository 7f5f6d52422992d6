"""A trainer rewrites a checkpoint while an editor asks for the status: the store does not grow without end, and nothing referenced goes."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tests.end_to_end.conftest import HERE
from tests.end_to_end.world import World, write
from tests.support.tiny_models import model

pytestmark = HERE

NAME = "checkpoint.safetensors"
LIMIT = 1 << 18


def stored(place: Path) -> int:
    return sum(pack.stat().st_size for pack in (place / ".git/lepton/packs").iterdir())


def an_hour_passes(place: Path) -> None:
    """What is stored so far looks an hour old."""
    then = time.time() - 3600
    for pack in (place / ".git/lepton/packs").iterdir():
        os.utime(pack, (then, then))
    (place / ".git/lepton/survey.json").unlink(missing_ok=True)


def test_versions_that_nothing_names_are_capped(world: World) -> None:
    place = world.repository()
    world.git(place, "config", "lepton.scratchLimit", str(LIMIT))
    committed, stashed, staged = model(1, rows=200), model(2, rows=200), model(3, rows=200)
    world.commit(place, NAME, committed)
    write(place / NAME, stashed)
    world.git(place, "stash")
    write(place / NAME, staged)
    world.git(place, "add", NAME)
    before = stored(place)
    for seed in range(10, 16):
        (place / NAME).write_bytes(model(seed, rows=200))
        world.git(place, "status")
        an_hour_passes(place)
    kept = stored(place) - before
    print(f"6 versions of {len(committed)} bytes; {kept} bytes are kept beyond what is referenced")
    assert kept < 3 * len(committed)
    world.git(place, "checkout", "--", NAME)
    assert (place / NAME).read_bytes() == staged
    world.git(place, "reset", "-q", "--hard")
    assert (place / NAME).read_bytes() == committed
    world.git(place, "stash", "pop")
    assert (place / NAME).read_bytes() == stashed
