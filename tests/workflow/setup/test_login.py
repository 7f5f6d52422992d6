"""A token is checked with its server, then git keeps it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from git_lepton.errors import NotAllowed
from git_lepton.git.repository import GitRepository
from git_lepton.settings import Settings
from git_lepton.transfer.http.refusals import NotALeptonServer
from git_lepton.wire.messages import Account
from git_lepton.workflow.setup.login import TokenInTheClear, log_in, server_url
from tests.transfer.scripted_server import Answer, Request, ScriptedServer, error_answer, json_answer


def answer(request: Request) -> Answer:
    if request.path.endswith("/account") and request.headers.get("authorization") == "Bearer right":
        return json_answer(Account("ada", False))
    return error_answer(401, "unauthenticated")


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(answer) as running:
        yield running


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GitRepository:
    monkeypatch.chdir(tmp_path)
    return GitRepository()


def filled(url: str) -> str:
    done = subprocess.run(["git", "credential", "fill"], input=f"url={url}\n\n", capture_output=True, text=True, check=False)
    return done.stdout


def test_a_right_token_is_kept_by_git(server: ScriptedServer, git: GitRepository, clean_environment: Path) -> None:
    done = log_in(git, Settings(git), server.url.removeprefix("http://"), "right")
    assert (done.account.name, done.url, done.new_helper) == ("ada", server.url, "store")
    assert "username=ada\npassword=right\n" in filled(server.url)
    assert (clean_environment / ".git-credentials").stat().st_mode & 0o077 == 0
    again = log_in(git, Settings(git), server.url, "right")
    assert again.new_helper is None


def test_a_wrong_token_is_not_kept(server: ScriptedServer, git: GitRepository, clean_environment: Path) -> None:
    with pytest.raises(NotAllowed):
        log_in(git, Settings(git), server.url, "wrong")
    assert not (clean_environment / ".gitconfig").exists()
    assert "password" not in filled(server.url)


def test_a_server_cannot_make_git_keep_anything_for_another_host(git: GitRepository, clean_environment: Path) -> None:
    name = "ada\nhost=other.example\npassword=theirs"
    with (
        ScriptedServer(lambda _: json_answer(Account(name, False))) as hostile,
        pytest.raises(NotALeptonServer, match="a name that none can have"),
    ):
        log_in(git, Settings(git), hostile.url, "right")
    assert not (clean_environment / ".git-credentials").exists() and not (clean_environment / ".gitconfig").exists()


def test_a_token_never_travels_in_the_clear(git: GitRepository) -> None:
    with pytest.raises(TokenInTheClear):
        log_in(git, Settings(git), "http://store.example", "right")


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("store.example", "https://store.example"),
        ("127.0.0.1:8417", "http://127.0.0.1:8417"),
        ("localhost", "http://localhost"),
        ("https://store.example:8443/a/b", "https://store.example:8443"),
        ("lepton::https://store.example/a/b", "https://store.example"),
    ],
)
def test_a_host_is_https_but_on_this_machine(host: str, url: str) -> None:
    assert server_url(host) == url
