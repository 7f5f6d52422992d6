"""Weights that another remote has: a colleague's fork, and a repository on its way to another server."""

from __future__ import annotations

import os
import shutil

from tests.end_to_end.conftest import HERE
from tests.end_to_end.world import World

NAME = "model.safetensors"
pytestmark = HERE


def test_a_forks_branch_is_checked_out_and_merged(world: World, url: str) -> None:
    one, two = os.urandom(300_000), os.urandom(300_000)
    place = world.repository(remote=url)
    world.commit(place, NAME, one)
    world.git(place, "push", "-q", "origin", "main")
    world.git(place, "clone", "-q", url, str(world.folder / "clone"))
    world.commit(place, NAME, two)
    world.git(place, "push", "-q", f"{url}-fork", "HEAD:main", "HEAD:pr")
    clone = world.folder / "clone"
    world.git(clone, "remote", "add", "ada", f"{url}-fork")
    world.git(clone, "fetch", "-q", "ada")
    world.git(clone, "checkout", "-q", "ada/pr")
    assert (clone / NAME).read_bytes() == two
    world.clean(clone)
    world.git(clone, "switch", "-q", "main")
    world.git(clone, "merge", "-q", "ada/pr")
    assert (clone / NAME).read_bytes() == two


def test_a_mirror_brings_what_it_needs_from_where_it_was_cloned_or_says_once_that_no_remote_has_it(
    world: World, url: str
) -> None:
    versions = [os.urandom(50_000) for _ in range(3)]
    place = world.repository(remote=url)
    for data in versions:
        world.commit(place, NAME, data)
    world.git(place, "tag", "one")
    world.git(place, "push", "-q", "origin", "main", "one")
    world.git(world.folder, "clone", "-q", "--mirror", url, "mirror.git")
    mirror = world.folder / "mirror.git"
    shutil.copytree(mirror, world.folder / "alone.git")
    world.git(mirror, "push", "-q", "--mirror", f"{url}-moved")
    world.git(world.folder, "clone", "-q", f"{url}-moved", "moved")
    world.git(world.folder / "moved", "checkout", "-q", "HEAD~2")
    assert (world.folder / "moved" / NAME).read_bytes() == versions[0]

    alone = world.folder / "alone.git"
    world.git(alone, "remote", "remove", "origin")
    said = world.git(alone, "push", "--mirror", f"{url}-again", fails=True)
    assert said.count("neither on this machine nor in the store") == 1
    assert "git lepton fetch --all" in said
    assert said.count("its weights were not sent") == 2
    world.git(alone, "remote", "add", "old", url)
    world.git(alone, "lepton", "fetch", "--all", "old")
    world.git(alone, "push", "-q", "--mirror", f"{url}-again")
