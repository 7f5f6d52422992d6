"""Versions of a model in a team's day: each push brings what changed, wherever the version before it was left behind.

Which base a version gets is for the client to choose; only where a server has its part in it, this is tried on two kinds of them.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Select, func, select

from lepton_server.backends import open_database
from lepton_server.database.tables import chunk_links, encodings, packs, repositories
from tests.end_to_end.conftest import EMBEDDED_AND_TEAM, HERE
from tests.end_to_end.world import World, write
from tests.support import fine_tuned

NAME = "m.safetensors"
SOLO = 650_000  # bytes that a version takes at least by itself (1 MiB as a file)
DELTA = 250_000  # and at most against the version before


Versions = Callable[[int], bytes]


@pytest.fixture
def model(request: pytest.FixtureRequest) -> Versions:
    """The versions of a model that no other test has: a server knows what it stored."""
    return partial(fine_tuned.model, seed=zlib.crc32(request.node.name.encode()), count=1 << 17)


@pytest.fixture
def place(world: World, url: str, model: Versions) -> Path:
    """A repository with the first version, pushed."""
    place = world.repository(remote=url)
    world.commit(place, NAME, model(0))
    world.git(place, "push", "-q", "origin", "main")
    return place


def pushed(world: World, place: Path, *arguments: str) -> int:
    """Bytes of packs that a push brought to the server."""
    before = received(world)
    world.git(place, "push", "-q", *arguments)
    return received(world) - before


def received(world: World) -> int:
    return int(rows(world, select(func.coalesce(func.sum(packs.c.size), 0)))[0][0])


def depths(world: World, url: str) -> list[int]:
    """How many chunks of a repository have 0, 1, 2 and 3 bases."""
    query = select(encodings.c.depth, func.count()).join(chunk_links, chunk_links.c.chunk == encodings.c.chunk)
    query = query.join(repositories, repositories.c.id == chunk_links.c.repository).group_by(encodings.c.depth)
    found = dict(rows(world, query.where(repositories.c.name == url.rpartition("/")[2])))
    assert found.keys() <= {0, 1, 2, 3}
    return [found.get(depth, 0) for depth in range(4)]


def rows(world: World, query: Select[Any]) -> list[tuple[Any, ...]]:
    """What the server's database answers."""
    assert world.server
    database = open_database(world.server.settings)
    with database.read() as connection:
        found = [tuple(row) for row in connection.execute(query)]
    database.close()
    return found


def comes_back(world: World, url: str, data: bytes, name: str = "clone", branch: str = "main") -> None:
    """A clone has that version."""
    world.git(world.folder, "clone", "-q", "-b", branch, url, name)
    assert (world.folder / name / NAME).read_bytes() == data
    world.clean(world.folder / name)


@EMBEDDED_AND_TEAM
def test_a_version_costs_what_changed(world: World, place: Path, url: str, model: Versions) -> None:
    world.commit(place, NAME, model(1))
    assert 0 < pushed(world, place, "origin", "main") < DELTA
    comes_back(world, url, model(1))


@pytest.mark.thorough
@EMBEDDED_AND_TEAM
def test_a_clone_that_has_the_version_before_gets_only_what_changed(world: World, place: Path, url: str, model: Versions) -> None:
    comes_back(world, url, model(0))
    world.commit(place, NAME, model(1))
    world.git(place, "push", "-q", "origin", "main")
    clone = world.folder / "clone"
    before = local(world, clone)
    world.git(clone, "pull", "-q")
    assert (clone / NAME).read_bytes() == model(1)
    assert 0 < local(world, clone) - before < DELTA


def local(world: World, place: Path) -> int:
    return sum(path.stat().st_size for path in (place / ".git" / "lepton" / "packs").iterdir())


@pytest.mark.thorough
@HERE
def test_an_amended_commit(world: World, place: Path, url: str, model: Versions) -> None:
    """What is pushed is coded against the version before the amended one, which never travels."""
    world.commit(place, NAME, model(1))
    write(place / NAME, model(2))
    world.git(place, "commit", "-qa", "--amend", "-m", "better")
    assert 0 < pushed(world, place, "origin", "main") < 2 * DELTA
    comes_back(world, url, model(2))


@pytest.mark.thorough
@HERE
def test_a_squash(world: World, place: Path, url: str, model: Versions) -> None:
    start = world.git(place, "rev-parse", "HEAD").strip()
    for number in (1, 2, 3):
        world.commit(place, NAME, model(number))
    world.git(place, "reset", "-q", "--soft", start)
    world.git(place, "commit", "-qm", "all at once")
    assert 0 < pushed(world, place, "origin", "main") < 3 * DELTA
    comes_back(world, url, model(3))


@pytest.mark.thorough
@HERE
def test_a_squash_of_all_that_there_is(world: World, url: str, model: Versions) -> None:
    """No version of those that it was made from is anywhere else: it goes whole."""
    place = world.repository(remote=url)
    for number in (0, 1, 2):
        world.commit(place, NAME, model(number))
    world.git(place, "reset", "-q", "--soft", "HEAD~3")
    world.git(place, "commit", "-qm", "all at once")
    assert pushed(world, place, "origin", "main") > SOLO
    assert depths(world, url)[1:] == [0, 0, 0]
    comes_back(world, url, model(2))


@pytest.mark.thorough
@HERE
def test_a_second_remote_that_is_empty(world: World, place: Path, url: str, model: Versions) -> None:
    world.commit(place, NAME, model(1))
    world.git(place, "push", "-q", "origin", "main")
    other = f"{url}-other"
    world.git(place, "remote", "add", "other", other)
    world.git(place, "push", "-q", "other", "main")
    assert depths(world, other)[0] > 0 and depths(world, other)[1] > 0
    comes_back(world, other, model(1))


@pytest.mark.thorough
@HERE
def test_only_the_newest_version_to_a_second_remote(world: World, place: Path, url: str, model: Versions) -> None:
    """A branch without the history of the other one: its weights' base is nowhere that the second remote could read."""
    for number in (1, 2):
        world.commit(place, NAME, model(number))
    world.git(place, "push", "-q", "origin", "main")
    world.git(place, "checkout", "-q", "--orphan", "fresh")
    world.git(place, "commit", "-qm", "from here on")
    token = world.server.make_user("carol" + url[-6:]) if world.server else ""
    alone = url.replace("/admin/", f"/carol{url[-6:]}/")
    world.environment["GIT_LEPTON_TOKEN"] = token
    world.git(place, "push", "-q", alone, "fresh")
    comes_back(world, alone, model(2), branch="fresh")
    before = local(world, world.folder / "clone")
    assert before > SOLO


@pytest.mark.thorough
@HERE
def test_a_base_that_lives_only_in_a_branch_that_is_not_pushed(world: World, place: Path, url: str, model: Versions) -> None:
    world.git(place, "checkout", "-q", "-b", "side")
    world.commit(place, NAME, model(1))
    world.commit(place, NAME, model(2))
    world.git(place, "checkout", "-q", "main")
    world.git(place, "checkout", "side", "--", NAME)
    world.git(place, "commit", "-qm", "the best of side")
    assert 0 < pushed(world, place, "origin", "main") < 2 * DELTA
    comes_back(world, url, model(2))
    assert 0 < pushed(world, place, "origin", "side") < 2 * DELTA
    comes_back(world, url, model(2), name="side", branch="side")


@pytest.mark.thorough
@HERE
def test_twelve_versions_lie_no_deeper_than_three(world: World, place: Path, url: str, model: Versions) -> None:
    for number in range(1, 12):
        world.commit(place, NAME, model(number))
        if number % 3 == 0:
            world.git(place, "push", "-q", "origin", "main")
    world.git(place, "push", "-q", "origin", "main")
    kept = depths(world, url)
    assert kept[3] > 0
    comes_back(world, url, model(11))
    world.git(world.folder / "clone", "checkout", "-q", "HEAD~6")
    assert (world.folder / "clone" / NAME).read_bytes() == model(5)


@pytest.mark.thorough
@HERE
def test_two_who_made_the_same_version_by_different_ways(world: World, place: Path, url: str, model: Versions) -> None:
    """Bob has the second version without the first; both push what they make of it."""
    bob = world.repository("bob", remote=f"{url}-bob")
    world.commit(bob, NAME, model(1))
    world.commit(place, NAME, model(1))
    world.git(place, "push", "-q", "origin", "main")
    world.commit(bob, NAME, model(2))
    world.git(bob, "push", "-q", url, "main:bob")
    comes_back(world, url, model(2), branch="bob")
    comes_back(world, url, model(1), name="main")


@pytest.mark.thorough
@HERE
def test_nothing_that_was_left_behind_travels(world: World, place: Path, url: str, model: Versions) -> None:
    """Weights that were added and never committed stay here, also where they would be bases of what is pushed."""
    write(place / NAME, model(1))
    world.git(place, "add", NAME)
    world.commit(place, NAME, model(2))
    world.git(place, "push", "-q", "origin", "main")
    comes_back(world, url, model(2))
    assert len(list((place / ".git" / "lepton" / "packs").iterdir())) == 3
    assert sum(depths(world, url)) == 4 + 4 + 1  # two versions of four tensors, and the header that they share
