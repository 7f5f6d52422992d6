"""Git directories and work trees that are named by relative paths, as git itself understands them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.git_sandbox import FILTER, GitSandbox

PROGRAMS = Path(sys.executable).parent
WEIGHTS = b"weights" * 1000


class Elsewhere:
    """`git --git-dir=bar --work-tree=foo`, in the folder that holds both."""

    def __init__(self, folder: Path, given: dict[str, str], *options: str, at: str = ".") -> None:
        self.folder, self.given, self.options = folder / at, given, options

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"} | self.given
        command = ["git", *self.options, *arguments]
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)

    def git(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(
    params=[
        ("options", {}, ("--git-dir=bar", "--work-tree=foo"), "."),
        ("variables", {"GIT_DIR": "bar", "GIT_WORK_TREE": "foo"}, (), "."),
        ("an index elsewhere", {"GIT_DIR": "bar", "GIT_WORK_TREE": "foo", "GIT_INDEX_FILE": "../index"}, (), "."),
        ("below the top", {"GIT_DIR": "../../bar", "GIT_WORK_TREE": "..", "GIT_INDEX_FILE": "../index"}, (), "foo/sub"),
    ],
    ids=lambda value: value[0],
)
def elsewhere(request: pytest.FixtureRequest, tmp_path: Path) -> Elsewhere:
    _, given, options, at = request.param
    (tmp_path / "foo/sub").mkdir(parents=True)
    (tmp_path / "foo/a.bin").write_bytes(WEIGHTS)
    (tmp_path / "foo/.gitattributes").write_text("*.bin filter=lepton diff=lepton merge=lepton -text\n")
    sandbox = GitSandbox(tmp_path)
    sandbox.git("--git-dir=bar", "--work-tree=foo", "init", "-q", "-b", "main")
    sandbox.git("--git-dir=bar", "config", "filter.lepton.process", FILTER)
    sandbox.git("--git-dir=bar", "config", "filter.lepton.required", "true")
    place = Elsewhere(tmp_path, given, *options, at=at)
    place.git("add", "-A", *([":/"] if at != "." else []))
    place.git("commit", "-qm", "one")
    return place


def test_every_command_finds_what_git_finds(elsewhere: Elsewhere, tmp_path: Path) -> None:
    assert elsewhere.git("cat-file", "-s", "HEAD:a.bin").strip() != str(len(WEIGHTS))
    assert "1 tracked file" in elsewhere.git("lepton", "status")
    assert "a.bin" in elsewhere.git("lepton", "ls-files")
    for command in ("fsck", "pull"):
        elsewhere.git("lepton", command)
    (tmp_path / "foo/a.bin").unlink()
    elsewhere.git("lepton", "checkout", "--force")
    assert (tmp_path / "foo/a.bin").read_bytes() == WEIGHTS
    assert elsewhere.git("status", "--porcelain", "-uno") == ""
    elsewhere.git("lepton", "track", "*.pt")
    placed = elsewhere.folder if elsewhere.folder != tmp_path else tmp_path / "foo"
    assert "*.pt" in (placed / ".gitattributes").read_text()
    assert not (tmp_path / ".gitattributes").exists()
    elsewhere.git("lepton", "untrack", "*.pt")


def test_a_hook_that_deploys_from_a_bare_repository(tmp_path: Path) -> None:
    bare, deployed = GitSandbox(tmp_path / "site.git"), tmp_path / "deployed"
    bare.folder.mkdir()
    deployed.mkdir()
    bare.git("init", "-q", "--bare", "-b", "main")
    bare.use_filter()
    hook = bare.folder / "hooks/post-receive"
    work_tree = f"git --work-tree={deployed}"
    hook.write_text(
        f"#!/bin/sh\nexport PATH={PROGRAMS}:$PATH\nGIT_LEPTON_SKIP_SMUDGE=1 {work_tree} checkout -q -f main\n"
        f"{work_tree} lepton pull; echo pull: $?\n{work_tree} lepton status; echo status: $?\n"
    )
    hook.chmod(0o755)
    sandbox = GitSandbox.create(tmp_path / "work")
    sandbox.commit(files={"a.bin": WEIGHTS})
    said = sandbox.stderr("push", str(bare.folder), "main")
    assert "pull: 0" in said
    assert "status: 0" in said
    assert (deployed / "a.bin").read_bytes() == WEIGHTS
