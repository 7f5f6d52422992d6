"""Checks of versions: history, and the exit code of the worst finding."""

from __future__ import annotations

from pathlib import Path

import pytest

from git_lepton.workflow.verify import Finding, Kind, Report, check
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
