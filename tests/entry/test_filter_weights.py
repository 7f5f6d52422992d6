"""What the filter does when the store can't be reached, lacks something, or this machine is full."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from git_lepton.entry.filter_weights import Weights
from git_lepton.errors import LeptonError, NetworkTrouble, NotAllowed, WeightsMissing, WrongUse
from git_lepton.format.identifiers import ObjectId
from git_lepton.format.pointer import Pointer
from git_lepton.git.repository import GitRepository
from git_lepton.store.chunk_store import ManifestMissing, StoreFull
from git_lepton.store.local_store import LocalStore
from git_lepton.workspace import Workspace
from tests.support.git_sandbox import GitSandbox

ABSENT = Pointer(ObjectId(bytes(32)), 5)


class Failing:
    """A workspace with a real local store whose remote only fails."""

    def __init__(self, folder: Path, error: LeptonError) -> None:
        self.git = GitRepository(folder)
        self.store = LocalStore(folder / ".git/lepton")
        self.settings = SimpleNamespace(smudge_limit=1000, codecs=None, skip_smudge=False)
        self.error, self.commit = error, "HEAD"
        self.asked = 0

    def fetch(self, pointers: Sequence[Pointer], progress: object, announce: object = None) -> None:
        self.asked += 1
        raise self.error

    def somewhere(self, pointers: Sequence[Pointer]) -> set[ObjectId]:
        self.asked += 1
        raise self.error

    def close(self) -> None:
        self.store.close()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield GitSandbox.create(tmp_path / "repository", filter=None).folder


def opened(folder: Path, error: LeptonError) -> tuple[Weights, Failing]:
    workspace = Failing(folder, error)
    return Weights(lambda: cast(Workspace, workspace)), workspace


def fails(pointer: Pointer, weights: Weights) -> LeptonError:
    with pytest.raises(LeptonError) as raised:
        weights.write(pointer, lambda data: None)
    return raised.value


def test_a_process_that_met_no_weights_opens_nothing() -> None:
    def never() -> Workspace:
        raise AssertionError("opened")

    assert Weights(never).finish() == 0


@pytest.mark.parametrize("kind", [NetworkTrouble, NotAllowed, WrongUse])
def test_a_store_out_of_reach_is_asked_once_and_said_once(
    folder: Path, kind: type[LeptonError], capsys: pytest.CaptureFixture[str]
) -> None:
    weights, workspace = opened(folder, kind("the store is not to be had", "Wait."))
    weights.write_after_git("large.bin", ABSENT)
    weights.write_after_git("larger.bin", ABSENT)
    weights.bring([ABSENT])
    assert fails(ABSENT, weights) is workspace.error
    assert weights.may_stay_pointer("small.bin", workspace.error)
    assert workspace.asked == 1
    assert weights.finish() == kind.exit_code
    said = "git-lepton: 3 files left as pointers: the store is not to be had\nhint: Wait.\nhint: bring the weights later: git lepton pull\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("error", [ManifestMissing(ABSENT.oid), StoreFull("the disk is full", "Make room.")])
def test_what_a_store_lacks_or_a_full_disk_is_an_error_of_the_file(folder: Path, error: LeptonError) -> None:
    weights, _ = opened(folder, error)
    weights.bring([ABSENT])
    assert fails(ABSENT, weights) is error
    assert not weights.may_stay_pointer("a.bin", error)
    with pytest.raises(type(error)):
        weights.write_after_git("a.bin", ABSENT)
    assert weights.finish() == 0


def test_a_promise_that_breaks_is_said_once_for_all_its_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights, workspace = opened(folder, NetworkTrouble("the line broke"))
    workspace.somewhere = lambda pointers: {ABSENT.oid}  # type: ignore[method-assign]
    for name in ("a.bin", "b.bin"):
        (folder / name).write_bytes(ABSENT.encode())
        weights.write_after_git(name, ABSENT)
    assert weights.finish() == NetworkTrouble.exit_code
    said = capsys.readouterr().err
    assert said.startswith("git-lepton: 2 files left as pointers (a.bin, b.bin): the line broke\nhint: ")
    assert "git lepton pull" in said
    assert (folder / "a.bin").read_bytes() == ABSENT.encode()


def test_large_is_what_the_setting_says(folder: Path) -> None:
    weights, _ = opened(folder, WeightsMissing("never asked"))
    assert not weights.is_large(Pointer(ABSENT.oid, 1000))
    assert weights.is_large(Pointer(ABSENT.oid, 1001))
