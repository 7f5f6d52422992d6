"""Repack, again and again, while people push and pull: nothing is lost, and all copies are byte-exact."""

from __future__ import annotations

import threading

import pytest

from lepton_server.admin import maintenance
from lepton_server.maintenance.repack import Repacked
from lepton_server.settings import ServerSettings
from tests.end_to_end.conftest import EMBEDDED_AND_TEAM, HERE
from tests.end_to_end.test_at_once import at_once
from tests.end_to_end.world import World
from tests.server.deltas import trained, tuned
from tests.support.tiny_models import safetensors

pytestmark = pytest.mark.thorough

NAME = "model.safetensors"
VERSIONS = 6
GRACE_SECONDS = 4.0  # longer than a small pull, shorter than this test
PEOPLE = ("ada", "bob")


def models(person: str, start: int = 0) -> list[bytes]:
    """The versions of one person: each changes a third of the weights a little, all of one start begin alike."""
    layers = [trained(start + seed, 30_000) for seed in range(3)]
    found = []
    for version in range(VERSIONS):
        found.append(safetensors({f"layer.{place}": ("BF16", [30_000], data) for place, data in enumerate(layers)}))
        layers = [tuned(data, 10 * version + PEOPLE.index(person)) for data in layers]
    return found


class Caretaker:
    """Runs repack over and over until it is told to end; the same as `lepton-server repack` in a process that is not the server."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._over = threading.Event()
        self.total = Repacked()
        self.runs = 0

    def work(self) -> None:
        while not self._over.wait(0.3):
            self.total += maintenance.repack(self._settings, None, GRACE_SECONDS)
            self.runs += 1

    def end(self) -> None:
        self._over.set()


@EMBEDDED_AND_TEAM
def test_pushes_and_pulls_beside_repacks(world: World, url: str) -> None:
    assert world.server
    first = world.repository(remote=url)
    world.git(first, "push", "-q", "origin", "main")
    written = {person: models(person)[:5] for person in PEOPLE}
    caretaker = Caretaker(world.server.settings)

    def push_all(person: str) -> None:
        place = world.folder / person
        for version, data in enumerate(written[person]):
            world.commit(place, NAME, data, f"version {version}")
            world.git(place, "push", "-q", "origin", person)

    def clone_again_and_again() -> None:
        for attempt in range(3):
            world.git(world.folder, "clone", "-q", url, f"reader{attempt}")
            place = world.folder / f"reader{attempt}"
            for person in PEOPLE:
                if f"origin/{person}" in world.git(place, "branch", "-r"):
                    world.git(place, "switch", "-q", person)
                    assert (place / NAME).read_bytes() in written[person]

    for person in PEOPLE:
        world.git(world.folder, "clone", "-q", url, person)
        world.git(world.folder / person, "switch", "-qc", person)
    working = threading.Thread(target=caretaker.work)
    working.start()
    raised = at_once(*(lambda p=person: push_all(p) for person in PEOPLE), clone_again_and_again)
    caretaker.end()
    working.join()
    assert raised == []
    assert caretaker.runs > 3
    assert caretaker.total.damaged == []
    for grace in (0.0, 0.0):
        maintenance.repack(world.server.settings, None, grace)
    world.git(world.folder, "clone", "-q", url, "last")
    for person in PEOPLE:
        world.git(world.folder / "last", "switch", "-q", person)
        for version, data in enumerate(reversed(written[person])):
            world.git(world.folder / "last", "checkout", "-q", f"{person}~{version}")
            assert (world.folder / "last" / NAME).read_bytes() == data
    world.git(world.folder / "last", "lepton", "fsck")


@HERE
def test_an_older_clone_pulls_what_lies_on_chains_that_were_shortened(world: World, url: str) -> None:
    """What it has from before is coded otherwise than the server's is now: that must not matter to it."""
    assert world.server
    writer = world.repository("writer", remote=url)
    data = models("ada", start=100)
    for version in range(4):
        world.commit(writer, NAME, data[version], f"version {version}")
        world.git(writer, "push", "-q", "origin", "main")
        if version == 2:
            world.git(world.folder, "clone", "-q", url, "reader")
    reader = world.folder / "reader"
    world.git(reader, "pull", "-q")
    own = url.split("/", 3)[3]
    assert maintenance.repack(world.server.settings, own, 0.0).recoded_chunks == 3  # each layer was on three bases
    world.git(world.folder, "clone", "-q", url, "second")
    second = world.folder / "second"
    for version in (4, 5):
        world.commit(second, NAME, data[version], f"version {version}")
        world.git(second, "push", "-q", "origin", "HEAD:main")
        world.git(reader, "pull", "-q")
        assert (reader / NAME).read_bytes() == data[version]
    world.git(reader, "lepton", "fsck")
    world.git(writer, "pull", "-q", "origin", "main")
    assert (writer / NAME).read_bytes() == data[5]
