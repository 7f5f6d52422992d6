"""Which weights a push brings, in real repositories; where they are is doubled."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from git_lepton.format.pointer import UnknownPointerVersion
from git_lepton.git.repository import GitRepository
from git_lepton.transfer.progress import SILENT
from git_lepton.workflow.push import PushLacksWeights, pointers_to_push, push_weights
from tests.support.git_sandbox import GitSandbox
from tests.support.weights_doubles import NamesOnly, Recorder, pointer

ATTRIBUTES = "*.bin filter=lepton diff=lepton merge=lepton -text\n"
ONE, TWO, THREE = pointer("1"), pointer("2"), pointer("3")


@pytest.fixture
def sandbox(tmp_path: Path) -> GitSandbox:
    sandbox = GitSandbox.create(tmp_path / "work", filter=None, track=None)
    sandbox.commit("one", **{".gitattributes": ATTRIBUTES, "one.bin": ONE.encode(), "readme": "hello"})
    return sandbox


@pytest.fixture
def git(sandbox: GitSandbox) -> GitRepository:
    return GitRepository(sandbox.folder)


def test_only_pointers_of_new_commits_each_once(sandbox: GitSandbox, git: GitRepository) -> None:
    first = sandbox.head()
    sandbox.commit("two", **{"deep/two.bin": TWO.encode(), "copy.bin": TWO.encode(), "raw": b"x" * 5000})
    sandbox.commit("gone", **{"deep/two.bin": THREE.encode()})
    assert {p for p, _ in pointers_to_push(git, ["main"], [])} == {ONE, TWO, THREE}
    found = dict(pointers_to_push(git, ["refs/heads/main"], [first, "0" * 39 + "1"]))
    assert found.keys() == {TWO, THREE}
    assert found[THREE] == "deep/two.bin"
    assert pointers_to_push(git, ["main"], ["main"]) == []


def test_pushing_tags_of_commits_and_of_blobs(sandbox: GitSandbox, git: GitRepository) -> None:
    sandbox.git("tag", "-a", "-m", "x", "v1")
    assert pointers_to_push(git, ["refs/tags/v1"], []) == [(ONE, "one.bin")]
    sandbox.git("tag", "readme", "HEAD:readme")
    with pytest.raises(PushLacksWeights):
        push_weights(git, NamesOnly(), Recorder(), [(ONE, "one.bin")], ["refs/tags/readme", "refs/tags/v1"], SILENT)


def test_damaged_pointers_are_the_server_s_business_and_newer_versions_are_refused(
    sandbox: GitSandbox, git: GitRepository
) -> None:
    sandbox.commit("damaged", **{"damaged.bin": b"version git-lepton/v1\noid sha256:x\n"})
    sandbox.commit("a fixture", **{"newer.txt": b"version git-lepton/v9\nanything\n"})
    assert pointers_to_push(git, ["main"], []) == [(ONE, "one.bin")]
    sandbox.commit("newer", **{"newer.bin": b"version git-lepton/v9\nsomething\n"})
    with pytest.raises(UnknownPointerVersion):
        pointers_to_push(git, ["main"], [])


def test_what_is_here_is_sent_and_nobody_is_asked(git: GitRepository) -> None:
    destination = Recorder()
    push_weights(git, NamesOnly(ONE), destination, [(ONE, "one.bin")], ["main"], SILENT)
    assert (destination.asked, destination.sent) == ([], [[ONE]])


def test_what_is_not_here_may_be_there(git: GitRepository) -> None:
    destination = Recorder(ONE)
    assert push_weights(git, NamesOnly(), destination, [(ONE, "one.bin")], ["main"], SILENT) is None
    assert (destination.asked, destination.sent) == ([[ONE]], [])


def test_what_is_nowhere_is_named_before_anything_is_sent(sandbox: GitSandbox, git: GitRepository) -> None:
    pointers = [pointer(digit) for digit in "23456789"]
    sandbox.commit("many", **{f"m{p.oid.hex[0]}.bin": p.encode() for p in pointers})
    destination = Recorder(pointers[0])
    wanted = pointers_to_push(git, ["main"], [])
    with pytest.raises(PushLacksWeights) as raised:
        push_weights(git, NamesOnly(ONE), destination, wanted, ["main"], SILENT)
    assert {p for p, _ in raised.value.missing} == set(pointers[1:])
    assert raised.value.exit_code == 4
    assert "and 2 more" in raised.value.message
    assert f"m3.bin ({pointers[1].oid})" in raised.value.message
    assert "\n" not in raised.value.message
    assert destination.sent == []


def test_a_fixture_that_looks_like_a_pointer_stops_nobody(sandbox: GitSandbox, git: GitRepository) -> None:
    sandbox.commit("fixture", **{"tests/pointer.txt": TWO.encode()})
    destination = Recorder()
    push_weights(git, NamesOnly(ONE), destination, pointers_to_push(git, ["main"], []), ["main"], SILENT)
    assert destination.sent == [[ONE]]


def test_attributes_are_those_of_the_pushed_commit(sandbox: GitSandbox, git: GitRepository) -> None:
    sandbox.git("switch", "-qc", "plain")
    sandbox.git("rm", "-q", ".gitattributes")
    sandbox.git("commit", "-qm", "no weights any more")
    with pytest.raises(PushLacksWeights):
        push_weights(git, NamesOnly(), Recorder(), [(ONE, "one.bin")], ["plain", "main"], SILENT)
    assert push_weights(git, NamesOnly(), Recorder(), [(ONE, "one.bin")], ["plain"], SILENT) is None


def test_two_versions_of_one_path_are_both_named(sandbox: GitSandbox, git: GitRepository) -> None:
    sandbox.commit("two", **{"one.bin": TWO.encode()})
    with pytest.raises(PushLacksWeights) as raised:
        push_weights(git, NamesOnly(), Recorder(), pointers_to_push(git, ["main"], []), ["main"], SILENT)
    assert {p for p, _ in raised.value.missing} == {ONE, TWO}


@pytest.mark.slow
def test_one_commit_among_100_000_files_is_found_fast(sandbox: GitSandbox, git: GitRepository) -> None:
    blob = sandbox.git("hash-object", "-w", "--stdin", stdin=b"text").strip()
    lines = "".join(f"100644 {blob}\tfolder{n // 500}/file{n}\n" for n in range(100_000))
    sandbox.git("update-index", "--add", "--index-info", stdin=lines.encode())
    sandbox.git("commit", "-qm", "many files")
    before = sandbox.head()
    sandbox.write("folder7/new.bin", TWO.encode())
    sandbox.git("update-index", "--add", "folder7/new.bin")
    sandbox.git("commit", "-qm", "one more")
    began = time.perf_counter()
    assert pointers_to_push(git, ["main"], [before]) == [(TWO, "folder7/new.bin")]
    assert time.perf_counter() - began < 0.5
