"""track and untrack in real repositories: git's own check-attr says what came of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from git_lepton.git.repository import GitRepository
from git_lepton.workflow.track import CannotTrack, patterns_tracked, raw_files, track, untrack
from tests.support.git_sandbox import GitSandbox
from tests.support.weights_doubles import pointer


@pytest.fixture
def sandbox(tmp_path: Path) -> GitSandbox:
    return GitSandbox.create(tmp_path / "work", filter=None, track=None)


@pytest.fixture
def git(sandbox: GitSandbox) -> GitRepository:
    return GitRepository(sandbox.folder)


def test_track_writes_the_line_and_sets_up_filter_and_hook(sandbox: GitSandbox, git: GitRepository) -> None:
    done = track(git, sandbox.folder, ["*.bin", "*.safetensors"])
    assert done.changed == ["*.bin", "*.safetensors"]
    assert done.sentences == ["git uses git-lepton in this repository"]
    assert sandbox.read(".gitattributes").splitlines()[0] == b"*.bin filter=lepton diff=lepton merge=lepton -text"
    assert "filter-process" in sandbox.git("config", "filter.lepton.process")
    assert (sandbox.folder / ".git/hooks/pre-push").exists()
    again = track(git, sandbox.folder, ["*.bin"])
    assert (again.changed, again.sentences) == ([], [])


def test_a_subfolder_has_lines_of_its_own_and_all_are_listed(sandbox: GitSandbox, git: GitRepository) -> None:
    folder = sandbox.write("models/readme", "x").parent
    track(git, sandbox.folder, ["*.bin"])
    track(GitRepository(folder), folder, ["*.pt"])
    sandbox.write(".git/info/attributes", "*.gguf filter=lepton\n")
    private = str(sandbox.folder / ".git/info/attributes")
    listed = patterns_tracked(GitRepository(folder))
    assert listed == [("*.bin", ".gitattributes"), ("*.pt", "models/.gitattributes"), ("*.gguf", private)]


@pytest.mark.parametrize("pattern", ["models", "models/", "./models/"])
def test_a_folder_means_all_below_it(sandbox: GitSandbox, git: GitRepository, pattern: str) -> None:
    sandbox.write("models/deep/readme", "x")
    assert track(git, sandbox.folder, [pattern]).changed == ["models/**"]
    assert git.lepton_paths(["models/a", "models/deep/b", "other/a"]) == {"models/a", "models/deep/b"}
    assert untrack(git, sandbox.folder, [pattern]) == ["models/**"]


@pytest.mark.parametrize(
    "pattern", ["*", "**", "/*", "**/*", "**/**", "lepton.toml", "*.toml", ".*", "../x", "!x", "", "[attr]x"]
)
def test_what_git_and_we_read_from_commits_cannot_be_weights(sandbox: GitSandbox, git: GitRepository, pattern: str) -> None:
    with pytest.raises(CannotTrack):
        track(git, sandbox.folder, [pattern])
    assert not (sandbox.folder / ".gitattributes").exists()
    assert sandbox.run("config", "filter.lepton.process").returncode == 1


def test_files_that_git_stores_whole_are_reported(sandbox: GitSandbox, git: GitRepository) -> None:
    files = {"raw.bin": b"x" * 3000, "small.bin": b"abc", "empty.bin": b"", "pointer.bin": pointer("1").encode(), "text": b"x"}
    sandbox.commit("before", **files)
    assert raw_files(git) == []
    assert track(git, sandbox.folder, ["*.bin"]).raw == ["raw.bin", "small.bin"]


def test_untrack_takes_the_file_back_too(sandbox: GitSandbox, git: GitRepository) -> None:
    track(git, sandbox.folder, ["*.bin", "*.pt"])
    assert untrack(git, sandbox.folder, ["*.bin", "*.never"]) == ["*.bin"]
    assert [pattern for pattern, _ in patterns_tracked(git)] == ["*.pt"]
    untrack(git, sandbox.folder, ["*.pt"])
    assert not (sandbox.folder / ".gitattributes").exists()
    assert untrack(git, sandbox.folder, ["*.pt"]) == []


def test_from_git_lfs_to_us(sandbox: GitSandbox, git: GitRepository) -> None:
    """`git lepton track` and `git add --renormalize .` are all that the move takes, once the files are here."""
    if sandbox.run("lfs", "version").returncode:
        pytest.skip("git-lfs is not installed")
    sandbox.git("lfs", "install", "--local")
    sandbox.git("lfs", "track", "*.bin", "*.psd")
    sandbox.commit("lfs", **{"model.bin": b"weights" * 999, "picture.psd": b"picture"})
    track(git, sandbox.folder, ["*.bin"])
    sandbox.git("add", "--renormalize", ".")
    sandbox.commit("moved")
    assert sandbox.blob("model.bin").startswith(b"version git-lepton/v1\n")
    assert sandbox.blob("picture.psd").startswith(b"version https://git-lfs")
    assert sandbox.status() == ""
    assert sandbox.read("model.bin") == b"weights" * 999
