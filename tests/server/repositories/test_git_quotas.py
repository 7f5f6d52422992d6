"""git's own objects count in quotas and bills, as weights do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lepton_server.admin import usage
from lepton_server.git.disk_usage import stored_bytes
from tests.support.git_sandbox import GitSandbox
from tests.support.running_server import RunningServer

MIB = 1024 * 1024


@pytest.fixture
def work(server: RunningServer, tmp_path: Path, request: pytest.FixtureRequest) -> GitSandbox:
    made = GitSandbox.create(tmp_path / "work", filter=None, track=None)
    made.git(
        "remote", "add", "origin", f"{server.url.replace('://', f'://admin:{server.admin_token}@')}/{repository(request)}.git"
    )
    made.commit("first", **{"a.txt": "hello\n"})
    made.git("push", "--quiet", "origin", "main", "main:other")
    return made


def repository(request: pytest.FixtureRequest) -> str:
    return f"admin/{request.node.name.replace('_', '-')}"


def test_a_push_whose_ordinary_files_are_beyond_the_quota_is_refused(
    server: RunningServer, work: GitSandbox, request: pytest.FixtureRequest
) -> None:
    usage.set_quota(server.settings, MIB, repository(request), None)
    before = work.head()
    work.path("large.dat").write_bytes(os.urandom(2 * MIB))
    work.git("add", ".")
    work.git("commit", "--quiet", "-m", "large")
    said = work.stderr("push", "origin", "main")
    assert f"{repository(request)} may store 1.0 MiB" in said
    assert "git's own objects of this push take 2.0 MiB more" in said
    assert before in work.git("ls-remote", "origin", "refs/heads/main")
    work.git("push", "--quiet", "origin", ":other")  # what frees room is taken
    usage.set_quota(server.settings, 4 * MIB, repository(request), None)
    work.git("push", "--quiet", "origin", "main")
    found = usage.quota(server.settings, repository(request), None)
    assert 2 * MIB < (found.used or 0) < 3 * MIB
    work.path("larger.dat").write_bytes(os.urandom(2 * MIB))
    work.git("add", ".")
    work.git("commit", "--quiet", "-m", "larger")
    assert "may store 4.0 MiB and holds 2.0 MiB" in work.stderr("push", "origin", "main")


def test_the_bill_has_gits_bytes(server: RunningServer, work: GitSandbox, request: pytest.FixtureRequest) -> None:
    (line,) = usage.usage(server.settings, None, None, repository(request)).repositories
    directory = server.settings.git_root / f"{repository(request)}.git"
    assert line.git == stored_bytes(directory) > 0
    (directory / "objects" / "tmp_objdir-incoming-x").mkdir()
    (directory / "objects" / "tmp_objdir-incoming-x" / "pack").write_bytes(b"of a push that has not landed")
    assert stored_bytes(directory) == line.git
    assert work.head()
