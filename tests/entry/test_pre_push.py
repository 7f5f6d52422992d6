"""The hook as git starts it, with real pushes to ordinary remotes."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from git_lepton.entry import pre_push
from git_lepton.entry.pre_push import main, refs_of
from git_lepton.errors import NetworkTrouble
from git_lepton.format.pointer import parse_pointer
from git_lepton.git.repository import GitRepository
from git_lepton.workflow.setup.install import install
from git_lepton.workflow.sync.known_complete import KnownComplete
from git_lepton.workspace import open_workspace
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


def test_a_new_damaged_pointer_stops_the_push_and_is_named(sandbox: GitSandbox) -> None:
    sandbox.write(".gitattributes", ATTRIBUTES)
    blob = sandbox.git("hash-object", "-w", "--stdin", stdin=pointer("1").encode()[:-1]).strip()
    sandbox.git("add", ".gitattributes")
    for path in ("model.bin", "fixture.txt"):
        sandbox.git("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}")
    sandbox.git("commit", "-qm", "a damaged pointer")
    said = sandbox.stderr("push", "bare", "main")
    assert "git-lepton: this push brings damaged pointers: model.bin\n" in said
    assert "--no-verify" in said
    assert refs(sandbox) == ""
    sandbox.git("push", "-q", "--no-verify", "bare", "main")
    sandbox.git("update-ref", "refs/remotes/bare/main", "main")
    sandbox.commit("more", a="a")
    sandbox.git("push", "-q", "bare", "main")


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


def with_two_versions(sandbox: GitSandbox) -> None:
    """Pushed past the hook: the remote has the commits, and their weights are nowhere but here."""
    sandbox.commit("one", {".gitattributes": ATTRIBUTES, "model.bin": b"weights" * 1000})
    sandbox.commit("two", {"model.bin": b"others!" * 1000})
    sandbox.git("push", "-q", "--no-verify", "bare", "main")


def stored(sandbox: GitSandbox, tmp_path: Path) -> int:
    """How many of the two versions the remote's folder has."""
    with open_workspace(sandbox.folder) as workspace:
        pointers = [parse_pointer(sandbox.blob("model.bin", commit)) for commit in ("main~1", "main~2")]
        return len(workspace.stored(pointers, str(tmp_path / "bare.git")))


def test_what_was_pushed_without_the_hook_follows(sandbox: GitSandbox, tmp_path: Path) -> None:
    with_two_versions(sandbox)
    sandbox.commit("no weights", notes="text")
    assert stored(sandbox, tmp_path) == 0
    sandbox.git("push", "-q", "bare", "main")
    assert stored(sandbox, tmp_path) == 2


def test_a_tree_whose_weights_are_nowhere_stops_the_push_though_another_brought_it(sandbox: GitSandbox, tmp_path: Path) -> None:
    with_two_versions(sandbox)
    clone = sandbox.clone(tmp_path / "clone", "--no-checkout", filter=None)
    install(GitRepository(clone.folder), "local")
    clone.git("remote", "add", "bare", str(tmp_path / "bare.git"))
    clone.git("fetch", "-q", "bare")
    clone.git("-c", "core.hooksPath=/dev/null", "checkout", "-q", "main", GIT_LEPTON_SKIP_SMUDGE="1")
    clone.git("remote", "remove", "origin")  # where they are
    clone.commit("no weights", notes="text")
    done = clone.run("push", "bare", "main")
    assert done.returncode == 1
    assert "weights that this push needs are neither on this machine nor in the store: model.bin" in done.stderr.decode()
    clone.git("rm", "-q", "model.bin")
    clone.commit("another", {"other.bin": b"weights!" * 1000})
    said = clone.stderr("push", "bare", "main")
    assert (
        "older versions that were pushed before have weights that are neither on this machine nor in the store: model.bin" in said
    )
    assert "main -> main" in said


def test_a_history_is_looked_at_once(sandbox: GitSandbox) -> None:
    with_two_versions(sandbox)
    sandbox.commit("no weights", notes="text")
    sandbox.git("push", "-q", "bare", "main")
    (record,) = (sandbox.lepton / "pushed").iterdir()
    assert record.read_text().split() == [sandbox.head()]
    head = sandbox.commit("more", notes="texts")
    sandbox.git("push", "-q", "bare", "main")
    assert record.read_text().split()[-1] == head


def test_a_store_that_does_not_answer_stops_no_push_that_brings_no_weights(
    sandbox: GitSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unanswered(*_: object) -> None:
        raise NetworkTrouble("nobody answers")

    monkeypatch.setattr(pre_push, "_send_all", unanswered)
    monkeypatch.chdir(sandbox.folder)
    with_two_versions(sandbox)
    head = sandbox.head()
    with pytest.raises(NetworkTrouble):  # never seen to: not without the store
        pre_push.send("bare", [head], [head])
    with open_workspace(sandbox.folder) as workspace:
        KnownComplete(workspace.store.root, str(workspace.settings.store_location("bare"))).add([head])
    pre_push.send("bare", [head], [head])
    assert "whether the store still has the weights could not be asked: nobody answers" in capsys.readouterr().err


def test_lepton_remotes_are_the_helper_s(sandbox: GitSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    with_pointer(sandbox)
    monkeypatch.chdir(sandbox.folder)
    line = f"refs/heads/main {sandbox.head()} refs/heads/main {ZERO}\n".encode()
    stdin = io.BytesIO(line)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stdin))
    assert main(["origin", "lepton::https://lepton.example.org/ada/models"]) == 0
    assert stdin.read() == b""  # drained
