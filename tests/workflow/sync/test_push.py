"""Which weights a push brings, in real repositories; where they are is doubled."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from git_lepton.errors import LeptonError, NetworkTrouble, WeightsMissing
from git_lepton.format.pointer import Pointer, UnknownPointerVersion
from git_lepton.git.repository import GitRepository
from git_lepton.settings.location import NoStore
from git_lepton.transfer.progress import SILENT
from git_lepton.workflow.sync.push import PushLacksWeights, base_sources, pointers_to_push, push_weights
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
        push_weights(NamesOnly(), Recorder(), [(ONE, "one.bin")], SILENT)


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
    push_weights(NamesOnly(ONE), destination, [(ONE, "one.bin")], SILENT)
    assert (destination.asked, destination.sent) == ([], [[ONE]])


def test_bases_are_what_the_destinations_refs_reach_newest_first(sandbox: GitSandbox, git: GitRepository) -> None:
    """And neither what was reset away nor what is staged."""
    sandbox.commit("two", **{"one.bin": TWO.encode(), "raw": b"x" * 5000})
    there = sandbox.head()
    sandbox.commit("dropped", **{"one.bin": THREE.encode()})
    sandbox.git("reset", "-q", "--hard", there)
    destination = Recorder()
    sources = base_sources(git, store := NamesOnly(ONE), [there, "0" * 39 + "1"], ["team/base"])
    push_weights(store, destination, [(ONE, "one.bin")], SILENT, sources)
    assert destination.sources is not None
    assert list(destination.sources.reached) == [TWO.oid, ONE.oid]
    assert (destination.sources.elsewhere, destination.sources.allowed) == ({}, ["team/base"])


def test_what_is_not_here_may_be_there(git: GitRepository) -> None:
    destination = Recorder(ONE)
    assert push_weights(NamesOnly(), destination, [(ONE, "one.bin")], SILENT) is None
    assert (destination.asked, destination.sent) == ([[ONE]], [])


def test_what_is_nowhere_is_named_before_anything_is_sent(sandbox: GitSandbox, git: GitRepository) -> None:
    pointers = [pointer(digit) for digit in "23456789"]
    sandbox.commit("many", **{f"m{p.oid.hex[0]}.bin": p.encode() for p in pointers})
    destination = Recorder(pointers[0])
    wanted = pointers_to_push(git, ["main"], [])
    with pytest.raises(PushLacksWeights) as raised:
        push_weights(NamesOnly(ONE), destination, wanted, SILENT)
    assert {p for p, _ in raised.value.missing} == set(pointers[1:])
    assert raised.value.exit_code == 4
    assert "and 2 more" in raised.value.message
    assert f"m3.bin ({pointers[1].oid})" in raised.value.message
    assert "\n" not in raised.value.message
    assert destination.sent == []


def test_what_is_neither_here_nor_there_is_brought_from_elsewhere() -> None:
    store, destination, asked = NamesOnly(ONE), Recorder(TWO), list[Pointer]()

    def elsewhere(pointers: Sequence[Pointer]) -> None:
        asked.extend(pointers)
        store.here |= {pointer.oid for pointer in pointers}

    push_weights(store, destination, [(ONE, "one"), (TWO, "two"), (THREE, "three")], SILENT, elsewhere=elsewhere)
    assert asked == [THREE]
    assert destination.sent == [[ONE, THREE]]


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (WeightsMissing("they all lack it"), "Run `git lepton push` where they are"),
        (NoStore("there is no other"), "If another server has them: git remote add NAME"),
        (
            NetworkTrouble("old.example is down"),
            "could not be asked: old.example is down. If they are there: git lepton fetch --all",
        ),
    ],
)
def test_what_helps_is_said_where_they_are_not_to_be_had(error: LeptonError, hint: str) -> None:
    def elsewhere(_: Sequence[Pointer]) -> None:
        raise error

    destination = Recorder()
    with pytest.raises(PushLacksWeights, match="neither on this machine nor in the store: one") as raised:
        push_weights(NamesOnly(), destination, [(ONE, "one")], SILENT, elsewhere=elsewhere)
    assert hint in raised.value.hint
    assert destination.sent == []


@pytest.mark.parametrize("attributes", ["", "*.txt -filter\n", "\ufeff*.txt filter=lepton\n"])
def test_a_pointer_is_one_at_any_path(sandbox: GitSandbox, git: GitRepository, attributes: str) -> None:
    """Another work tree may read the attributes otherwise: weights that are nowhere stop the push all the same."""
    sandbox.commit("no weights?", **{"tests/.gitattributes": attributes, "tests/pointer.txt": TWO.encode()})
    destination = Recorder()
    with pytest.raises(PushLacksWeights, match=r"tests/pointer\.txt"):
        push_weights(NamesOnly(ONE), destination, pointers_to_push(git, ["main"], []), SILENT)
    assert destination.sent == []


def test_two_versions_of_one_path_are_both_named(sandbox: GitSandbox, git: GitRepository) -> None:
    sandbox.commit("two", **{"one.bin": TWO.encode()})
    with pytest.raises(PushLacksWeights) as raised:
        push_weights(NamesOnly(), Recorder(), pointers_to_push(git, ["main"], []), SILENT)
    assert {p for p, _ in raised.value.missing} == {ONE, TWO}


def cpu_seconds() -> float:
    """What this process and those that it waited for have worked: other than the clock, it does not tell how busy the machine is."""
    return sum(os.times()[:4])


@pytest.mark.thorough
def test_one_commit_among_100_000_files_is_found_fast(sandbox: GitSandbox, git: GitRepository) -> None:
    blob = sandbox.git("hash-object", "-w", "--stdin", stdin=b"text").strip()
    lines = "".join(f"100644 {blob}\tfolder{n // 500}/file{n}\n" for n in range(100_000))
    sandbox.git("update-index", "--add", "--index-info", stdin=lines.encode())
    sandbox.git("commit", "-qm", "many files")
    before = sandbox.head()
    sandbox.write("folder7/new.bin", TWO.encode())
    sandbox.git("update-index", "--add", "folder7/new.bin")
    sandbox.git("commit", "-qm", "one more")
    began = cpu_seconds()
    assert pointers_to_push(git, ["main"], [before]) == [(TWO, "folder7/new.bin")]
    assert cpu_seconds() - began < 0.5
