"""Staging: a folder has exactly the files of a version, gives nobody a way out of it, and is gone afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from git_lepton.evidence.identity import VersionFile
from git_lepton.evidence.models import Model
from git_lepton.git.blob_content import BlobMissing
from git_lepton.models.tree import TreeFile
from git_lepton.models.version import ModelVersion
from git_lepton.workflow.checkout.smudge import CannotWriteFile
from git_lepton.workflow.download.safe_paths import UnsafePath
from git_lepton.workflow.evaluation.staging import UnsafeFile, own_folder, staged
from tests.models.repository_with_model import reading, weights
from tests.support.git_sandbox import GitSandbox

LARGE = bytes(range(256)) * 10_000


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = GitSandbox.create(tmp_path_factory.mktemp("template"), track="*.safetensors")
    made.commit(
        "first", {"model/deep/a.safetensors": weights("x", size=3_000_000), "model/run.sh": "#!", "model/large.txt": LARGE}
    )
    return made.folder


@pytest.fixture
def sandbox(template: Path, tmp_path: Path) -> GitSandbox:
    shutil.copytree(template, tmp_path / "repository", symlinks=True)
    return GitSandbox(tmp_path / "repository")


def contents(folder: Path) -> dict[str, bytes | str]:
    return {
        path.relative_to(folder).as_posix(): f"-> {path.readlink()}" if path.is_symlink() else path.read_bytes()
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def stage(sandbox: GitSandbox, root: Path, *globs: str) -> dict[str, bytes | str] | bytes:
    """What is in the folder with the files that are staged at `globs`; of one file its content."""
    with reading(sandbox) as found:
        version = found.version(model=Model("m", globs or ("model",)))
        store = found.store._store
        with staged(found.git, store, root, version.files, version.entries) as place:
            assert place.is_relative_to(root)
            return contents(place) if place.is_dir() else place.read_bytes()


def test_a_folder_has_exactly_the_staged_files_and_is_gone_afterwards(sandbox: GitSandbox, tmp_path: Path) -> None:
    root = tmp_path / "staging"
    sandbox.write("model/untracked.txt", "no")
    sandbox.write("model/deep/a.safetensors", b"not staged")
    sandbox.path("model/link").symlink_to("deep/a.safetensors")
    sandbox.path("model/deep/up").symlink_to("../run.sh")
    sandbox.git("add", "model/link", "model/deep/up")
    sandbox.git("update-index", "--chmod=+x", "model/run.sh")
    assert stage(sandbox, root) == {
        "deep/a.safetensors": weights("x", size=3_000_000),
        "deep/up": "-> ../run.sh",
        "link": "-> deep/a.safetensors",
        "run.sh": b"#!",
        "large.txt": LARGE,
    }
    assert stage(sandbox, root, "model/deep/a.safetensors") == weights("x", size=3_000_000)
    assert not list(root.iterdir())
    assert sandbox.read("model/deep/a.safetensors") == b"not staged"


def test_a_program_that_writes_there_changes_nothing_of_ours(sandbox: GitSandbox, tmp_path: Path) -> None:
    sandbox.git("update-index", "--chmod=+x", "model/run.sh", "model/deep/a.safetensors")
    with reading(sandbox) as found:
        version = found.version(model=Model("m", ("model",)))
        with staged(found.git, found.store._store, tmp_path / "staging", version.files, version.entries) as place:
            assert os.access(place / "run.sh", os.X_OK)
            assert os.access(place / "deep/a.safetensors", os.X_OK)
            for path in contents(place):
                (place / path).write_bytes(b"spoiled")
    assert stage(sandbox, tmp_path / "staging", "model/deep/a.safetensors") == weights("x", size=3_000_000)
    assert sandbox.read("model/large.txt") == LARGE


def test_a_link_that_may_lead_out_is_refused(sandbox: GitSandbox, tmp_path: Path) -> None:
    for target in ("/etc/passwd", "../x", "../../x", "deep/../../x", "deep/../run.sh", "", "a\0b"):
        blob = sandbox.git("hash-object", "-w", "--stdin", stdin=target.encode()).strip()
        sandbox.git("update-index", "--add", "--cacheinfo", f"120000,{blob},model/link")
        with pytest.raises(UnsafeFile, match="model/link is a link"):
            stage(sandbox, tmp_path / "staging", "model/link", "model/run.sh")
        assert not list((tmp_path / "staging").iterdir())


def test_paths_that_only_a_hostile_tree_has_are_refused(sandbox: GitSandbox, tmp_path: Path) -> None:
    up = sandbox.git("hash-object", "-w", "--stdin", stdin=b".").strip()
    text = TreeFile("100644", sandbox.git("rev-parse", ":model/run.sh").strip())
    link = TreeFile("120000", up)
    for entries in (
        {"model/../../x": text, "model/a": text},
        {"model/l": link, "model/l/x": text, "model/m": text},
        {"model/.git/hooks/x": text, "model/m": text},
        {"model//x": text, "model/m": text},
    ):
        with reading(sandbox) as found:
            files = found.versions._files(found.tree(), entries)
            version = ModelVersion("m", files, entries, "", 0, None)
            with (
                pytest.raises(UnsafePath),
                staged(found.git, found.store._store, tmp_path / "staging", version.files, version.entries),
            ):
                raise AssertionError("staged")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["repository", "staging", "staging.lock"]
    assert not list((tmp_path / "staging").iterdir())


def test_what_cannot_be_read_or_written_is_said(sandbox: GitSandbox, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWriteFile):
        stage(sandbox, tmp_path / "file")
    entries = {"model/a": TreeFile("100644", "0" * 39 + "1"), "model/b": TreeFile("100644", "0" * 39 + "1")}
    with reading(sandbox) as found:
        files = tuple(VersionFile(path, entry.blob) for path, entry in entries.items())
        with pytest.raises(BlobMissing), staged(found.git, found.store._store, tmp_path / "staging", files, entries):
            raise AssertionError("staged")
    assert not list((tmp_path / "staging").iterdir())


HOLDER = """
import sys, time
from pathlib import Path
from git_lepton.workflow.evaluation.interruption import tidy_when_told_to_end
from git_lepton.workflow.evaluation.staging import own_folder
with tidy_when_told_to_end(), own_folder(Path(sys.argv[1])) as folder:
    (folder / "weights").write_bytes(b"w")
    print(folder, flush=True)
    time.sleep(60)
"""


@contextlib.contextmanager
def holder(root: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A process that uses a folder, and the folder."""
    words = [sys.executable, "-c", HOLDER, str(root)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        yield process, Path(os.fsdecode(process.stdout.readline()).strip())
        process.kill()


@pytest.mark.skipif(os.name == "nt", reason="no such signals")
def test_what_a_killed_process_left_is_swept_and_what_is_used_is_not(tmp_path: Path) -> None:
    root = tmp_path / "staging"
    with holder(root) as (killed, left), holder(root) as (terminated, tidy):
        terminated.send_signal(signal.SIGTERM)
        terminated.wait()
        assert (tidy.exists(), left.exists()) == (False, True)
        with own_folder(root) as other:
            assert (left / "weights").exists()
            killed.kill()
            killed.wait()
            with own_folder(root) as third:
                assert (third.is_dir(), other.is_dir(), left.exists()) == (True, True, False)
    assert not list(root.iterdir())


def test_a_folder_without_a_lock_beside_it_is_swept_too(tmp_path: Path) -> None:
    (tmp_path / "staging" / "old").mkdir(parents=True)
    with own_folder(tmp_path / "staging") as folder:
        assert sorted(path.suffix for path in (tmp_path / "staging").iterdir()) == sorted(["", ".lock"])
        assert folder.is_dir()
