"""push, fetch, pull, checkout, prune, trust, login: what they move and which exit code they have."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from tests.entry.commands.conftest import Lepton
from tests.support.git_sandbox import GitSandbox


def test_push_sends_once(sandbox: GitSandbox, lepton: Lepton) -> None:
    plan = lepton("push", "--dry-run", "--json", at=sandbox)
    assert {item["path"] for item in plan.json["files"]} == {"one.bin", "models/two.bin"}
    sent = lepton("push", "--json", at=sandbox).json
    assert (sent["objects"], plan.json["objects"], plan.json["known"]) == (2, 2, 0)
    assert 0.99 < plan.json["bytes_to_send"] / sent["bytes_sent"] < 1.01
    assert lepton("push", "--json", at=sandbox).json == {
        "objects": 0,
        "bytes_sent": 0,
        "known": 2,
        "taken_away": 0,
        "bases": [],
    }
    nothing = {"objects": 0, "bytes_to_send": 0, "known": 2, "taken_away": 0, "files": []}
    assert lepton("push", "--dry-run", "--json", at=sandbox).json == nothing
    assert "nothing to send" in lepton("push", "--dry-run", at=sandbox).err


def test_push_takes_a_remote_and_refs(sandbox: GitSandbox, lepton: Lepton, tmp_path: Path) -> None:
    sandbox.git("switch", "--quiet", "-c", "side")
    sandbox.commit("a change", {"side.bin": b"side" * 5000})
    assert lepton("push", "--json", "origin", "main", at=sandbox).json["objects"] == 2
    assert lepton("push", "--json", str(tmp_path / "shared.git"), "side", at=sandbox).json["objects"] == 1
    done = lepton("push", "origin", "nowhere", at=sandbox)
    assert (done.code, "'nowhere'" in done.err) == (2, True)


def test_push_of_everything(sandbox: GitSandbox, lepton: Lepton) -> None:
    sandbox.git("switch", "--quiet", "-c", "side")
    sandbox.commit("a change", {"side.bin": b"side" * 5000})
    sandbox.git("switch", "--quiet", "main")
    assert lepton("push", "--all", "--json", at=sandbox).json["objects"] == 3


def test_a_push_brings_what_another_remote_has(pointers: GitSandbox, tmp_path: Path, lepton: Lepton) -> None:
    pointers.git("init", "--quiet", "--bare", str(tmp_path / "empty.git"))
    assert lepton("push", str(tmp_path / "empty.git"), "--json", at=pointers).json["objects"] == 2


def test_a_push_of_weights_that_are_nowhere_is_4(pointers: GitSandbox, tmp_path: Path, lepton: Lepton) -> None:
    pointers.git("init", "--quiet", "--bare", str(tmp_path / "empty.git"))
    pointers.git("remote", "rename", "origin", "old")
    pointers.git("config", "remote.old.url", str(tmp_path / "empty.git"))
    done = lepton("push", str(tmp_path / "empty.git"), at=pointers)
    assert done.code == 4
    assert "one.bin" in done.err


def test_fetch_leaves_the_work_tree_and_checkout_writes_it(pointers: GitSandbox, pushed: GitSandbox, lepton: Lepton) -> None:
    assert lepton("checkout", at=pointers).code == 4
    assert lepton("fetch", "--json", at=pointers).json["objects"] == 2
    assert pointers.read("one.bin") == pushed.blob("one.bin")
    done = lepton("checkout", "models", "--json", at=pointers)
    assert (done.code, done.json["written"]) == (0, ["models/two.bin"])
    assert pointers.read("models/two.bin") == b"weights" * 100_000
    assert pointers.read("one.bin") == pushed.blob("one.bin")
    assert pointers.status() == ""


def test_fetch_of_a_branch_that_only_the_remote_has(pushed: GitSandbox, pointers: GitSandbox, lepton: Lepton) -> None:
    pushed.git("switch", "--quiet", "-c", "side")
    pushed.commit("a change", {"side.bin": b"side" * 5000})
    assert lepton("push", "origin", "side", at=pushed).code == 0
    pushed.git("push", "--quiet", "origin", "side")
    done = lepton("fetch", "origin", "side", at=pointers)
    assert (done.code, "`git fetch origin side` brings it" in done.err) == (2, True)
    pointers.git("fetch", "--quiet", "origin")
    assert lepton("fetch", "--json", "origin", "side", "--include", "side.bin", at=pointers).json["objects"] == 1


def test_fetch_in_a_sparse_checkout_brings_what_it_holds(pointers: GitSandbox, lepton: Lepton) -> None:
    pointers.git("sparse-checkout", "set", "--no-cone", "/*", "!/models/")
    assert lepton("fetch", "--json", at=pointers).json["objects"] == 1
    assert lepton("fetch", "--json", "HEAD", at=pointers).json == lepton("fetch", "--json", at=pointers).json
    assert lepton("fetch", "--json", "--include", "models", at=pointers).json["objects"] == 1
    assert lepton("fetch", "--json", "--all", at=pointers).json["known"] == 2


def test_fetch_of_a_ref_and_of_everything(pushed: GitSandbox, pointers: GitSandbox, lepton: Lepton) -> None:
    pushed.commit("a change", {"one.bin": b"second" * 5000})
    assert lepton("push", at=pushed).code == 0
    pushed.git("push", "--quiet", "--no-verify", "origin", "main")
    pointers.git("fetch", "--quiet")
    assert lepton("fetch", "--json", "origin", "origin/main", "--include", "one.bin", at=pointers).json["objects"] == 1
    assert lepton("fetch", "--json", "--all", at=pointers).json == {
        "objects": 2,
        "bytes_received": pytest.approx(1 << 20, rel=0.1),
        "known": 1,
        "bases": {"bases": 0, "objects": 0, "bytes_received": 0},
    }


def test_pull_brings_and_writes(pointers: GitSandbox, pushed: GitSandbox, lepton: Lepton) -> None:
    assert lepton("pull", "--exclude", "models/", at=pointers).code == 0
    assert pointers.read("one.bin") == pushed.read("one.bin")
    assert pointers.read("models/two.bin") == pushed.blob("models/two.bin")
    assert lepton("pull", at=pointers).code == 0
    assert pointers.read("models/two.bin") == b"weights" * 100_000
    assert pointers.status() == ""
    assert lepton("status", at=pointers).code == 0


def test_pull_without_its_store_leaves_pointers_and_fails(pointers: GitSandbox, tmp_path: Path, lepton: Lepton) -> None:
    (tmp_path / "shared.git").rename(tmp_path / "gone.git")
    done = lepton("pull", at=pointers)
    assert done.code == 2
    assert done.err.count("git-lepton: ") == 2
    pointers.git("config", "lepton.url", "http://127.0.0.1:1/a/b")
    assert pointers.status() == ""


def test_checkout_never_writes_over_somebodys_work_unless_forced(
    pointers: GitSandbox, pushed: GitSandbox, lepton: Lepton
) -> None:
    assert lepton("fetch", at=pointers).code == 0
    pointers.write("one.bin", b"my own work")
    pointers.path("models/two.bin").unlink()
    assert lepton("checkout", "--json", at=pointers).json["written"] == []
    assert pointers.read("one.bin") == b"my own work"
    done = lepton("checkout", "--force", "--json", at=pointers)
    assert (done.code, sorted(done.json["written"])) == (0, ["models/two.bin", "one.bin"])
    assert pointers.read("one.bin") == pushed.read("one.bin")
    assert pointers.status() == ""


def test_checkout_of_a_path_that_is_not_tracked_is_wrong_use(pointers: GitSandbox, lepton: Lepton) -> None:
    assert lepton("checkout", "notes.txt", at=pointers).code == 2


def test_checkout_keeps_the_executable_bit(pushed: GitSandbox, pointers: GitSandbox, lepton: Lepton) -> None:
    pointers.path("one.bin").chmod(0o755)
    lepton("pull", at=pointers)
    assert stat.S_IMODE(pointers.path("one.bin").stat().st_mode) == 0o755


def test_prune_forgets_only_what_nothing_reaches(sandbox: GitSandbox, lepton: Lepton) -> None:
    sandbox.write("scratch.bin", os.urandom(1 << 20))
    sandbox.git("add", "scratch.bin")
    sandbox.git("rm", "--quiet", "--cached", "scratch.bin")
    _age(sandbox)
    plan = lepton("prune", "--dry-run", "--json", at=sandbox).json
    assert plan["pruned"]["objects"] == 1
    assert lepton("prune", at=sandbox).code == 0
    assert lepton("fsck", at=sandbox).code == 0
    assert lepton("prune", "--json", at=sandbox).json["pruned"]["objects"] == 0


def test_prune_keeps_stash_reflog_and_other_worktrees(sandbox: GitSandbox, tmp_path: Path, lepton: Lepton) -> None:
    sandbox.write("one.bin", b"stashed" * 5000)
    sandbox.git("stash", "--quiet")
    sandbox.commit("a change", {"one.bin": b"amended away" * 5000})
    sandbox.git("reset", "--quiet", "--hard", "HEAD~1")
    sandbox.git("worktree", "add", "--quiet", "-b", "second", str(tmp_path / "second"))
    second = GitSandbox(tmp_path / "second")
    second.write("staged.bin", b"staged" * 5000)
    second.git("add", "staged.bin")
    _age(sandbox)
    for options in ([], ["--verify-remote"]):
        assert lepton("prune", "--dry-run", "--json", *options, at=sandbox).json["pruned"]["objects"] == 0


def test_prune_forgets_old_pushed_versions_only_after_asking(pushed: GitSandbox, tmp_path: Path, lepton: Lepton) -> None:
    old = pushed.read("one.bin")
    pushed.commit("a change", {"one.bin": b"newer" * 5000})
    assert lepton("push", at=pushed).code == 0
    pushed.git("push", "--quiet", "--no-verify", "origin", "main")
    _age(pushed)
    assert lepton("prune", "--json", at=pushed).json["pruned"]["objects"] == 0
    found = lepton("prune", "--verify-remote", "--json", at=pushed).json
    assert (found["pruned"]["objects"], found["kept"]) == (1, 0)
    assert lepton("fsck", at=pushed).code == 0
    assert lepton("fetch", "--json", "HEAD~1", at=pushed).json["objects"] == 1
    pushed.git("checkout", "--quiet", "HEAD~1")
    assert pushed.read("one.bin") == old


def test_prune_keeps_pushed_versions_that_the_store_lost(pushed: GitSandbox, tmp_path: Path, lepton: Lepton) -> None:
    pushed.commit("a change", {"one.bin": b"newer" * 5000})
    pushed.git("push", "--quiet", "--no-verify", "origin", "main")
    (tmp_path / "shared.git" / "lepton").rename(tmp_path / "lost")
    _age(pushed)
    found = lepton("prune", "--verify-remote", "--json", at=pushed).json
    assert (found["pruned"]["objects"], found["kept"]) == (0, 1)


@pytest.mark.thorough
def test_prune_keeps_what_no_ref_of_the_remote_reaches_any_more(pushed: GitSandbox, tmp_path: Path, lepton: Lepton) -> None:
    pushed.git("checkout", "--quiet", "-b", "old")
    pushed.commit("precious", {"one.bin": b"precious" * 5000})
    assert lepton("push", at=pushed).code == 0
    pushed.git("push", "--quiet", "--no-verify", "origin", "old")
    pushed.git("checkout", "--quiet", "main")
    GitSandbox(tmp_path / "shared.git").git("branch", "--quiet", "-D", "old")  # by a colleague: origin/old stands here
    pushed.git("reflog", "expire", "--expire=now", "--all")
    _age(pushed)
    found = lepton("prune", "--verify-remote", "--json", at=pushed).json
    assert (found["pruned"]["objects"], found["kept"]) == (0, 1)
    (tmp_path / "shared.git").rename(tmp_path / "away")
    assert lepton("prune", "--verify-remote", at=pushed).code != 0
    pushed.git("checkout", "--quiet", "old")
    assert pushed.read("one.bin") == b"precious" * 5000


def _age(sandbox: GitSandbox) -> None:
    """Make the packs of the local store an hour old."""
    then = time.time() - 3600
    for pack in (sandbox.lepton / "packs").iterdir():
        os.utime(pack, (then, then))


def test_trust_is_kept_in_the_users_own_config(sandbox: GitSandbox, lepton: Lepton, clean_environment: Path) -> None:
    assert lepton("trust", "--list", "--json", at=sandbox).json == []
    assert lepton("trust", "Store.Example", at=sandbox).code == 0
    assert "any repository on store.example" in lepton("trust", "Store.Example", at=sandbox).err
    assert lepton("trust", "https://other.example:8443/a/b", at=sandbox).code == 0
    assert lepton("trust", "store.example", at=sandbox).code == 0
    assert lepton("trust", "--list", "--json", at=sandbox).json == ["store.example", "other.example:8443/a/b"]
    kept = (clean_environment / ".gitconfig").read_text()
    assert "trustedHost = store.example" in kept
    assert "trustedStore = other.example:8443/a/b" in kept
    assert lepton("trust", "store.example", "--remove", at=sandbox).code == 0
    assert lepton("trust", "--list", at=sandbox).out == "other.example:8443/a/b\n"
    sandbox.git("config", "--global", "lepton.https://a.example/o/n.allowBase", "Team/Base")
    listed = "other.example:8443/a/b\nteam/base  as a base of what goes to https://a.example/o/n\n"
    assert lepton("trust", "--list", at=sandbox).out == listed
    assert lepton("trust", "store.example", "--remove", at=sandbox).code == 2
    assert lepton("trust", at=sandbox).code == 2
    assert lepton("trust", "a b", at=sandbox).code == 2


def test_login_never_sends_a_token_in_the_clear_nor_asks_nobody(sandbox: GitSandbox, lepton: Lepton) -> None:
    done = lepton("login", "http://store.example", at=sandbox)
    assert done.code == 2
    assert "nobody is here to ask" in done.err


def test_track_and_untrack(tmp_path: Path, lepton: Lepton) -> None:
    sandbox = GitSandbox.create(tmp_path / "fresh", track=None)
    done = lepton("track", "*.safetensors", at=sandbox)
    assert done.code == 0
    assert "tracking *.safetensors" in done.err
    assert lepton("track", "--json", at=sandbox).json == [{"pattern": "*.safetensors", "file": ".gitattributes"}]
    assert "was not tracked" in lepton("untrack", "*.pt", at=sandbox).err
    assert lepton("untrack", "*.safetensors", "--json", at=sandbox).json == ["*.safetensors"]
    assert lepton("track", at=sandbox).out == ""


def test_install_and_uninstall_leave_nothing(sandbox: GitSandbox, lepton: Lepton, clean_environment: Path) -> None:
    before = (sandbox.folder / ".git" / "config").read_bytes()
    assert lepton("install", at=sandbox).code == 0
    assert "lepton" in (clean_environment / ".gitconfig").read_text()
    assert lepton("uninstall", at=sandbox).code == 0
    assert "lepton" not in (clean_environment / ".gitconfig").read_text() if (clean_environment / ".gitconfig").exists() else True
    assert before.startswith(b"[core]")


def test_pull_makes_git_know_the_filter_first(pushed: GitSandbox, lepton: Lepton, tmp_path: Path) -> None:
    clone = GitSandbox(tmp_path / "fresh")
    pushed.git("clone", "--quiet", str(tmp_path / "shared.git"), str(clone.folder))  # nobody ran `git lepton install`
    done = lepton("pull", at=clone)
    assert done.code == 0
    assert "git uses git-lepton in this repository" in done.err
    assert clone.git("status", "--porcelain") == ""
    assert "git uses git-lepton" not in lepton("pull", at=clone).err


def test_pull_takes_a_remote_and_nothing_else(pointers: GitSandbox, lepton: Lepton) -> None:
    assert lepton("pull", "orgin", at=pointers).code == 2
    assert lepton("pull", "main", at=pointers).code == 2
    assert lepton("pull", "origin", at=pointers).code == 0


def test_push_before_the_first_commit_has_nothing_to_send(tmp_path: Path, lepton: Lepton) -> None:
    sandbox = GitSandbox.create(tmp_path / "empty")
    sandbox.git("init", "--quiet", "--bare", str(tmp_path / "shared.git"))
    sandbox.git("remote", "add", "origin", str(tmp_path / "shared.git"))
    done = lepton("push", at=sandbox)
    assert (done.code, "nothing to send" in done.err) == (0, True)


def test_a_pattern_that_matches_nothing_is_pointed_out(sandbox: GitSandbox, lepton: Lepton) -> None:
    assert "no file here matches *.safetensor yet" in lepton("track", "*.safetensor", at=sandbox).err
    assert "yet" not in lepton("track", "*.txt", "models", at=sandbox).err
    assert "models/: no longer tracked" in lepton("untrack", "models/", at=sandbox).err


def test_a_pull_that_leaves_pointers_prints_one_json_value(sandbox: GitSandbox, lepton: Lepton) -> None:
    sandbox.commit("stray", {"stray.txt": sandbox.run("cat-file", "blob", "HEAD:one.bin").stdout})
    done = lepton("pull", "--json", at=sandbox)
    assert done.code == 4 and "stray.txt is a pointer that no .gitattributes covers" in done.err
    assert done.json["failed"] == {}
