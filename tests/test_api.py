"""What other Python code imports."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from git_lepton.api import NoSuchFile, Repository
from git_lepton.errors import WeightsMissing
from git_lepton.format.pointer import NotAPointer
from tests.support.git_sandbox import GitSandbox

WEIGHTS = b"weights" * 10_000


@pytest.fixture
def sandbox(tmp_path: Path) -> GitSandbox:
    sandbox = GitSandbox.create(tmp_path / "repo")
    sandbox.commit("first", {"models/a.bin": WEIGHTS, "notes.txt": "text"})
    return sandbox


def test_pointers_of_a_version(sandbox: GitSandbox) -> None:
    with Repository(sandbox.folder) as repository:
        pointer = repository.pointer("HEAD", "models/a.bin")
        assert (pointer.oid.hex, pointer.size) == (hashlib.sha256(WEIGHTS).hexdigest(), len(WEIGHTS))
        assert repository.pointers("main") == {"models/a.bin": pointer}


def test_paths_of_equal_content_are_all_named(sandbox: GitSandbox) -> None:
    sandbox.commit("a copy", {"copies/b.bin": WEIGHTS})
    with Repository(sandbox.folder) as repository:
        assert repository.pointers().keys() == {"models/a.bin", "copies/b.bin"}
        assert repository.pointers("HEAD~1").keys() == {"models/a.bin"}


def test_what_is_no_pointer_is_said(sandbox: GitSandbox) -> None:
    with Repository(sandbox.folder) as repository:
        with pytest.raises(NoSuchFile):
            repository.pointer("HEAD", "nowhere.bin")
        with pytest.raises(NotAPointer):
            repository.pointer("HEAD", "notes.txt")


def test_fetch_brings_what_is_missing_once(sandbox: GitSandbox, tmp_path: Path) -> None:
    with Repository(sandbox.folder) as repository:
        assert repository.fetch() == 0
    sandbox.git("clone", "--quiet", str(sandbox.folder), str(tmp_path / "clone"))
    with Repository(tmp_path / "clone") as clone:
        assert clone.fetch("HEAD") > 0
        assert clone.fetch("HEAD") == 0


def test_a_file_is_restored_where_its_weights_are(sandbox: GitSandbox, tmp_path: Path) -> None:
    with Repository(sandbox.folder) as repository:
        pointer = repository.pointer("HEAD", "models/a.bin")
        repository.restore(pointer, tmp_path / "restored.bin")
    assert (tmp_path / "restored.bin").read_bytes() == WEIGHTS
    sandbox.git("clone", "--quiet", str(sandbox.folder), str(tmp_path / "clone"))
    with Repository(tmp_path / "clone") as clone, pytest.raises(WeightsMissing):
        clone.restore(pointer, tmp_path / "nowhere.bin")
    assert not (tmp_path / "nowhere.bin").exists()
