"""What clients make of a server that knows less than they were told: nothing is taken for stored, or kept, because it once was."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from git_lepton.git.repository import GitRepository
from git_lepton.workflow.upkeep.prune import prune
from git_lepton.workspace import Workspace
from tests.end_to_end.conftest import HERE
from tests.end_to_end.world import World
from tests.support.running_server import RunningServer

pytestmark = HERE

NAME = "model.safetensors"


def weights(seed: str) -> bytes:
    return random.Random(seed).randbytes(60_000)


def test_git_lepton_push_sends_again_what_a_restored_server_lost(world: World, tmp_path: Path) -> None:
    """Its database is an older copy, and so it was put back: the refs are the new ones, the second version's weights unknown."""
    (tmp_path / "own").mkdir()
    with RunningServer(tmp_path / "own") as server:
        there = World(world.folder, world.home, server)
        work = there.repository(remote=there.url("admin/restored"))
        there.commit(work, NAME, weights("first"))
        there.git(work, "push", "-q", "origin", "main")
        server.stop()
        database = server.data / "lepton.sqlite"
        before = database.read_bytes()
        server.restart()
        there.commit(work, NAME, weights("second"))
        there.git(work, "push", "-q", "origin", "main")
        assert b"nothing to send" in there.run(["git", "lepton", "push"], work).stderr
        server.stop()
        for beside in server.data.glob("lepton.sqlite-*"):
            beside.unlink()
        database.write_bytes(before)
        server.restart()
        there.git(work, "lepton", "fsck", "--remote", fails=True)
        assert b"sent 1 object" in there.run(["git", "lepton", "push", "--all"], work).stderr
        assert b"nothing to send" in there.run(["git", "lepton", "push", "--all"], work).stderr
        there.git(work, "lepton", "fsck", "--remote", "--all")


def on_this_machine(place: Path) -> set[str]:
    with Workspace(GitRepository.find(place)) as workspace:
        workspace.store.refresh()
        return {manifest.oid.hex for manifest in workspace.store.manifests()}


def forget_what_is_there(place: Path) -> None:
    """`git lepton prune --verify-remote`, some minutes later."""
    with Workspace(GitRepository.find(place)) as workspace:
        prune(workspace, verify_remote=True, spared_s=0.0)


@pytest.mark.thorough
def test_a_pruned_clone_has_all_that_the_server_does_not_keep(world: World, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert world.server
    for name in ("GIT_LEPTON_TOKEN", "GIT_LEPTON_HOST"):
        monkeypatch.setenv(name, world.environment[name])
    work = world.repository(remote=url)
    commits = [world.commit(work, NAME, weights(f"{url} {number}")) for number in range(3)]
    oids = [world.git(work, "show", f"{commit}:{NAME}").split("sha256:")[1].split()[0] for commit in commits]
    world.git(work, "push", "-q", "origin", "main")
    world.git(work, "switch", "-qc", "side")
    world.commit(work, NAME, weights(f"{url} side"))
    side = world.git(work, "show", f"side:{NAME}").split("sha256:")[1].split()[0]
    world.git(work, "push", "-q", "origin", "side")
    world.git(work, "switch", "-q", "main")
    world.git(world.folder, "clone", "-q", "--no-checkout", url, "colleague")
    world.git(world.folder / "colleague", "push", "-q", "origin", ":side")  # here refs/remotes/origin/side still says otherwise
    world.git(work, "lepton", "prune", "--verify-remote")
    assert on_this_machine(work) == {*oids, side}  # stored just now
    forget_what_is_there(work)
    assert on_this_machine(work) == {oids[2], side}  # what is checked out, and what no ref there reaches
    world.git(work, "lepton", "fetch", "--all")
    own = url.split("/", 3)[3]
    world.server.run("expire", own, "--keep-last", "2", "--reason", "superseded", "--by", "ada")
    assert on_this_machine(work) == {*oids, side}
    forget_what_is_there(work)  # what was expired there on purpose need not be kept here
    assert on_this_machine(work) == {oids[2], side}
    world.git(work, "checkout", "-q", "side")
    assert (work / NAME).read_bytes() == weights(f"{url} side")
