"""Checks of versions: history, and the exit code of the worst finding."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from git_lepton.settings.models import names_unstaged_base
from git_lepton.workflow.upkeep.verify import Finding, Kind, Report, check
from git_lepton.workflow.usage.history import version_costs
from git_lepton.workspace import open_workspace
from tests.support.git_sandbox import GitSandbox


@pytest.mark.parametrize(
    ("kinds", "code"),
    [
        ([], 0),
        ([Kind.RAW], 1),
        ([Kind.ATTRIBUTES, Kind.MISSING], 4),
        ([Kind.MISSING, Kind.CORRUPT, Kind.RAW], 7),
        ([Kind.BAD_POINTER], 7),
    ],
)
def test_the_worst_finding_decides(kinds: list[Kind], code: int) -> None:
    assert Report(findings=[Finding(kind, "x", "y") for kind in kinds]).exit_code == code


def test_every_ref_is_looked_at_where_asked_for(tmp_path: Path) -> None:
    sandbox = GitSandbox.create(tmp_path / "repo")
    sandbox.commit("first", {"a.bin": b"first" * 1000})
    sandbox.commit("second", {"a.bin": b"second" * 1000})
    sandbox.git("switch", "--quiet", "-c", "side", "HEAD~1")
    sandbox.commit("third", {"b.bin": b"third" * 1000})
    with open_workspace(sandbox.folder) as workspace:
        head, everything = check(workspace), check(workspace, all_refs=True)
    assert (head.objects, everything.objects) == (2, 3)
    assert head.exit_code == everything.exit_code == 0


def test_one_damaged_chunk_costs_only_its_own_object(tmp_path: Path) -> None:
    sandbox = GitSandbox.create(tmp_path / "repo")
    sandbox.commit("first", {"a.bin": bytes(range(256)) * 300})
    (first,) = (sandbox.lepton / "packs").iterdir()
    sandbox.commit("second", {"b.bin": b"second" * 10_000})
    data = bytearray(first.read_bytes())
    data[8 + 88 + 3] ^= 0xFF  # in the payload of the first record
    first.chmod(0o644)
    first.write_bytes(data)
    with open_workspace(sandbox.folder) as workspace:
        report = check(workspace)
    assert report.exit_code == 7
    assert [finding.subject for finding in report.findings if finding.kind is Kind.MISSING] == ["a.bin"]
    assert report.restorable == 1


@pytest.mark.parametrize("left_out", ["blob:none", "tree:0", "blob:limit=2k"])
def test_a_partial_clone_is_looked_through_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left_out: str) -> None:
    monkeypatch.setenv("GIT_LEPTON_SKIP_SMUDGE", "1")
    sandbox = GitSandbox.create(tmp_path / "repo")
    sandbox.git("config", "uploadpack.allowFilter", "true")
    sandbox.git("config", "uploadpack.allowAnySHA1InWant", "true")
    for number in range(3):
        sandbox.commit(f"{number}", {"folder/a.bin": bytes([number]) * 5000})
    sandbox.git("clone", "--quiet", f"--filter={left_out}", sandbox.folder.as_uri(), str(tmp_path / "clone"))
    with open_workspace(tmp_path / "clone") as workspace:
        assert (check(workspace).objects, check(workspace).exit_code) == (1, 4)
    with open_workspace(tmp_path / "clone") as workspace:
        report = check(workspace, all_refs=True)
        assert (report.objects, report.restorable, report.exit_code) == (3, 0, 4)
        assert len(version_costs(workspace)) == 3


@pytest.mark.parametrize("left_out", ["blob:none", "tree:0"])
def test_a_partial_clone_that_cannot_be_completed_is_never_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left_out: str
) -> None:
    monkeypatch.setenv("GIT_LEPTON_SKIP_SMUDGE", "1")
    sandbox = GitSandbox.create(tmp_path / "repo")
    sandbox.git("config", "uploadpack.allowFilter", "true")
    sandbox.commit("first", {"a.bin": b"first" * 1000})
    sandbox.commit("second", {"a.bin": b"second" * 1000})
    sandbox.git("clone", "--quiet", "--no-checkout", f"--filter={left_out}", sandbox.folder.as_uri(), str(tmp_path / "clone"))
    sandbox.folder.rename(tmp_path / "away")
    with open_workspace(tmp_path / "clone") as workspace:
        for all_refs in (False, True):
            report = check(workspace, all_refs=all_refs, pointers_only=True)
            assert report.exit_code == 4
            assert "left out of this partial clone, and git could not bring them" in report.findings[0].message


def test_a_shallow_clone_says_what_it_did_not_look_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_LEPTON_SKIP_SMUDGE", "1")
    sandbox = GitSandbox.create(tmp_path / "repo")
    sandbox.commit("first", {"a.bin": b"first" * 1000})
    sandbox.commit("second", {"a.bin": b"second" * 1000})
    for name, options, unseen in (("shallow", ["--depth=1"], 1), ("bare", ["--bare"], 0)):
        sandbox.git("clone", "--quiet", *options, sandbox.folder.as_uri(), str(tmp_path / name))
        with open_workspace(tmp_path / name) as workspace:
            report = check(workspace, all_refs=True)
        assert (report.objects, report.exit_code, len(report.unseen)) == (2 - unseen, 4, unseen)


def test_what_a_sparse_checkout_leaves_out_is_no_problem_unless_all_is_asked_for(tmp_path: Path) -> None:
    sandbox = GitSandbox.create(tmp_path / "repo")
    sandbox.commit("first", {"a.bin": b"a" * 2000, "left/b.bin": b"b" * 2000})
    lepton = sandbox.folder / ".git" / "lepton"
    sandbox.git("sparse-checkout", "set", "--no-cone", "/*", "!/left/")
    for folder in ("packs", "manifests"):
        shutil.rmtree(lepton / folder, ignore_errors=True)
    with open_workspace(sandbox.folder) as workspace:
        head, everything = check(workspace), check(workspace, all_refs=True)
    assert [finding.subject for finding in head.findings] == ["a.bin"]
    assert (head.left_out, everything.left_out) == (1, 0)
    assert {finding.subject for finding in everything.findings} == {"a.bin", "left/b.bin"}


def test_a_base_that_is_not_staged_is_noticed(tmp_path: Path) -> None:
    sandbox = GitSandbox.create(tmp_path / "repo")
    sandbox.commit("first", {"a.bin": b"a" * 2000})
    with open_workspace(sandbox.folder) as workspace:
        assert not names_unstaged_base(workspace.git)
        sandbox.write("lepton.toml", '[model.m]\nfiles = ["*"]\nbase = "o/r@v1:m"\n')
        assert names_unstaged_base(workspace.git)
        sandbox.git("add", "lepton.toml")
        assert not names_unstaged_base(workspace.git)
