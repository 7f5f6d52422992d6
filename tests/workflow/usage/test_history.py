"""What versions add, and what would go with a branch."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from git_lepton.workflow.usage.history import branch_cost, version_costs
from git_lepton.workspace import open_workspace
from tests.support.git_sandbox import GitSandbox

ONE, TWO, THREE = (os.urandom(300_000) for _ in range(3))


@pytest.fixture
def sandbox(tmp_path: Path) -> GitSandbox:
    return GitSandbox.create(tmp_path / "repo")


def test_what_an_earlier_version_has_a_later_one_does_not_cost(sandbox: GitSandbox) -> None:
    sandbox.commit("first", {"a.bin": ONE})
    sandbox.commit("words only", {"notes.txt": "text"})
    sandbox.commit("second", {"a.bin": ONE + TWO, "dir/naïve\n name.bin": ONE})
    sandbox.commit("back again", {"a.bin": ONE})
    with open_workspace(sandbox.folder) as workspace:
        costs = version_costs(workspace)
    assert [cost.subject for cost in costs] == ["first", "second", "back again"]
    assert [cost.bill.logical for cost in costs] == [300_000, 900_000, 300_000]
    assert costs[0].bill.unique == 300_000
    assert 300_000 <= costs[1].bill.unique < 700_000  # cut by content: a piece at the old end may be cut anew
    assert costs[2].bill.unique == costs[2].bill.stored == 0
    assert costs[0].bill.stored >= 300_000
    assert not any(cost.bill.delta or cost.absent for cost in costs)


def test_a_merge_is_one_change_and_removals_cost_nothing(sandbox: GitSandbox) -> None:
    sandbox.commit("first", {"a.bin": ONE})
    sandbox.git("switch", "--quiet", "-c", "side")
    sandbox.commit("side one", {"b.bin": TWO})
    sandbox.commit("side two", {"b.bin": THREE})
    sandbox.git("switch", "--quiet", "main")
    sandbox.commit("words", {"notes.txt": "text"})
    sandbox.git("merge", "--quiet", "-m", "merged", "side")
    sandbox.git("rm", "--quiet", "a.bin")
    sandbox.git("commit", "--quiet", "-m", "without a")
    with open_workspace(sandbox.folder) as workspace:
        costs = version_costs(workspace)
    assert [(cost.subject, cost.bill.logical) for cost in costs] == [("first", 300_000), ("merged", 300_000)]


def test_what_only_a_branch_reaches_would_go_with_it(sandbox: GitSandbox) -> None:
    sandbox.commit("first", {"a.bin": ONE})
    sandbox.git("branch", "same")
    sandbox.git("switch", "--quiet", "-c", "side")
    sandbox.commit("side", {"b.bin": TWO, "c.bin": ONE})
    sandbox.git("tag", "kept")
    sandbox.commit("more", {"b.bin": THREE})
    with open_workspace(sandbox.folder) as workspace:
        side, same = branch_cost(workspace, "side"), branch_cost(workspace, "same")
    assert (same.objects, same.bill.stored) == (0, 0)
    assert (side.objects, side.bill.logical) == (1, 300_000)
    assert 300_000 <= side.bill.stored < 310_000


def test_weights_that_are_not_here_count_as_files_only(sandbox: GitSandbox, tmp_path: Path) -> None:
    sandbox.commit("first", {"a.bin": ONE})
    clone = sandbox.run("clone", "--quiet", "--no-checkout", ".", str(tmp_path / "clone"))
    assert clone.returncode == 0
    with open_workspace(tmp_path / "clone") as workspace:
        (cost,) = version_costs(workspace)
    assert (cost.absent, cost.bill.logical, cost.bill.unique) == (1, 300_000, 0)
