"""track and untrack in real repositories: git's own check-attr says what came of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from git_lepton.git.repository import GitRepository
from git_lepton.workflow.setup.track import Overruled, StillPointers, patterns_tracked, raw_files, track, untrack
from git_lepton.workflow.setup.track_patterns import CannotTrack
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
    assert sandbox.read(".gitattributes").splitlines()[0] == b"*.bin filter=lepton diff=lepton -merge -text"
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


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("./model.bin", "model.bin"),
        (".//./model.bin", "model.bin"),
        ("./*.bin", "*.bin"),
        ("./sub", "sub/**"),
        ("sub//x.bin", "sub/x.bin"),
        ("/model.bin", "/model.bin"),
        ("my model.bin", "my model.bin"),
        ("end ", "end "),
        ("m[1].bin", "m\\[1].bin"),
        ("!new.bin", "\\!new.bin"),
        ("#1.bin", "#1.bin"),
        ("back\\slash", "back\\\\slash"),
        ("d[1]", "d\\[1]/**"),
        ("w*", "w*"),
    ],
)
def test_what_is_written_is_what_git_matches(sandbox: GitSandbox, git: GitRepository, typed: str, written: str) -> None:
    """A file's own name means that file, whatever it is made of."""
    for name in (
        "model.bin",
        "my model.bin",
        "end ",
        "m[1].bin",
        "!new.bin",
        "#1.bin",
        "back\\slash",
        "d[1]/a",
        "w*",
        "sub/x.bin",
    ):
        sandbox.write(name, "x")
    assert track(git, sandbox.folder, [typed]).changed == [written]
    named = {"./*.bin": "model.bin", "./sub": "sub/x.bin", "d[1]": "d[1]/a"}.get(typed, typed.lstrip("./").replace("//", "/"))
    assert git.lepton_paths([named]) == {named}
    assert untrack(git, sandbox.folder, [typed]) == [written]


def test_a_path_from_the_root_of_the_disk_is_that_of_a_file_here_or_refused(sandbox: GitSandbox, git: GitRepository) -> None:
    file = sandbox.write("sub/x.bin", "x")
    assert track(git, sandbox.folder, [str(file)]).changed == ["/sub/x.bin"]
    assert track(git, file.parent, [str(file)]).changed == ["/x.bin"]
    with pytest.raises(CannotTrack, match="not in this folder"):
        track(git, file.parent, [str(sandbox.write("other.bin", "x"))])


@pytest.mark.parametrize(
    "pattern",
    [".", "./", "sub/..", "a/../b", "*.[a", "end\\", "[[:nonsense:]]", "x" * 2048, "x" * 300 + "[", "with-attributes", "!*.bin"],
)
def test_what_git_never_matches_is_refused(sandbox: GitSandbox, git: GitRepository, pattern: str) -> None:
    sandbox.write("with-attributes/.gitattributes", "*.txt text\n")
    with pytest.raises(CannotTrack):
        track(git, sandbox.folder, [pattern])
    assert not (sandbox.folder / ".gitattributes").exists()


def test_a_file_that_other_attributes_take_back_is_said_and_nothing_written(sandbox: GitSandbox, git: GitRepository) -> None:
    sandbox.write("sub/x.bin", "x")
    sandbox.write(".git/info/attributes", "sub/* -filter\n")
    with pytest.raises(Overruled, match=r"sub/x\.bin would not be tracked"):
        track(git, sandbox.folder, ["sub/x.bin"])
    assert not (sandbox.folder / ".gitattributes").exists()


def test_a_file_with_a_mark_gets_a_line_that_clones_read(sandbox: GitSandbox, git: GitRepository) -> None:
    """git skips the mark in a work tree, and in a clone it belongs to the pattern."""
    sandbox.write(".gitattributes", "\ufeff*.bin filter=lepton -text\n")
    assert track(git, sandbox.folder, ["*.bin"]).changed == ["*.bin"]
    sandbox.git("add", ".gitattributes")
    assert sandbox.git("check-attr", "--cached", "filter", "a.bin") == "a.bin: filter: lepton\n"


@pytest.mark.parametrize("folder", ["", "models/"])
@pytest.mark.parametrize("before", ["", "*.txt text\n"])
def test_the_way_back_to_plain_git(tmp_path: Path, folder: str, before: str) -> None:
    """`git add --renormalize .`, as untrack says, also where the last pattern took .gitattributes along."""
    sandbox = GitSandbox.create(tmp_path / "work", track=None)
    sandbox.write(f"{folder}.gitattributes", before)
    here = sandbox.folder / folder
    track(GitRepository(here), here, ["*.bin", "*.pt"])
    files = {f"{folder}a.bin": b"weights" * 999, f"{folder}deep/b.pt": b"more" * 999}
    sandbox.commit("tracked", files)
    assert sandbox.blob(f"{folder}a.bin").startswith(b"version git-lepton/v1\n")
    assert untrack(GitRepository(here), here, ["*.bin", "*.pt"]) == ["*.bin", "*.pt"]
    sandbox.git("-C", str(here), "add", "--renormalize", ".")
    sandbox.git("commit", "--quiet", "-m", "plain")
    assert {name: sandbox.blob(name) for name in files} == files
    assert (here / ".gitattributes").exists() == bool(before)
    assert sandbox.status() == ""
    clone = sandbox.clone(tmp_path / "clone", filter=None)
    assert {name: clone.read(name) for name in files} == files


def test_untrack_waits_for_weights_that_are_not_here(sandbox: GitSandbox, git: GitRepository) -> None:
    track(git, sandbox.folder, ["*.bin"])
    sandbox.git("config", "--remove-section", "filter.lepton")
    sandbox.commit("pointer", **{"a.bin": pointer("1").encode()})
    with pytest.raises(StillPointers, match=r"a\.bin is still a pointer"):
        untrack(git, sandbox.folder, ["*.bin"])
    assert git.lepton_paths(["a.bin"]) == {"a.bin"}


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
