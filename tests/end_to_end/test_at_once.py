"""Several at once: clients pushing overlapping models, two first pushes, adds in many worktrees."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.conftest import HERE
from tests.end_to_end.world import World
from tests.support.tiny_models import model

NAME = "model.safetensors"


def at_once(*calls: Callable[[], object]) -> list[BaseException]:
    """Run these callables in threads; gives what they raised."""
    raised: list[BaseException] = []

    def guarded(call: Callable[[], object]) -> None:
        try:
            call()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=guarded, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_two_clients_push_overlapping_models(world: World, url: str) -> None:
    first = world.repository(remote=url)
    world.git(first, "push", "-q", "origin", "main")
    contents = {name: model(5, rows=1000, changed=index) for index, name in enumerate(["ada", "bob", "cyd"], 1)}
    places = {}
    for name, data in contents.items():
        places[name] = world.repository(name, remote=url)
        world.git(places[name], "switch", "-qc", name)
        world.commit(places[name], NAME, data)
    raised = at_once(*(lambda n=name: world.git(places[n], "push", "-q", "origin", n) for name in contents))
    assert raised == []
    world.git(world.folder, "clone", "-q", "--no-checkout", url, "again")
    for name, data in contents.items():
        world.git(world.folder / "again", "switch", "-q", name)
        assert (world.folder / "again" / NAME).read_bytes() == data


@pytest.mark.thorough
def test_two_first_pushes_to_one_new_repository(world: World, url: str) -> None:
    places = []
    for name in ("ada", "bob"):
        place = world.repository(name, remote=url)
        world.git(place, "switch", "-qc", name)
        world.commit(place, NAME, model(7, rows=500, changed=len(places) + 1))
        places.append(place)
    raised = at_once(*(lambda p=place: world.git(p, "push", "-q", "origin", p.name) for place in places))
    assert raised == []
    heads = world.git(places[0], "ls-remote", "origin")
    assert "refs/heads/ada" in heads
    assert "refs/heads/bob" in heads
    world.git(world.folder, "clone", "-q", "--no-checkout", url, "again")
    for index, name in enumerate(("ada", "bob"), 1):
        world.git(world.folder / "again", "switch", "-q", name)
        assert (world.folder / "again" / NAME).read_bytes() == model(7, rows=500, changed=index)


@pytest.mark.thorough
@HERE
def test_ten_adds_at_once_in_worktrees(world: World) -> None:
    place = world.repository()
    trees: list[Path] = []
    for index in range(10):
        tree = world.folder / f"tree{index}"
        world.git(place, "worktree", "add", "-q", str(tree), "-b", f"branch{index}")
        (tree / NAME).write_bytes(model(9, rows=200, changed=index % 4 + 1))
        trees.append(tree)
    running = [
        subprocess.Popen(["git", "add", NAME], cwd=tree, env=world.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for tree in trees
    ]
    for process in running:
        words, _ = process.communicate(timeout=120)
        assert process.returncode == 0, words.decode()
    for index, tree in enumerate(trees):
        world.git(tree, "commit", "-qm", "model")
        (tree / NAME).unlink()
        world.git(tree, "checkout", "--", NAME)
        assert (tree / NAME).read_bytes() == model(9, rows=200, changed=index % 4 + 1)
    world.git(place, "lepton", "fsck")
