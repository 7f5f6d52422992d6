"""What works in plain git works with weights: each case with real git, real filter, real server.

Cases run with files under the smudge limit (answered through git's pipe) and above it (written past it); where a server has a part in
what is tried, and not only in that files come from it, on each kind of server.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import tarfile
from pathlib import Path

import pytest

from tests.end_to_end.conftest import HERE
from tests.end_to_end.world import World
from tests.support.running_server import RunningServer
from tests.support.tiny_models import model

ONE, TWO, THREE = model(1), model(1, changed=2), model(3)
NAME = "model.safetensors"


@pytest.fixture(params=["small", "large"], autouse=True)
def smudge_limit(request: pytest.FixtureRequest, world: World) -> str:
    """Every case twice: through git's pipe, and past it."""
    if request.param == "large":
        world.git(world.folder, "config", "--global", "lepton.smudgeLimit", "1k")
    return str(request.param)


def two_branches(world: World, url: str | None = None) -> Path:
    return world.like(_two_branches, url)


def _two_branches(world: World) -> Path:
    place = world.repository()
    world.commit(place, NAME, ONE, "one")
    world.git(place, "switch", "-qc", "side")
    world.commit(place, NAME, TWO, "two")
    world.git(place, "switch", "-q", "main")
    return place


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, server: RunningServer) -> str:
    """The URL of a repository that has both branches, for tests that do not push to it."""
    (home := tmp_path_factory.mktemp("publisher") / "home").mkdir()
    world = World(home.parent, home, server)
    url = world.url("admin/published")
    world.git(two_branches(world, url), "push", "-q", "origin", "main", "side")
    return url


def holds(place: Path, data: bytes, name: str = NAME) -> bool:
    return hashlib.sha256((place / name).read_bytes()).digest() == hashlib.sha256(data).digest()


@pytest.mark.smoke
def test_push_clone_into_an_empty_home_and_pull(world: World, url: str) -> None:
    place = two_branches(world, url)
    world.git(place, "push", "-q", "origin", "main", "side")
    world.git(world.folder, "clone", "-q", url, "elsewhere")
    clone = world.folder / "elsewhere"
    assert holds(clone, ONE)
    world.clean(clone)
    world.is_pointer(clone, f"HEAD:{NAME}", ONE)
    world.commit(place, NAME, THREE, "three")
    world.git(place, "push", "-q", "origin", "main")
    world.git(clone, "pull", "-q")
    assert holds(clone, THREE)
    world.clean(clone)
    world.git(clone, "switch", "-q", "side")
    assert holds(clone, TWO)
    world.clean(clone)


@HERE
def test_branch_switch(world: World) -> None:
    place = two_branches(world)
    assert holds(place, ONE)
    world.git(place, "switch", "-q", "side")
    assert holds(place, TWO)
    world.clean(place)


@pytest.mark.thorough
@HERE
def test_stash(world: World) -> None:
    place = two_branches(world)
    (place / NAME).write_bytes(THREE)
    world.git(place, "stash")
    assert holds(place, ONE)
    world.git(place, "stash", "pop")
    assert holds(place, THREE)
    assert world.git(place, "status", "--porcelain").strip() == f"M {NAME}"


@HERE
def test_worktree(world: World) -> None:
    place = two_branches(world)
    other = world.folder / "other"
    world.git(place, "worktree", "add", str(other), "side")
    assert holds(other, TWO)
    assert holds(place, ONE)
    world.clean(other)
    assert not list((place / ".git" / "worktrees").rglob("*.pack"))


@HERE
def test_rebase(world: World) -> None:
    place = two_branches(world)
    world.commit(place, "notes.txt", b"text\n", "notes")
    world.git(place, "switch", "-q", "side")
    world.git(place, "rebase", "-q", "main")
    assert holds(place, TWO)
    world.clean(place)


@pytest.mark.thorough
@HERE
def test_rebase_with_a_command_that_needs_the_weights(world: World) -> None:
    place = two_branches(world)
    world.commit(place, "notes.txt", b"text\n", "notes")
    world.git(place, "switch", "-q", "side")
    check = f"git lepton checkout && test $(wc -c < {NAME}) -eq {len(TWO)}"
    world.git(place, "rebase", "-q", "-x", check, "main")
    assert holds(place, TWO)
    world.clean(place)


@pytest.mark.thorough
@HERE
def test_cherry_pick_and_revert(world: World) -> None:
    place = two_branches(world)
    world.git(place, "cherry-pick", "side")
    assert holds(place, TWO)
    world.git(place, "revert", "--no-edit", "HEAD")
    assert holds(place, ONE)
    world.clean(place)


@HERE
def test_merge_takes_the_changed_side(world: World) -> None:
    place = two_branches(world)
    world.commit(place, "notes.txt", b"text\n", "notes")
    world.git(place, "merge", "-q", "--no-edit", "side")
    assert holds(place, TWO)
    world.clean(place)


@HERE
def test_a_merge_conflict_leaves_a_whole_file(world: World) -> None:
    place = two_branches(world)
    world.commit(place, NAME, THREE, "three")
    world.run(["git", "merge", "side"], place, fails=True)
    assert world.git(place, "diff", "--name-only", "--diff-filter=U").strip() == NAME
    assert b"<<<<<<<" not in (place / NAME).read_bytes()
    world.git(place, "checkout", "--theirs", "--", NAME)
    world.git(place, "lepton", "checkout")
    assert holds(place, TWO)
    world.git(place, "add", NAME)
    world.git(place, "commit", "-qm", "theirs")
    world.clean(place)


@pytest.mark.thorough
@HERE
@pytest.mark.parametrize("here", [True, False], ids=["here", "to be fetched"])
def test_a_conflict_can_be_made_again(world: World, url: str, here: bool) -> None:
    """git crashed where the filter answered these smudges later."""
    place = two_branches(world, url)
    world.commit(place, NAME, THREE, "three")
    if not here:
        world.git(place, "push", "-q", "origin", "main", "side")
    world.run(["git", "merge", "side"], place, fails=True)
    for command in ("checkout -m", "restore --merge", "checkout --conflict=diff3"):
        world.git(place, "checkout", "-q", "--theirs", "--", NAME)
        assert holds(place, TWO)
        if not here:
            shutil.rmtree(place / ".git/lepton")
        world.git(place, *command.split(), "--", NAME)
        assert holds(place, THREE), command
        assert not (place / ".git/index.lock").exists()
        assert world.git(place, "ls-files", "-u").count(NAME) == 3
    world.git(place, "merge", "--abort")
    assert holds(place, THREE)
    world.clean(place)


@pytest.mark.thorough
@HERE
@pytest.mark.parametrize("command", ["merge --no-edit", "rebase", "cherry-pick"])
def test_a_side_can_be_chosen_for_all_conflicts(world: World, command: str) -> None:
    place = two_branches(world)
    world.commit(place, NAME, THREE, "three")
    world.git(place, *command.split(), "-X", "theirs", "side")
    assert holds(place, THREE if command == "rebase" else TWO)
    world.clean(place)


@pytest.mark.thorough
@HERE
def test_a_switch_that_merges_what_was_changed(world: World) -> None:
    place = two_branches(world)
    world.commit(place, "notes.txt", b"text\n", "notes")
    (place / NAME).write_bytes(THREE)
    world.git(place, "switch", "-q", "-m", "side")
    assert not (place / ".git/index.lock").exists()
    assert holds(place, TWO if world.git(place, "ls-files", "-u") else THREE) or holds(place, THREE)


@HERE
def test_archive_holds_the_weights(world: World) -> None:
    place = two_branches(world)
    archive = world.run(["git", "archive", "--format=tar", "HEAD"], place).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        member = tar.extractfile(NAME)
        assert member is not None
        assert member.read() == ONE


@HERE
def test_a_log_in_a_fresh_clone_never_transfers_and_an_archive_fetches(world: World, published: str) -> None:
    world.git(world.folder, "clone", "-q", "--no-checkout", published, "elsewhere")
    clone = world.folder / "elsewhere"
    shown = world.git(clone, "-c", "diff.lepton.textconv=cat", "log", "-p", "origin/side")
    assert "oid sha256:" in shown
    assert not list((clone / ".git").glob("lepton/packs/*"))
    archive = world.run(["git", "archive", "--format=tar", "HEAD"], clone).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        member = tar.extractfile(NAME)
        assert member is not None
        assert member.read() == ONE


@HERE
def test_sparse_checkout_brings_only_its_part(world: World, url: str) -> None:
    place = world.repository(remote=url)
    world.commit(place, f"a/{NAME}", ONE)
    world.commit(place, f"b/{NAME}", THREE)
    world.git(place, "push", "-q", "origin", "main")
    world.git(world.folder, "clone", "-q", "--sparse", url, "elsewhere")
    clone = world.folder / "elsewhere"
    world.git(clone, "sparse-checkout", "set", "a")
    assert holds(clone / "a", ONE)
    assert not (clone / "b").exists()
    world.git(clone, "lepton", "pull")
    assert not (clone / "b").exists()
    world.clean(clone)
    kept = sum(pack.stat().st_size for pack in (clone / ".git/lepton/packs").iterdir())
    assert kept < len(ONE) * 1.1


@HERE
@pytest.mark.parametrize("option", ["--depth=1", "--filter=blob:none", "--filter=blob:limit=2k"])
def test_shallow_and_partial_clones(world: World, url: str, option: str) -> None:
    place = two_branches(world, url)
    world.commit(place, NAME, THREE, "three")
    world.git(place, "push", "-q", "origin", "main", "side")
    world.git(world.folder, "clone", "-q", option, url, "elsewhere")
    clone = world.folder / "elsewhere"
    assert holds(clone, THREE)
    world.clean(clone)
    world.commit(clone, NAME, TWO, "from the clone")
    world.git(clone, "push", "-q", "origin", "main")
    world.git(place, "pull", "-q", "origin", "main")
    assert holds(place, TWO)


@HERE
def test_submodule(world: World, url: str, published: str) -> None:
    outer = world.repository("outer", remote=f"{url}-outer")
    world.git(world.folder, "lepton", "install")
    world.git(outer, "submodule", "--quiet", "add", published, "models")
    assert holds(outer / "models", ONE)
    world.git(outer, "commit", "-qm", "submodule")
    world.git(outer, "push", "-q", "origin", "main")
    world.git(world.folder, "clone", "-q", "--recursive", f"{url}-outer", "elsewhere")
    assert holds(world.folder / "elsewhere" / "models", ONE)
    world.clean(world.folder / "elsewhere")


@pytest.mark.thorough
def test_force_with_lease(world: World, url: str) -> None:
    place = two_branches(world, url)
    world.git(place, "push", "-q", "-u", "origin", "main")
    world.git(world.folder, "clone", "-q", url, "elsewhere")
    clone = world.folder / "elsewhere"
    (place / NAME).write_bytes(THREE)
    world.git(place, "commit", "-qa", "--amend", "-m", "amended")
    world.git(place, "push", "-q", "--force-with-lease", "origin", "main")
    (clone / NAME).write_bytes(TWO)
    world.git(clone, "commit", "-qa", "--amend", "-m", "stale")
    assert "stale info" in world.git(clone, "push", "--force-with-lease", "origin", "main", fails=True)
    world.git(clone, "fetch", "-q")
    world.git(clone, "reset", "-q", "--hard", "origin/main")
    assert holds(clone, THREE)


@pytest.mark.thorough
def test_atomic_push(world: World, url: str) -> None:
    place = two_branches(world, url)
    world.git(place, "push", "-q", "--atomic", "origin", "main", "side")
    world.commit(place, NAME, THREE, "three")
    world.git(place, "switch", "-q", "side")
    world.git(place, "reset", "-q", "--hard", "HEAD~1")
    world.commit(place, NAME, THREE, "other side")
    world.git(place, "push", "--atomic", "origin", "main", "side", fails=True)
    refs = world.git(place, "ls-remote", "origin", "main").split()[0]
    assert refs != world.git(place, "rev-parse", "main").strip()


@pytest.mark.thorough
@HERE
def test_hash_object_of_other_bytes_than_the_file_has(world: World) -> None:
    place = two_branches(world)
    made = world.run(["git", "hash-object", "-w", "--stdin", "--path", NAME], place, stdin=THREE).stdout.decode().strip()
    expected = f"version git-lepton/v1\noid sha256:{hashlib.sha256(THREE).hexdigest()}\nsize {len(THREE)}\n"
    assert world.git(place, "cat-file", "-p", made) == expected
    world.clean(place)


@pytest.mark.thorough
@HERE
def test_path_of_system_programs_only(world: World) -> None:
    place = two_branches(world)
    bare = {"PATH": "/usr/bin:/bin"}
    (place / NAME).write_bytes(THREE)
    world.git(place, "add", NAME, extra=bare)
    world.git(place, "commit", "-qm", "three", extra=bare)
    world.is_pointer(place, f"HEAD:{NAME}", THREE)
    world.git(place, "switch", "-q", "side", extra=bare)
    assert holds(place, TWO)
    world.clean(place)
