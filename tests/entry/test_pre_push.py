"""The hook as git starts it, with real pushes to ordinary remotes."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from git_lepton.entry.pre_push import main, refs_of
from git_lepton.git.repository import GitRepository
from git_lepton.workflow.install import install
from tests.support.git_sandbox import GitSandbox
from tests.support.weights_doubles import pointer

ZERO = "0" * 40
ATTRIBUTES = "*.bin filter=lepton diff=lepton merge=lepton -text\n"


@pytest.fixture
def sandbox(tmp_path: Path) -> GitSandbox:
    """A repository with our hook and, as origin, a server's address that nobody answers; `bare` is a real remote by path."""
    sandbox = GitSandbox.create(tmp_path / "work", filter=None, track=None)
    install(GitRepository(sandbox.folder), "local")
    sandbox.git("init", "-q", "--bare", "--initial-branch=main", str(tmp_path / "bare.git"))
    sandbox.git("remote", "add", "bare", str(tmp_path / "bare.git"))
    return sandbox


def with_pointer(sandbox: GitSandbox) -> None:
    """Commits a pointer whose weights are nowhere, past the filter."""
    sandbox.write(".gitattributes", ATTRIBUTES)
    blob = sandbox.git("hash-object", "-w", "--stdin", stdin=pointer("1").encode()).strip()
    sandbox.git("add", ".gitattributes")
    sandbox.git("update-index", "--add", "--cacheinfo", f"100644,{blob},model.bin")
    sandbox.git("commit", "-qm", "a pointer")


def refs(sandbox: GitSandbox, name: str = "bare") -> str:
    return sandbox.git("ls-remote", name)


def test_what_git_says_about_refs() -> None:
    lines = [
        f"refs/heads/a {'1' * 40} refs/heads/a {ZERO}",
        f"(delete) {ZERO} refs/heads/b {'2' * 40}",
        f"HEAD~1 {'3' * 40} c {'4' * 40}",
    ]
    assert refs_of(lines) == (["1" * 40, "3" * 40], ["2" * 40, "4" * 40])


def test_a_push_without_pointers_needs_no_store(sandbox: GitSandbox) -> None:
    sandbox.commit("one", a="a")
    sandbox.git("push", "-q", "bare", "main:side")
    sandbox.git("push", "-q", "bare", ":side")
    assert refs(sandbox) == ""


def test_pointers_without_a_store_stop_the_push(sandbox: GitSandbox, tmp_path: Path) -> None:
    with_pointer(sandbox)
    sandbox.git("remote", "set-url", "bare", f"ext::git %s {tmp_path / 'bare.git'}")
    done = sandbox.run("-c", "protocol.ext.allow=always", "push", "bare", "main")
    said = done.stderr.decode()
    assert done.returncode == 1
    assert "git-lepton: this push brings pointers to weights, and nothing says where the weights go" in said
    assert "git config lepton.url" in said
    assert "[store] url" in said
    assert not (tmp_path / "bare.git/refs/heads/main").exists()


def test_weights_that_are_nowhere_stop_the_push(sandbox: GitSandbox) -> None:
    with_pointer(sandbox)
    done = sandbox.run("push", "bare", "main")
    assert done.returncode == 1
    assert f"model.bin ({pointer('1').oid})" in done.stderr.decode()
    assert refs(sandbox) == ""


def test_weights_go_along_to_a_remote_that_is_a_folder(sandbox: GitSandbox, tmp_path: Path) -> None:
    sandbox.commit("weights", **{".gitattributes": ATTRIBUTES, "model.bin": b"weights" * 1000})
    assert sandbox.blob("model.bin").startswith(b"version git-lepton/v1\n")
    sandbox.git("push", "-q", "bare", "main")
    assert "refs/heads/main" in refs(sandbox)
    sandbox.git("clone", "-q", str(tmp_path / "bare.git"), str(tmp_path / "clone"))
    install(GitRepository(tmp_path / "clone"), "local")
    clone = GitSandbox(tmp_path / "clone")
    (clone.folder / "model.bin").unlink()
    clone.git("checkout", "-q", "--", "model.bin")
    assert clone.read("model.bin") == b"weights" * 1000


def test_lepton_remotes_are_the_helper_s(sandbox: GitSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    with_pointer(sandbox)
    monkeypatch.chdir(sandbox.folder)
    line = f"refs/heads/main {sandbox.head()} refs/heads/main {ZERO}\n".encode()
    stdin = io.BytesIO(line)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stdin))
    assert main(["origin", "lepton::https://lepton.example.org/ada/models"]) == 0
    assert stdin.read() == b""  # drained
