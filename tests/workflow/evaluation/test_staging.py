"""Folders of staged files: exactly those, links that stay inside, and nothing left of processes that died."""

from __future__ import annotations

from pathlib import Path

import pytest

from git_lepton.evidence.models import Model
from git_lepton.models.tensor_cache import TensorCache
from git_lepton.models.tree import index_tree
from git_lepton.models.version import ModelVersion, Versions
from git_lepton.workflow.evaluation.staging import UnsafeFile, staged
from git_lepton.workspace import Workspace, open_workspace
from tests.support.git_sandbox import GitSandbox


def version_in(workspace: Workspace) -> ModelVersion:
    versions = Versions(workspace.git, TensorCache(workspace.store, workspace.store.root))
    found = versions.version(index_tree(workspace.git), Model("m", ("model",)))
    assert found is not None
    return found


def test_files_modes_and_links(tmp_path: Path) -> None:
    sandbox = GitSandbox.create(tmp_path / "r")
    for name, content in {
        "model/a.bin": b"weights" * 1000,
        "model/sub/run.sh": b"#!/bin/sh\n",
        "model/config.json": b"{}",
    }.items():
        sandbox.write(name, content)
    sandbox.path("model/sub/run.sh").chmod(0o755)
    sandbox.path("model/sub/link").symlink_to("../config.json")
    sandbox.git("add", "--all")
    root = tmp_path / "staging"
    with open_workspace(sandbox.folder) as workspace:
        version = version_in(workspace)
        with staged(workspace.git, workspace.store, root, version.files, version.entries) as folder:
            assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()) == [
                "a.bin",
                "config.json",
                "sub/link",
                "sub/run.sh",
            ]
            assert (folder / "a.bin").read_bytes() == b"weights" * 1000
            assert (folder / "sub/link").read_bytes() == b"{}"
            assert (folder / "sub/run.sh").stat().st_mode & 0o100
            with staged(workspace.git, workspace.store, root, version.files, version.entries) as other:
                assert other != folder and folder.is_dir()
    assert list(root.iterdir()) == []


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "sub/../../outside", "sub/x/../../../outside"])
def test_a_link_that_may_lead_out_is_refused(tmp_path: Path, target: str) -> None:
    sandbox = GitSandbox.create(tmp_path / "r")
    sandbox.write("model/config.json", "{}")
    sandbox.path("model/link").symlink_to(target)
    sandbox.git("add", "--all")
    with open_workspace(sandbox.folder) as workspace:
        version = version_in(workspace)
        with (
            pytest.raises(UnsafeFile, match="may lead out"),
            staged(workspace.git, workspace.store, tmp_path / "staging", version.files, version.entries),
        ):
            pass
    assert list((tmp_path / "staging").iterdir()) == []


def test_what_a_killed_process_left_is_swept(tmp_path: Path) -> None:
    sandbox = GitSandbox.create(tmp_path / "r")
    sandbox.write("model/config.json", "{}")
    sandbox.git("add", "--all")
    root = tmp_path / "staging"
    (root / "1-dead").mkdir(parents=True)
    (root / "1-dead" / "weights").write_bytes(b"x")
    (root / "1-dead.lock").touch()
    with open_workspace(sandbox.folder) as workspace:
        version = version_in(workspace)
        with staged(workspace.git, workspace.store, root, version.files, version.entries) as path:
            assert path.name == "config.json"  # a model of one file is that file
            assert not (root / "1-dead").exists()
