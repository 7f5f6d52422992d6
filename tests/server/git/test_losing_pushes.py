"""Who pushes to what somebody else has moved meanwhile is told what git tells everywhere; the default branch stays where it is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.server.everybody import bearer
from tests.server.teams import Person, own_name, said
from tests.support.git_sandbox import GitSandbox
from tests.support.running_server import RunningServer


@pytest.fixture
def admin(server: RunningServer, http: httpx.Client, request: pytest.FixtureRequest) -> Person:
    return Person(http, "admin", server.admin_token, f"admin/{own_name(request)}")


@pytest.fixture
def work(admin: Person, tmp_path: Path) -> GitSandbox:
    made = GitSandbox.create(tmp_path / "work", filter=None, track=None)
    made.commit("first", {"readme.txt": "1"})
    made.git("push", "--quiet", admin.url, "main", "main:second")
    return made


def losing(admin: Person, work: GitSandbox, tmp_path: Path, *refspecs: str) -> str:
    """What a push is told when another one moves main between its first and its second request."""
    rival = admin.clone(tmp_path / "rival")
    rival.commit("of the rival", {"rival.txt": "1"})
    program = tmp_path / "hooks" / "pre-push"  # git runs it when it knows what the server has
    program.parent.mkdir()
    program.write_text(
        f"#!/bin/sh\nunset $(git rev-parse --local-env-vars)\ngit -C {rival.folder} push --quiet origin HEAD:main\n"
    )
    program.chmod(0o755)
    work.commit("of the loser", {"loser.txt": "1"})
    done = work.run("-c", f"core.hooksPath={program.parent}", "push", admin.url, *refspecs)
    assert done.returncode == 1
    return done.stderr.decode()


def test_a_losing_push_is_told_to_fetch_first(admin: Person, work: GitSandbox, tmp_path: Path) -> None:
    told = losing(admin, work, tmp_path, "main")
    assert "! [rejected]        main -> main (fetch first)" in told
    assert "Updates were rejected because the remote contains work" in told  # git's own advice
    assert "refs/heads/main was moved by somebody else meanwhile" in told


def test_the_other_refs_of_a_losing_push_land(admin: Person, work: GitSandbox, tmp_path: Path) -> None:
    told = losing(admin, work, tmp_path, "main", "main:second")
    assert "! [rejected]        main -> main (fetch first)" in told
    refs = work.git("ls-remote", admin.url)
    assert f"{work.head()}\trefs/heads/second" in refs and f"{work.head()}\trefs/heads/main" not in refs


def test_a_tag_that_somebody_else_made_meanwhile(admin: Person, work: GitSandbox, tmp_path: Path) -> None:
    work.git("tag", "v1")
    rival = admin.clone(tmp_path / "rival")
    rival.git("tag", "v1", rival.commit("other", {"x": "1"}))
    program = tmp_path / "hooks" / "pre-push"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nunset $(git rev-parse --local-env-vars)\ngit -C {rival.folder} push --quiet origin v1\n")
    program.chmod(0o755)
    done = work.run("-c", f"core.hooksPath={program.parent}", "push", admin.url, "v1")
    assert "! [rejected]        v1 -> v1 (already exists)" in done.stderr.decode()


def test_of_several_at_once_one_wins_and_the_others_are_told(admin: Person, work: GitSandbox, tmp_path: Path) -> None:
    people = [admin.clone(tmp_path / f"clone{number}") for number in range(4)]
    for number, one in enumerate(people):
        one.commit(f"of {number}", {f"{number}.txt": "1"})
    with ThreadPoolExecutor() as pool:
        done = list(pool.map(lambda one: one.run("push", "origin", "main"), people))
    assert sorted(one.returncode for one in done) == [0, 1, 1, 1]
    for one in done:
        assert one.returncode == 0 or "(fetch first)" in one.stderr.decode()


def test_the_default_branch_is_not_deleted(admin: Person, work: GitSandbox) -> None:
    told = work.run("push", admin.url, ":main").stderr.decode()
    assert "[remote rejected] main (it is the default branch)" in told
    assert "refs/heads/main is the default branch: a maintainer can choose another one" in told
    assert "denyDeleteCurrent" not in told
    both = work.run("push", admin.url, ":main", "main:third").stderr.decode()
    assert "denyDeleteCurrent" not in both and "(it is the default branch)" in both
    assert "refs/heads/third" in work.git("ls-remote", admin.url)


def test_another_default_branch(server: RunningServer, admin: Person, work: GitSandbox, tmp_path: Path) -> None:
    work.git("checkout", "--quiet", "-b", "next")
    work.commit("next", {"next.txt": "1"})
    work.git("push", "--quiet", admin.url, "next")
    changed = admin.ask("PUT", "default-branch", json={"branch": "next"})
    assert (changed.status_code, changed.json()["default_branch"]) == (200, "next")
    assert admin.clone(tmp_path / "clone").git("branch", "--show-current").strip() == "next"
    assert work.run("push", admin.url, ":main").returncode == 0
    assert said(admin.ask("PUT", "default-branch", json={"branch": "main"})) == (400, f"{admin.repository} has no branch 'main'.")
    assert admin.ask("PUT", "default-branch", json={"branch": "../x"}).status_code == 400
    external = f"{admin.repository}-external"
    client = bearer(server, server.admin_token)
    client.put(f"/api/v1/repositories/{external}", json={"kind": "external"})
    assert admin.at(external).ask("PUT", "default-branch", json={"branch": "main"}).status_code == 409


def test_a_deleted_branch_comes_back_by_the_audit_log(admin: Person, work: GitSandbox, tmp_path: Path) -> None:
    """As docs/operations.md says, from a clone that never had it."""
    work.git("checkout", "--quiet", "-b", "lost")
    commit = work.commit("of the lost branch", {"lost.txt": "1"})
    work.git("push", "--quiet", admin.url, "lost")
    work.git("push", "--quiet", admin.url, ":lost")
    fresh = admin.clone(tmp_path / "fresh")
    rows = admin.ask("GET", "audit", params={"action": "ref.move"}).json()["rows"]
    old = next(row["detail"]["old"] for row in reversed(rows) if row["subject"] == "refs/heads/lost")
    fresh.git("fetch", "--quiet", "origin", old)
    fresh.git("push", "--quiet", "origin", f"{old}:refs/heads/lost")
    assert old == commit and f"{commit}\trefs/heads/lost" in fresh.git("ls-remote", "origin")
