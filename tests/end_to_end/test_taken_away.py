"""Versions whose weights were taken away: people go on cloning, checking out and pushing, and are told since when and why."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.end_to_end.conftest import EMBEDDED_AND_TEAM
from tests.end_to_end.world import World

pytestmark = EMBEDDED_AND_TEAM

SMALL, LARGE = "small.safetensors", "large.safetensors"


def two_versions(world: World, url: str) -> tuple[Path, str, dict[str, bytes]]:
    """A repository that was pushed twice: where, the first commit, and the files of the first."""
    source = random.Random(url)
    work = world.repository("work", remote=url)
    first = {SMALL: source.randbytes(3000), LARGE: source.randbytes(50_000)}
    before = world.commit_files(work, first, "first")
    world.commit(work, SMALL, source.randbytes(3000), "second")
    world.commit(work, LARGE, source.randbytes(50_000), "second")
    world.git(work, "push", "-q", "origin", "main")
    world.git(world.folder, "config", "--global", "lepton.smudgeLimit", "10k")  # the large one is written when git is done
    return work, before, first


def _what_is_left_is_shared(world: World, work: Path, before: str) -> None:
    done = world.run(["git", "lepton", "share", "HEAD~1:"], work)
    assert f"left out {LARGE}: it was expired on" in done.stderr.decode()
    assert ": 1 file, " in done.stderr.decode()
    done = world.run(["git", "lepton", "share", f"{before}:"], work, fails=True)
    assert done.returncode == 2
    assert ".safetensors was expired on " in done.stderr.decode()


def test_an_expired_version_is_checked_out_as_pointers_that_say_why(world: World, url: str) -> None:
    assert world.server
    work, before, first = two_versions(world, url)
    own = url.split("/", 3)[3]
    world.server.run("expire", own, "--keep-last", "1", "--reason", "superseded by the second", "--by", "ada")
    _what_is_left_is_shared(world, work, before)
    world.git(world.folder, "clone", "-q", url, "clone")
    clone = world.folder / "clone"
    world.git(clone, "lepton", "fsck")
    done = world.run(["git", "checkout", "-q", before], clone)
    said = done.stderr.decode()
    for name in first:
        assert (clone / name).read_bytes().startswith(b"version git-lepton/v1\n")
        assert f"left as pointers ({name})" in said
    assert said.count("by ada: superseded by the second") == 2
    assert said.count("hint: Use another version; ") == 1
    world.clean(clone)
    done = world.run(["git", "lepton", "pull"], clone, fails=True)
    assert done.returncode == 4
    assert b"was expired on" in done.stderr
    said = world.run(["git", "lepton", "status"], clone, fails=True).stdout.decode()
    assert said.count("by ada: superseded by the second") == 2
    assert "brings their weights" not in said
    done = world.run(["git", "lepton", "fsck", "--remote"], clone, fails=True)
    assert done.returncode == 4
    assert b"by ada: superseded by the second" in done.stdout
    world.git(clone, "switch", "-qc", "from-the-old-one")  # what only has the pointers goes on being pushed
    world.git(clone, "commit", "-q", "--allow-empty", "--amend", "-m", "rewritten")
    world.git(clone, "push", "-q", "origin", "from-the-old-one")
    world.git(work, "checkout", "-q", "-b", "brings-it-back", before)
    world.git(work, "commit", "-q", "--allow-empty", "--amend", "-m", "rewritten by one who has the weights")
    world.git(work, "push", "-q", "origin", "brings-it-back")
    world.git(clone, "lepton", "pull")
    for name, data in first.items():
        assert (clone / name).read_bytes() == data
    world.clean(clone)


@pytest.mark.thorough
def test_purged_weights_stay_away_and_nobody_is_held_up(world: World, url: str) -> None:
    assert world.server
    work, before, first = two_versions(world, url)
    own = url.split("/", 3)[3]
    world.server.run("purge", f"{own}@{before}:{SMALL}", "--reason", "trained on what we may not use", "--by", "ada")
    world.git(world.folder, "clone", "-q", url, "clone")
    clone = world.folder / "clone"
    done = world.run(["git", "checkout", "-q", before], clone)
    assert b"was purged on" in done.stderr
    assert b"by ada: trained on what we may not use" in done.stderr
    assert (clone / SMALL).read_bytes().startswith(b"version git-lepton/v1\n")
    assert (clone / LARGE).read_bytes() == first[LARGE]
    world.git(work, "checkout", "-q", "-b", "again", before)
    world.git(work, "commit", "-q", "--allow-empty", "--amend", "-m", "rewritten by one who has the weights")
    done = world.run(["git", "push", "origin", "again"], work)  # its pointer travels, its weights do not
    world.git(clone, "fetch", "-q")
    world.git(clone, "checkout", "-q", "origin/again")
    done = world.run(["git", "lepton", "pull"], clone, fails=True)
    assert done.returncode == 4
    assert b"was purged on" in done.stderr
    (work / "copy.safetensors").write_bytes(first[SMALL])
    world.git(work, "add", ".")
    world.git(work, "commit", "-qm", "the same again, under another name")
    done = world.run(["git", "lepton", "push", "--dry-run"], work)
    assert b"nothing to send: the store has 1 of 2 objects; 1 was taken away there" in done.stderr
    done = world.run(["git", "lepton", "doctor"], clone, fails=True)
    assert done.returncode == 1
    assert f"BAD  weights: {SMALL}: sha256:".encode() in done.stdout
    assert b"by ada: trained on what we may not use" in done.stdout
    done = world.run(["git", "push", "origin", "again"], work)
    assert b"has taken away weights, whose pointers travel without them" in done.stderr
    assert b"by ada: trained on what we may not use" in done.stderr
    done = world.run(["git", "lepton", "push"], work)
    assert b"nothing to send: the store has 1 of 2 objects; 1 was taken away there" in done.stderr
    done = world.run(["git", "lepton", "fsck", "--remote", "--all"], clone, fails=True)
    assert b"trained on what we may not use" in done.stdout
    assert b"push --all" not in done.stdout  # they are not taken again
