"""Submodules are known in whatever layout git keeps them; what merely lies in another repository is none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from git_lepton.git.repository import GitRepository
from git_lepton.git.submodule import is_submodule
from git_lepton.settings import Settings
from tests.support.git_sandbox import GitSandbox

ANY_PROTOCOL = ("-c", "protocol.file.allow=always")


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a submodule `part` that has one, `inner`, itself."""
    folder = tmp_path_factory.mktemp("upstream")
    inner, part, whole = (plain(folder / name) for name in ("inner-up", "part-up", "whole-up"))
    part.git(*ANY_PROTOCOL, "submodule", "--quiet", "add", str(inner.folder), "inner")
    part.git("commit", "--quiet", "-m", "inner")
    whole.git(*ANY_PROTOCOL, "submodule", "--quiet", "add", str(part.folder), "libs/part")
    whole.git("commit", "--quiet", "-m", "part")
    return whole.folder


def plain(folder: Path) -> GitSandbox:
    sandbox = GitSandbox.create(folder, filter=None, track=None)
    sandbox.git("commit", "--quiet", "--allow-empty", "-m", "first")
    return sandbox


def checked_out(work_tree: Path) -> Iterator[Path]:
    """The submodules in a work tree of `upstream`, brought by git."""
    GitSandbox(work_tree).git(*ANY_PROTOCOL, "submodule", "--quiet", "update", "--init", "--recursive")
    yield work_tree / "libs/part"
    yield work_tree / "libs/part/inner"


def bare_with_work_tree(upstream: Path, folder: Path) -> Path:
    git = GitSandbox(folder)
    git.git("clone", "--quiet", "--bare", str(upstream), "bare.git")
    GitSandbox(folder / "bare.git").git("worktree", "add", "--quiet", str(folder / "tree"), "main")
    return folder / "tree"


def git_directory_elsewhere(upstream: Path, folder: Path) -> Path:
    GitSandbox(folder).git("clone", "--quiet", f"--separate-git-dir={folder}/kept", str(upstream), "tree")
    return folder / "tree"


def cloned_with_all(upstream: Path, folder: Path) -> Path:
    options = ("--recurse-submodules", f"--separate-git-dir={folder}/kept")
    GitSandbox(folder).git(*ANY_PROTOCOL, "clone", "--quiet", *options, str(upstream), "tree")
    return folder / "tree"


def ordinary(upstream: Path, folder: Path) -> Path:
    GitSandbox(folder).git("clone", "--quiet", str(upstream), "tree")
    return folder / "tree"


def linked(upstream: Path, folder: Path) -> Path:
    GitSandbox(ordinary(upstream, folder)).git("worktree", "add", "--quiet", "-b", "side", str(folder / "side"))
    return folder / "side"


@pytest.mark.parametrize("layout", [ordinary, linked, bare_with_work_tree, git_directory_elsewhere, cloned_with_all])
def test_submodules_are_known_wherever_git_keeps_them(upstream: Path, tmp_path: Path, layout: object) -> None:
    assert callable(layout)
    tree = layout(upstream, tmp_path)
    for number, submodule in enumerate(checked_out(tree)):
        assert is_submodule(GitRepository(submodule))
        GitSandbox(submodule).git("worktree", "add", "--quiet", "--detach", str(tmp_path / f"of-submodule-{number}"))
        assert is_submodule(GitRepository(tmp_path / f"of-submodule-{number}"))
        git_dir = GitSandbox(submodule).git("rev-parse", "--absolute-git-dir").strip()
        assert is_submodule(GitRepository(git_dir))
    assert not is_submodule(GitRepository(tree))


def test_with_its_git_directory_in_itself_or_anywhere(tmp_path: Path) -> None:
    whole = plain(tmp_path / "whole")
    for place, options in {"own": (), "far": (f"--separate-git-dir={tmp_path}/elsewhere",)}.items():
        whole.git("init", "--quiet", *options, place)
        part = GitSandbox(whole.folder / place)
        part.git("commit", "--quiet", "--allow-empty", "-m", "first")
        assert not is_submodule(GitRepository(part.folder))  # it only lies there
        whole.git("-c", "advice.addEmbeddedRepo=false", "add", place)
        assert is_submodule(GitRepository(part.folder))
    whole.git("config", "--file", ".gitmodules", "submodule.own.path", "own")
    whole.git("config", "--file", ".gitmodules", "submodule.own.url", "https://example.org/x/y")
    whole.git("update-index", "--force-remove", "own")
    own = GitSandbox(whole.folder / "own")
    assert is_submodule(GitRepository(own.folder))  # the .gitmodules says so
    whole.git("add", "own", ".gitmodules")
    whole.git("submodule", "--quiet", "absorbgitdirs", "own")
    assert own.path(".git").is_file()
    assert is_submodule(GitRepository(own.folder))


def test_a_linked_work_tree_of_one_with_its_git_directory_in_itself(tmp_path: Path) -> None:
    whole = plain(tmp_path / "whole")
    part = plain(whole.folder / "part")
    whole.git("-c", "advice.addEmbeddedRepo=false", "add", "part")
    part.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "linked"))
    assert is_submodule(GitRepository(tmp_path / "linked"))


def test_git_directory_and_work_tree_from_the_environment(
    upstream: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the superproject, as people keep their settings files; then of the submodule."""
    git = GitSandbox(tmp_path)
    git.git("clone", "--quiet", "--bare", str(upstream), "settings")
    git.git("-C", "settings", "config", "core.bare", "false")
    (tmp_path / "home").mkdir()
    place = {"GIT_DIR": str(tmp_path / "settings"), "GIT_WORK_TREE": str(tmp_path / "home")}
    home = GitSandbox(tmp_path / "home", place)
    home.git("reset", "--quiet", "--hard")
    home.git(*ANY_PROTOCOL, "submodule", "--quiet", "update", "--init")
    assert is_submodule(GitRepository(tmp_path / "home/libs/part"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "settings/modules/libs/part"))
    assert is_submodule(GitRepository())
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "settings"))
    assert not is_submodule(GitRepository())


def test_by_way_of_a_link(upstream: Path, tmp_path: Path) -> None:
    tree = ordinary(upstream, tmp_path)
    part = next(checked_out(tree))
    (tmp_path / "short").symlink_to(tree / ".git/modules/libs/part", target_is_directory=True)
    assert is_submodule(GitRepository(tmp_path / "short"))
    (tmp_path / "work").symlink_to(part, target_is_directory=True)
    assert is_submodule(GitRepository(tmp_path / "work"))


def test_what_is_no_submodule(tmp_path: Path) -> None:
    whole = plain(tmp_path / "whole")
    for place in ("whole/vendored", "whole/modules/part", "modules/part"):
        assert not is_submodule(GitRepository(plain(tmp_path / place).folder))
    whole.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "linked"))
    assert not is_submodule(GitRepository(tmp_path / "linked"))
    whole.git("clone", "--quiet", "--bare", ".", str(tmp_path / "bare.git"))
    assert not is_submodule(GitRepository(tmp_path / "bare.git"))


def test_what_git_is_told_not_to_believe_nobody_typed(tmp_path: Path) -> None:
    git = GitRepository(plain(tmp_path / "plain").folder)
    assert Settings(git, {}).origin_of_remotes == Settings(git, {"GIT_PROTOCOL_FROM_USER": "1"}).origin_of_remotes == "remote"
    assert Settings(git, {"GIT_PROTOCOL_FROM_USER": "0"}).origin_of_remotes == "submodule"
    assert Settings(None, {"GIT_PROTOCOL_FROM_USER": "false"}).origin_of_remotes == "submodule"
