"""git-lfs for other files beside it, moving from git-lfs, and pre-commit with weights that are not staged."""

from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path

import pytest

from tests.end_to_end.conftest import HERE
from tests.end_to_end.world import World
from tests.support.tiny_models import model

pytestmark = pytest.mark.thorough

ONE, TWO = model(1), model(1, changed=2)
NAME = "model.safetensors"
needs_lfs = pytest.mark.skipif(shutil.which("git-lfs") is None, reason="git-lfs is not installed")


@pytest.fixture
def lfs(world: World) -> World:
    world.git(world.folder, "lfs", "install")
    return world


def lfs_repository(world: World, remote: Path) -> Path:
    """A repository whose *.safetensors and *.png are git-lfs's, pushed to a bare repository."""
    world.git(world.folder, "init", "-q", "--bare", str(remote))
    place = world.folder / "work"
    place.mkdir()
    world.git(place, "init", "-q")
    world.git(place, "lfs", "track", "*.safetensors", "*.png")
    (place / NAME).write_bytes(ONE)
    (place / "figure.png").write_bytes(b"\x89PNG" + bytes(2000))
    world.git(place, "add", ".")
    world.git(place, "commit", "-qm", "with git-lfs")
    world.git(place, "remote", "add", "origin", str(remote))
    world.git(place, "push", "-q", "origin", "main")
    return place


@needs_lfs
def test_git_lfs_goes_on_for_other_files(lfs: World, url: str) -> None:
    world = lfs
    remote = world.folder / "remote.git"
    place = lfs_repository(world, remote)
    world.git(place, "config", "lepton.url", url.removeprefix("lepton::"))
    world.git(place, "lepton", "track", "*.pt")
    (place / "weights.pt").write_bytes(TWO)
    (place / "figure.png").write_bytes(b"\x89PNG" + bytes(range(256)) * 9)
    world.git(place, "add", ".")
    world.git(place, "commit", "-qm", "both")
    world.git(place, "push", "-q", "origin", "main")
    assert world.git(place, "show", "HEAD:figure.png").startswith("version https://git-lfs")
    world.is_pointer(place, "HEAD:weights.pt", TWO)
    world.git(world.folder, "lepton", "install")
    world.git(world.folder, "config", "--global", "lepton.url", url.removeprefix("lepton::"))
    world.git(world.folder, "clone", "-q", str(remote), "elsewhere")
    clone = world.folder / "elsewhere"
    assert (clone / "weights.pt").read_bytes() == TWO
    assert (clone / NAME).read_bytes() == ONE
    assert (clone / "figure.png").read_bytes() == (place / "figure.png").read_bytes()
    world.clean(clone)


@needs_lfs
def test_moving_from_git_lfs_keeps_history(lfs: World, url: str) -> None:
    world = lfs
    place = lfs_repository(world, world.folder / "remote.git")
    before = world.git(place, "rev-parse", "HEAD").strip()
    world.git(place, "config", "lepton.url", url.removeprefix("lepton::"))
    world.git(place, "lfs", "pull")
    world.git(place, "lepton", "track", "*.safetensors")
    world.git(place, "add", "--renormalize", ".")
    world.git(place, "add", ".gitattributes")
    world.git(place, "commit", "-qm", "Keep weights with git-lepton")
    world.is_pointer(place, f"HEAD:{NAME}", ONE)
    assert world.git(place, "rev-parse", "HEAD~1").strip() == before
    assert (place / NAME).read_bytes() == ONE
    world.clean(place)
    world.git(place, "push", "-q", "origin", "main")
    world.git(place, "checkout", "-q", before)
    assert (place / NAME).read_bytes() == ONE


@HERE
def test_pre_commit_with_unstaged_weights_loses_nothing(world: World) -> None:
    place = world.repository()
    world.commit(place, NAME, ONE)
    (place / ".pre-commit-config.yaml").write_text(
        "repos:\n- repo: local\n  hooks:\n  - id: ok\n    name: ok\n    language: system\n"
        f"    entry: {sys.executable} -c 'import sys; sys.exit(0)'\n"
    )
    (place / "notes.txt").write_text("staged\n")
    world.git(place, "add", ".pre-commit-config.yaml", "notes.txt")
    world.run([sys.executable, "-m", "pre_commit", "install"], place)
    (place / NAME).write_bytes(TWO)
    world.git(place, "commit", "-qm", "notes only")
    assert (place / NAME).read_bytes() == TWO
    world.is_pointer(place, f"HEAD:{NAME}", ONE)
    assert world.git(place, "status", "--porcelain").strip() == f"M {NAME}"


@HERE
def test_uninstall_leaves_what_was_there(world: World) -> None:
    place = world.folder / "work"
    place.mkdir()
    world.git(place, "init", "-q")
    hook = place / ".git/hooks/pre-push"
    hook.write_text("#!/bin/sh\nexit 0\n")
    hook.chmod(0o755)
    before = _fingerprint(place / ".git")
    world.git(place, "lepton", "install", "--local")
    assert _fingerprint(place / ".git") != before
    world.git(place, "lepton", "uninstall", "--local")
    assert _fingerprint(place / ".git") == before


def _fingerprint(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): f"{path.stat().st_mode:o} {hashlib.sha256(path.read_bytes()).hexdigest()}"
        for path in files
    }
