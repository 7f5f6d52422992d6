"""gc and repack, again and again, while people push, delete branches, bring them back and clone: nothing that is referenced is lost,
all that is not referenced goes."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import pytest
from sqlalchemy import select, update

from git_lepton.format.manifest import parse_manifest
from lepton_server.admin import maintenance
from lepton_server.backends import open_database
from lepton_server.database.tables import encodings, object_links, objects, uploads
from lepton_server.maintenance.gc import Collected
from lepton_server.settings import ServerSettings
from tests.end_to_end.conftest import EMBEDDED_AND_TEAM
from tests.end_to_end.test_at_once import at_once
from tests.end_to_end.test_repack import models
from tests.end_to_end.world import World

pytestmark = [EMBEDDED_AND_TEAM, pytest.mark.thorough]

NAME = "model.safetensors"
GRACE_SECONDS = 3.0  # a push that counts on what was deleted that long ago may be told to send it anew
PEOPLE = ("ada", "bob")


class Caretaker:
    """Runs gc and repack in turn until it is told to end; as the programs do in processes of their own."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._over = threading.Event()
        self.total = Collected()
        self.damaged: list[str] = []
        self.runs = 0

    def work(self) -> None:
        while not self._over.wait(0.5):
            self.total += maintenance.gc(self._settings, None, GRACE_SECONDS)
            self.damaged += maintenance.repack(self._settings, None, GRACE_SECONDS).damaged
            self.runs += 1

    def end(self) -> None:
        self._over.set()


def test_pushes_deletes_and_clones_beside_gc_and_repack(world: World, url: str) -> None:
    assert world.server
    settings = world.server.settings
    first = world.repository(remote=url)
    world.git(first, "push", "-q", "origin", "main")
    written = {person: models(person, start=7000)[:3] for person in PEOPLE}
    caretaker = Caretaker(settings)

    def push(place: Path, *arguments: str) -> None:
        """A push that counts on what gc lets go of at that moment is refused as a whole, and says so: pushing again sends it."""
        try:
            world.git(place, "push", "-q", "origin", *arguments)
        except AssertionError as refused:
            if "are not stored in this repository" not in str(refused):
                raise
            world.git(place, "push", "-q", "origin", *arguments)

    def push_and_delete(person: str) -> None:
        place = world.folder / person
        for version, data in enumerate(written[person]):
            world.commit(place, NAME, data, f"version {version}")
            push(place, f"HEAD:refs/heads/{person}-{version}")
            if version % 2:
                push(place, f":refs/heads/{person}-{version - 1}")
        world.commit(place, NAME, written[person][0], "back to the first")
        push(place, f"HEAD:refs/heads/{person}-back")
        world.git(place, "checkout", "-q", "--orphan", "trial")
        world.commit(place, NAME, models(person, start=9000)[0], "tried, and given up")
        push(place, f"HEAD:refs/heads/{person}-trial")
        push(place, f":refs/heads/{person}-trial")

    def clone_again_and_again() -> None:
        for attempt in range(2):
            world.git(world.folder, "clone", "-q", url, f"reader{attempt}")

    for person in PEOPLE:
        world.git(world.folder, "clone", "-q", url, person)
        world.git(world.folder / person, "switch", "-qc", person)
    working = threading.Thread(target=caretaker.work)
    working.start()
    raised = at_once(*(lambda p=person: push_and_delete(p) for person in PEOPLE), clone_again_and_again)
    caretaker.end()
    working.join()
    assert raised == []
    assert caretaker.runs > 3
    assert (caretaker.damaged, caretaker.total.refused) == ([], [])

    database = open_database(settings)
    with database.write() as connection:  # as if an hour had gone by
        connection.execute(update(uploads).values(expires=0))
    for _ in range(2):
        caretaker.total += maintenance.gc(settings, None, 0.0)
        maintenance.repack(settings, None, 0.0)
    assert caretaker.total.objects_unlinked >= 1  # what was tried and given up; all else is in a history that stays
    assert maintenance.scrub(settings).bad == []
    with database.read() as connection:
        held = set(connection.execute(select(object_links.c.oid)).scalars())
        manifests = connection.execute(select(objects.c.manifest)).scalars().all()
        stored = {row.chunk: row.base for row in connection.execute(select(encodings.c.chunk, encodings.c.base))}
    database.close()
    assert held == {hashlib.sha256(data).digest() for person in PEOPLE for data in written[person]}
    needed = {entry.chunk.raw for manifest in manifests for entry in parse_manifest(manifest).entries}
    assert needed <= stored.keys() <= needed | set(stored.values())
    world.git(world.folder, "clone", "-q", url, "last")
    last = world.folder / "last"
    for person in PEOPLE:
        world.git(last, "checkout", "-q", f"origin/{person}-back")
        assert (last / NAME).read_bytes() == written[person][0]
        for version, data in enumerate(reversed(written[person])):
            world.git(last, "checkout", "-q", f"origin/{person}-back~{version + 1}")
            assert (last / NAME).read_bytes() == data
    world.git(last, "lepton", "fsck")
