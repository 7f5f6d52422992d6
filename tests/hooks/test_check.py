"""A check written against the interface runs on real versions; what hooks import is the public API and the errors."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from git_lepton.api import Repository
from git_lepton.errors import CorruptData, WeightsMissing
from lepton_hooks.check import Check, CheckedFile, Finding, Outcome, findings
from tests.support.git_sandbox import GitSandbox

HOOKS = Path(__file__).parents[2] / "hooks" / "lepton_hooks"
GOOD = b"weights" * 10_000
BAD = b"\0" * 70_000


class NotAllZero:
    """A toy: a .bin file holds something else than zeros."""

    name = "not-all-zero"

    def wants(self, path: str) -> bool:
        return True

    def look(self, file: CheckedFile) -> Finding:
        if file.content.suffix != ".bin":
            return Finding(Outcome.SKIPPED, f"{file.path} is not a .bin file")
        assert file.content.stat().st_size == file.pointer.size
        if any(file.content.read_bytes()):
            return Finding(Outcome.PASSED, f"{file.path} holds weights")
        return Finding(Outcome.FAILED, f"{file.path} holds nothing but zeros")


@pytest.fixture
def sandbox(tmp_path: Path) -> GitSandbox:
    sandbox = GitSandbox.create(tmp_path / "repo")
    (sandbox.folder / ".gitattributes").write_text("*.bin filter=lepton\n*.pt filter=lepton\n")
    sandbox.commit("first", {"models/a.bin": GOOD, "models/b.bin": BAD, "models/c.pt": GOOD, "notes.txt": "text"})
    return sandbox


def test_a_check_answers_for_every_weight_file_of_the_version(sandbox: GitSandbox) -> None:
    check: Check = NotAllZero()
    sandbox.commit("mended", {"models/b.bin": GOOD})
    with Repository(sandbox.folder) as repository:
        before = dict(findings(check, repository, "HEAD~1"))
        after = dict(findings(check, repository))
    assert before == {
        "models/a.bin": Finding(Outcome.PASSED, "models/a.bin holds weights"),
        "models/b.bin": Finding(Outcome.FAILED, "models/b.bin holds nothing but zeros"),
        "models/c.pt": Finding(Outcome.SKIPPED, "models/c.pt is not a .bin file"),
    }
    assert after["models/b.bin"].outcome == "passed"


def test_nothing_of_the_copies_stays(sandbox: GitSandbox) -> None:
    seen: list[Path] = []

    class Remembers:
        name = "remembers"

        def wants(self, path: str) -> bool:
            return True

        def look(self, file: CheckedFile) -> Finding:
            seen.append(file.content)
            raise CorruptData("no model", "Train one.")

    with Repository(sandbox.folder) as repository, pytest.raises(CorruptData, match="no model"):
        list(findings(Remembers(), repository))
    assert [path.parent.exists() for path in seen] == [False]


def test_weights_that_are_elsewhere_are_no_passed_check(sandbox: GitSandbox, tmp_path: Path) -> None:
    sandbox.git("clone", "--quiet", str(sandbox.folder), str(tmp_path / "clone"))
    with Repository(tmp_path / "clone") as clone:
        with pytest.raises(WeightsMissing):
            list(findings(NotAllZero(), clone))
        clone.fetch()
        assert {finding.outcome for _, finding in findings(NotAllZero(), clone)} == set(Outcome)


def test_hooks_import_nothing_of_ours_but_the_public_api_and_the_errors() -> None:
    imported = set()
    for path in HOOKS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {name.name for name in node.names}
            elif isinstance(node, ast.ImportFrom):
                modules = (
                    [f"{node.module}.{name.name}" for name in node.names] if node.module == "git_lepton" else [node.module or "."]
                )
                imported |= set(modules)
    ours = {name for name in imported if name.split(".")[0] in {"git_lepton", "lepton_server"}}
    assert "git_lepton.api" in ours
    assert ours <= {"git_lepton.api", "git_lepton.errors"}
