"""The chain of credentials, with real git and real helpers where they matter."""

from __future__ import annotations

import stat
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from git_lepton.errors import WrongUse
from git_lepton.transfer.http.credentials import Credential, CredentialChain, GitCredentials, RunGit

HOST = "https://models.example"


def recorder(calls: list[bytes]) -> RunGit:
    """A git that always knows a password, and remembers what it was told."""

    def run(arguments: list[str], text: bytes, environment: Mapping[str, str]) -> tuple[int, bytes]:
        calls.append(text)
        return 0, b"password=x\n"

    return run


def test_a_token_goes_to_the_host_it_is_for_and_to_no_other() -> None:
    chain = CredentialChain(token="t", token_host="Models.example")
    assert chain.ready(HOST) == chain.for_host(HOST + "/a/b") == Credential("token", "t")
    for url in (
        "https://models.example:8443",
        "https://evil.example",
        "https://models.example.evil.example",
        "http://models.example",
    ):
        assert chain.ready(url) is None
        assert chain.for_host(url) is None


def test_a_token_for_no_host_goes_nowhere() -> None:
    assert CredentialChain(token="t").for_host(HOST) is None


def test_no_credential_of_any_kind_goes_over_plain_http(tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine models.example login ada password pw")
    asked: list[bytes] = []
    git = GitCredentials(interactive=False, run=recorder(asked))
    chain = CredentialChain(
        token="t", token_host="models.example", password="p", username="u", git=git, netrc_file=tmp_path / "netrc"
    )
    assert chain.for_host("http://models.example") is None
    assert asked == []


def test_a_header_is_bearer_for_a_token_and_basic_with_a_name() -> None:
    assert Credential("token", "t").header == "Bearer t"
    assert Credential("git", "pw", "ada").header == "Basic YWRhOnB3"


def test_no_secret_is_printed() -> None:
    assert "s3cret" not in repr(Credential("git", "s3cret", "ada", b"password=s3cret"))


def test_each_source_is_tried_in_turn_and_what_was_rejected_not_again(tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine models.example login ada password net\ndefault login x password y\n")
    git = GitCredentials(interactive=False, run=lambda *_: (0, b"username=ada\npassword=git\n"))
    assert all_of(CredentialChain(git=git, netrc_file=tmp_path / "netrc")) == [("git", "git"), ("netrc", "net")]


def test_what_was_given_for_the_host_is_not_followed_by_what_was_kept(tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine models.example login ada password net\n")
    git = GitCredentials(interactive=False, run=lambda *_: (0, b"username=ada\npassword=git\n"))
    given = {"token_host": "models.example", "git": git, "netrc_file": tmp_path / "netrc"}
    assert all_of(CredentialChain(token="t", username="u", password="p", **given)) == [("token", "t"), ("address", "p")]
    assert all_of(CredentialChain(token="t", **given)) == [("token", "t")]


def all_of(chain: CredentialChain) -> list[tuple[str, str]]:
    """What the chain offers when everything is refused."""
    seen = []
    while found := chain.for_host(HOST):
        seen.append((found.source, found.secret))
        chain.reject(HOST, found)
    return seen


def test_netrc_gives_no_default_and_says_where_it_is_broken(tmp_path: Path) -> None:
    path = tmp_path / "netrc"
    path.write_text("default login x password y\n")
    assert CredentialChain(netrc_file=path).for_host(HOST) is None
    assert CredentialChain(netrc_file=tmp_path / "absent").for_host(HOST) is None
    path.write_text("machine models.example login ada passwort\n")
    with pytest.raises(WrongUse, match="netrc"):
        CredentialChain(netrc_file=path).for_host(HOST)


@pytest.mark.parametrize("text", ["machine models.example login ada password s3cret s3cret2\n", "s3cret\n", b"s3cret\xff\n"])
def test_a_broken_netrc_is_not_quoted(tmp_path: Path, text: str | bytes) -> None:
    path = tmp_path / "netrc"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(WrongUse, match="netrc cannot be read") as caught:
        CredentialChain(netrc_file=path).for_host(HOST)
    assert "s3cret" not in str(caught.value)


def test_white_space_at_the_ends_of_what_others_answer_is_no_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "netrc").write_bytes(b"machine models.example\r\nlogin ada\r\npassword net\r\n")
    git = GitCredentials(interactive=False, run=lambda *_: (0, b"username=ada\r\npassword=git \r\n\r\n"))
    assert all_of(CredentialChain(git=git, netrc_file=tmp_path / "netrc")) == [("git", "git"), ("netrc", "net")]
    assert all_of(CredentialChain(password="pw\n", token_host="models.example")) == [("address", "pw")]


# Real git


def helper(folder: Path, body: str) -> None:
    """Make this Python text git's credential helper; its argument is get, store or erase."""
    script = folder / "helper.py"
    script.write_text(f"#!{sys.executable}\nimport sys, pathlib\nhere = pathlib.Path(__file__).parent\n{body}")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    subprocess.run(["git", "config", "--global", "credential.helper", str(script)], check=True)


STORE = """
verb, said = sys.argv[-1], sys.stdin.read()
with (here / "log").open("a") as log: log.write(verb + "\\n" + said + "\\n")
if verb == "get": print("username=ada\\npassword=" + (here / "password").read_text())
"""


def test_git_fills_approves_and_rejects(tmp_path: Path) -> None:
    helper(tmp_path, STORE)
    (tmp_path / "password").write_text("pw=with=equals")
    chain = CredentialChain(git=GitCredentials(interactive=False))
    found = chain.for_host(f"{HOST}:8417/team/models")
    assert found is not None
    assert (found.username, found.secret) == ("ada", "pw=with=equals")
    chain.approve(found)
    chain.reject(f"{HOST}:8417", found)
    log = (tmp_path / "log").read_text()
    asked, stored, erased = log.split("\n\n")[:3]
    assert asked.startswith("get") and "host=models.example:8417" in asked
    assert stored.startswith("store") and "password=pw=with=equals" in stored
    assert erased.startswith("erase")


def test_git_that_knows_nothing_does_not_ask_where_nobody_can_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    for name in ("GIT_ASKPASS", "SSH_ASKPASS"):
        monkeypatch.setenv(name, f"touch {asked};")
    monkeypatch.setenv("GIT_TERMINAL_PROMPT", "1")
    assert CredentialChain(git=GitCredentials(interactive=False)).for_host(HOST) is None
    assert not asked.exists()


def test_a_helper_that_leaves_a_daemon_behind_does_not_hold_us(tmp_path: Path) -> None:
    helper(
        tmp_path,
        "import subprocess\n"
        "subprocess.Popen(['sleep', '60'], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)\n"  # keeps stderr open
        "print('username=ada\\npassword=pw')\n",
    )
    began = time.monotonic()
    assert CredentialChain(git=GitCredentials(interactive=False)).for_host(HOST) is not None
    assert time.monotonic() - began < 50


def test_a_host_with_a_line_break_is_never_handed_to_git() -> None:
    calls: list[bytes] = []
    git = GitCredentials(interactive=False, run=recorder(calls))
    assert git.fill("https://models.example/a%0ab") is not None
    assert git.fill(HOST, "ada\npassword=evil") is None
    assert len(calls) == 1
