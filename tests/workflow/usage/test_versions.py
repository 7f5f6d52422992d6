"""What weights take."""

from __future__ import annotations

from pathlib import Path

from git_lepton.workflow.usage.versions import disk_usage
from git_lepton.workspace import open_workspace
from tests.support.git_sandbox import GitSandbox


def test_an_older_version_is_counted_by_what_it_holds(tmp_path: Path) -> None:
    sandbox = GitSandbox.create(tmp_path / "repo")
    sandbox.commit("first", {"a.bin": b"first" * 20_000})
    sandbox.commit("second", {"a.bin": b"second" * 20_000, "b.bin": b"first" * 20_000})
    with open_workspace(sandbox.folder) as workspace:
        now, before = disk_usage(workspace), disk_usage(workspace, "HEAD~1")
    assert [(path.path, path.bill.logical, path.bill.unique) for path in before.paths] == [("a.bin", 100_000, 100_000)]
    assert [(path.path, path.bill.logical) for path in now.paths] == [("a.bin", 120_000), ("b.bin", 100_000)]
    assert now.local == before.local > 0
    assert sum(path.bill.stored for path in now.paths) <= now.local
    assert now.objects == 2


def test_before_the_first_commit_there_is_nothing(tmp_path: Path) -> None:
    sandbox = GitSandbox.create(tmp_path / "repo")
    with open_workspace(sandbox.folder) as workspace:
        usage = disk_usage(workspace)
    assert (usage.local, usage.objects, usage.paths) == (0, 0, ())
