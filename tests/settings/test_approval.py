"""What the user approved: their own words, kept in their own configuration; asked for once where somebody can answer."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from git_lepton.git.repository import GitRepository
from git_lepton.settings import Settings
from git_lepton.settings.addresses import BadStoreUrl, parse_store_address
from git_lepton.settings.approval import NotTrustedBefore, approve, disapprove, is_approved
from tests.support.git_sandbox import GitSandbox


@pytest.fixture
def git(tmp_path: Path) -> GitRepository:
    return GitRepository(GitSandbox.create(tmp_path / "repo", filter=None, track=None).folder)


def approved(git: GitRepository, address: str) -> bool:
    return is_approved(Settings(git), parse_store_address(address))


def test_hosts_are_kept_once_and_taken_back_one_by_one(git: GitRepository) -> None:
    for host in ("One.Example", "two.example:8417", "https://one.example/"):
        approve(git, Settings(git), host)
    assert Settings(git).trusted_hosts == ["one.example", "two.example:8417"]
    assert disapprove(git, Settings(git), "ONE.example") == "one.example"
    assert Settings(git).trusted_hosts == ["two.example:8417"]
    disapprove(git, Settings(git), "two.example:8417")
    assert Settings(git).trusted_hosts == []
    with pytest.raises(NotTrustedBefore):
        disapprove(git, Settings(git), "two.example:8417")


def test_one_store_is_one_store_and_a_host_is_all_of_them(git: GitRepository) -> None:
    for text in ("one.example/team/models", "lepton::https://one.example/team/models.git", "two.example:8417/x/a/b"):
        approve(git, Settings(git), text)
    assert Settings(git).trusted_stores == ["one.example/team/models", "two.example:8417/x/a/b"]
    assert approved(git, "https://one.example/team/models")
    assert approved(git, "https://two.example:8417/x/a/b")
    other = ("https://one.example/team/other", "http://one.example/team/models", "https://one.example/x/team/models")
    assert not any(approved(git, address) for address in (*other, "https://two.example:8417/a/b"))
    approve(git, Settings(git), "one.example")
    assert approved(git, "https://one.example/team/other")
    disapprove(git, Settings(git), "one.example")
    assert approved(git, "https://one.example/team/models")
    assert not approved(git, "https://one.example/team/other")


def test_an_approval_means_https_unless_it_says_http(git: GitRepository) -> None:
    for text in ("one.example", "two.example:8417/team/models"):
        approve(git, Settings(git), text)
    in_clear = ("http://one.example/a/b", "http://one.example:443/a/b", "http://one.example:8417/a/b")
    assert approved(git, "https://one.example:8417/a/b")
    assert not any(approved(git, address) for address in (*in_clear, "http://two.example:8417/team/models"))
    approve(git, Settings(git), "http://one.example:8417")
    approve(git, Settings(git), "http://two.example:8417/team/models")
    assert Settings(git).trusted_hosts == ["one.example", "http://one.example:8417"]
    assert Settings(git).trusted_stores == ["two.example:8417/team/models", "http://two.example:8417/team/models"]
    assert [approved(git, address) for address in in_clear] == [False, False, True]
    assert approved(git, "http://two.example:8417/team/models")
    disapprove(git, Settings(git), "one.example")
    assert not approved(git, "https://one.example:8417/a/b")
    assert approved(git, "http://one.example:8417/a/b")
    disapprove(git, Settings(git), "http://one.example:8417")
    disapprove(git, Settings(git), "http://two.example:8417/team/models")
    assert (Settings(git).trusted_hosts, Settings(git).trusted_stores) == ([], ["two.example:8417/team/models"])


def test_within_this_machine_an_approval_needs_no_scheme(git: GitRepository) -> None:
    approve(git, Settings(git), "http://127.0.0.1:8417")
    assert Settings(git).trusted_hosts == ["127.0.0.1:8417"]
    assert approved(git, "http://127.0.0.1:8417/a/b")
    assert not approved(git, "http://127.0.0.1:8418/a/b")


def test_the_name_of_a_store_among_hosts_means_that_store(git: GitRepository) -> None:
    git.add_config("lepton.trustedHost", "one.example/team/models", "global")
    assert approved(git, "https://one.example/team/models")
    assert not approved(git, "https://one.example/team/other")


def test_what_is_neither_host_nor_store_is_not_kept_and_no_password_is_shown(git: GitRepository) -> None:
    for text in (
        "",
        "a b",
        "host:port",
        "one.example/team",
        "https://me:s3cret@one.example/team",
        "https://me:s3cret/x@one.example/a/b",
    ):
        with pytest.raises(BadStoreUrl) as caught:
            approve(git, Settings(git), text)
        assert "s3cret" not in f"{caught.value} {caught.value.hint}"
    assert Settings(git).trusted_hosts == Settings(git).trusted_stores == []


def test_the_repositorys_own_config_counts_for_nothing(git: GitRepository) -> None:
    git.add_config("lepton.trustedHost", "evil.example", "local")
    git.add_config("lepton.trustedStore", "evil.example/a/b", "local")
    assert not approved(git, "https://evil.example/a/b")


ASK = """
import sys
from git_lepton.workspace import open_workspace
from git_lepton.settings.location import StoreNotTrusted
with open_workspace() as workspace:
    for _ in range(2):
        try:
            print(workspace.location("origin", push=True).repository)
        except StoreNotTrusted as error:
            print("refused:", error.hint)
"""


def at_a_terminal(folder: Path, answer: str, **environment: str) -> tuple[str, str]:
    """What ASK prints when somebody sits at its terminal, its standard input being a pipe as a hook's; and what the terminal
    shows."""
    keyboard, screen = pty.openpty()
    process = subprocess.Popen(
        # a session of its own, whose terminal is the first that it opens
        [sys.executable, "-c", f"import os; os.setsid(); os.close(os.open({os.ttyname(screen)!r}, os.O_RDWR))\n{ASK}"],
        cwd=folder,
        env={**os.environ, "GIT_TERMINAL_PROMPT": "1", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=screen,
    )
    os.write(keyboard, answer.encode())
    said = process.communicate(timeout=60)[0].decode()
    os.set_blocking(keyboard, False)
    try:
        shown = os.read(keyboard, 65536).decode()
    except BlockingIOError:
        shown = ""
    os.close(keyboard)
    os.close(screen)
    return said, shown


def test_who_can_answer_is_asked_once_and_a_yes_is_kept(tmp_path: Path) -> None:
    sandbox = GitSandbox.create(tmp_path / "repo", filter=None, track=None)
    sandbox.commit("a store", {"lepton.toml": '[store]\nurl = "https://one.example/they/drop"\n'})
    sandbox.git("remote", "add", "origin", "https://one.example/we/models.git")
    said, shown = at_a_terminal(sandbox.folder, "n\n")
    assert said == "refused: If that is right: git lepton trust one.example/they/drop\n" * 2
    assert shown.count("lepton.toml names one.example/they/drop as the store of weights. Use it, now and later?") == 1
    said, shown = at_a_terminal(sandbox.folder, "y\n", GIT_TERMINAL_PROMPT="0")
    assert "refused" in said
    assert "Use it" not in shown
    said, shown = at_a_terminal(sandbox.folder, "y\n")
    assert said == "they/drop\nthey/drop\n"
    assert shown.count("Use it") == 1
    assert Settings(GitRepository(sandbox.folder)).trusted_stores == ["one.example/they/drop"]
