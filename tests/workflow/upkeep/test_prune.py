"""Whatever git still names, anywhere, keeps its weights."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from git_lepton.format.coding.encoded import RELEASED
from git_lepton.format.identifiers import ObjectId
from git_lepton.format.pointer import Pointer, parse_pointer
from git_lepton.git.configuration import configure
from git_lepton.git.repository import GitRepository
from git_lepton.workflow.clean import clean
from git_lepton.workflow.upkeep.prune import prune, referenced_objects
from git_lepton.workspace import Workspace
from tests.support.git_sandbox import GitSandbox
from tests.workflow.objects import MemorySource

NAME = "m.bin"


def oid(seed: int) -> ObjectId:
    return ObjectId(hashlib.sha256(bytes([seed])).digest())


def put(sandbox: GitSandbox, seed: int, name: str = NAME) -> None:
    """A pointer goes through the filter as it is: for what git names no weights are needed."""
    sandbox.write(name, Pointer(oid(seed), 1).encode().decode())


def commit(sandbox: GitSandbox, seed: int, name: str = NAME) -> str:
    put(sandbox, seed, name)
    sandbox.git("add", ".")
    sandbox.git("commit", "-qm", f"{seed}")
    return sandbox.git("rev-parse", "HEAD").strip()


def referenced(sandbox: GitSandbox) -> set[ObjectId]:
    return referenced_objects(GitRepository.find(sandbox.folder))


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GitSandbox:
    monkeypatch.setenv("GIT_LEPTON_SKIP_SMUDGE", "1")
    made = GitSandbox.create(tmp_path / "work")
    commit(made, 1)
    return made


def test_refs_reflogs_stash_notes_and_index(sandbox: GitSandbox) -> None:
    commit(sandbox, 2)
    sandbox.git("tag", "-am", "tagged", "tagged")
    sandbox.git("reset", "-q", "--hard", "HEAD~1")
    commit(sandbox, 3)
    sandbox.git("reset", "-q", "--hard", "HEAD~1")  # 3 is in the reflog alone
    put(sandbox, 4)
    sandbox.git("stash", "-q")
    put(sandbox, 5, "new.bin")
    sandbox.git("add", "new.bin")
    assert referenced(sandbox) == {oid(n) for n in range(1, 6)}


def test_every_side_of_a_conflict(sandbox: GitSandbox) -> None:
    """After `git checkout --merge` the user's own edit is nowhere but in the index."""
    configure(GitRepository.find(sandbox.folder))
    sandbox.git("switch", "-qc", "other")
    commit(sandbox, 2)
    sandbox.git("switch", "-q", "main")
    put(sandbox, 3)
    sandbox.git("checkout", "-q", "--merge", "other")
    assert len(sandbox.git("ls-files", "-u").splitlines()) == 3
    assert referenced(sandbox) == {oid(1), oid(2), oid(3)}


def test_the_index_of_a_work_tree_whose_disk_is_not_here(sandbox: GitSandbox, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    sandbox.git("worktree", "add", "-q", "--detach", str(disk / "tree"))
    tree = GitSandbox(disk / "tree")
    commit(tree, 2)
    tree.git("reflog", "expire", "--expire=now", "--all")
    put(tree, 3)
    tree.git("add", NAME)
    disk.rename(tmp_path / "away")
    assert referenced(sandbox) == {oid(1), oid(2), oid(3)}


def test_staged_files_count_whatever_the_attributes_say_now(sandbox: GitSandbox) -> None:
    put(sandbox, 2)
    sandbox.git("add", NAME)
    sandbox.write(".gitattributes", "<<<<<<< ours\n")
    assert oid(2) in referenced(sandbox)


def test_the_autostash_of_a_rebase_that_stopped(sandbox: GitSandbox) -> None:
    sandbox.git("switch", "-qc", "side")
    sandbox.write("text", "ours\n")
    commit(sandbox, 2)
    sandbox.git("switch", "-q", "main")
    sandbox.write("text", "theirs\n")
    commit(sandbox, 1, "other.bin")
    sandbox.git("switch", "-q", "side")
    put(sandbox, 3)
    assert sandbox.run("rebase", "--autostash", "main").returncode != 0
    assert oid(3) in referenced(sandbox)


def test_the_other_side_of_a_merge_that_no_ref_names(sandbox: GitSandbox, tmp_path: Path) -> None:
    other = sandbox.clone(tmp_path / "other")
    commit(other, 2)
    commit(other, 3)
    sandbox.write("text", "diverges\n")
    commit(sandbox, 1)
    sandbox.git("fetch", "-q", str(other.folder), "HEAD")
    sandbox.git("merge", "--no-commit", "FETCH_HEAD")
    assert referenced(sandbox) == {oid(1), oid(2), oid(3)}


@pytest.mark.parametrize("name", ["next-index-4711.lock", "index.lock", "index.stash.4711"])
def test_a_commit_that_waits_for_its_message_and_a_stash_that_is_being_made(sandbox: GitSandbox, name: str) -> None:
    put(sandbox, 2)
    index = sandbox.folder / ".git/index"
    before = index.read_bytes()
    sandbox.git("add", NAME)
    index.rename(index.with_name(name))
    index.write_bytes(before)
    assert oid(2) in referenced(sandbox)


def test_a_lock_that_git_is_still_writing_says_nothing(sandbox: GitSandbox) -> None:
    (sandbox.folder / ".git/index.lock").write_bytes(b"DIRC\0\0")
    assert referenced(sandbox) == {oid(1)}


def test_an_index_elsewhere(sandbox: GitSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(sandbox.folder)
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    put(sandbox, 2)
    sandbox.git("add", NAME)
    assert referenced_objects(GitRepository()) == {oid(1), oid(2)}


def test_a_git_directory_elsewhere_and_a_split_index(sandbox: GitSandbox, tmp_path: Path) -> None:
    sandbox.git("init", "-q", "--separate-git-dir", str(tmp_path / "real"))
    sandbox.git("worktree", "add", "-q", "--detach", str(tmp_path / "tree"))
    for seed, tree in ((2, sandbox), (3, GitSandbox(tmp_path / "tree"))):
        tree.git("update-index", "--split-index")
        put(tree, seed)
        tree.git("add", NAME)
    assert referenced(sandbox) == {oid(1), oid(2), oid(3)}


@pytest.mark.parametrize("left_out", ["blob:none", "tree:0"])
def test_a_partial_clone_keeps_what_its_branches_reach(sandbox: GitSandbox, tmp_path: Path, left_out: str) -> None:
    sandbox.git("config", "uploadpack.allowFilter", "true")
    sandbox.git("config", "uploadpack.allowAnySHA1InWant", "true")
    sandbox.git("switch", "-qc", "other")
    commit(sandbox, 2)
    sandbox.git("switch", "-q", "main")
    sandbox.git("clone", "-q", "--no-checkout", f"--filter={left_out}", sandbox.folder.as_uri(), str(tmp_path / "clone"))
    clone = GitSandbox(tmp_path / "clone")
    assert referenced(clone) == set()  # git brings nothing for this
    clone.git("show", "origin/other:m.bin")
    assert referenced(clone) == {oid(2)}


def test_a_bare_repository_with_a_work_tree(sandbox: GitSandbox, tmp_path: Path) -> None:
    sandbox.git("clone", "-q", "--bare", ".", str(tmp_path / "bare"))
    bare = GitSandbox(tmp_path / "bare")
    bare.git("worktree", "add", "-q", "-b", "new", str(tmp_path / "tree"))
    tree = GitSandbox(tmp_path / "tree")
    tree.use_filter()
    put(tree, 2)
    tree.git("add", NAME)
    assert referenced(bare) == referenced(tree) == {oid(1), oid(2)}


def test_what_nothing_names_goes_and_the_rest_stays(sandbox: GitSandbox) -> None:
    workspace = Workspace(GitRepository.find(sandbox.folder))
    kept, dropped = (parse_pointer(clean(MemorySource(text * 500), workspace.store, RELEASED)) for text in (b"kept", b"dropped"))
    sandbox.write(NAME, kept.encode().decode())
    sandbox.git("add", NAME)
    workspace.close()
    for pack in (sandbox.folder / ".git/lepton/packs").glob("*.pack"):
        os.utime(pack, (time.time() - 86400, time.time() - 86400))
    with workspace:
        assert prune(workspace).pruned.objects == 1
        assert [manifest.oid for manifest in workspace.store.manifests()] == [kept.oid]
        assert workspace.store.manifest(dropped.oid) is None
