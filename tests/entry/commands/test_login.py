"""login: what a person who types a token, or mistypes one, is told."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from git_lepton.entry.commands import login
from git_lepton.settings import Settings
from git_lepton.wire.messages import Account
from git_lepton.workflow.setup.login import LoggedIn
from tests.entry.commands.conftest import Lepton
from tests.transfer.scripted_server import Answer, Request, ScriptedServer, error_answer


def _refuse(request: Request) -> Answer:
    return error_answer(401, "unauthenticated")


def test_a_wrong_token_is_not_answered_with_the_same_command(
    tmp_path: Path, lepton: Lepton, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Settings, "interactive", property(lambda _: True))
    monkeypatch.setattr(login, "getpass", lambda _: "wrong")
    with ScriptedServer(_refuse) as server:
        done = lepton("login", server.url, at=tmp_path)
    assert done.code == 6
    assert "did not accept your token" in done.err
    assert "lepton-server token create" in done.err
    assert "git lepton login" not in done.err


def test_no_answer_is_no_token(tmp_path: Path, lepton: Lepton, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(_: str) -> str:
        raise EOFError

    monkeypatch.setattr(Settings, "interactive", property(lambda _: True))
    monkeypatch.setattr(login, "getpass", nobody)
    done = lepton("login", "127.0.0.1:1", at=tmp_path)
    assert (done.code, "that is no token" in done.err) == (2, True)


@pytest.mark.parametrize("line", [b" lpt_right\r\n", b"\xef\xbb\xbflpt_right\n", b"lpt_right"])
def test_a_token_on_standard_input_is_one_word(
    tmp_path: Path, lepton: Lepton, monkeypatch: pytest.MonkeyPatch, line: bytes
) -> None:
    tokens: list[str] = []

    def log_in(_git: object, _settings: object, host: str, token: str) -> LoggedIn:
        tokens.append(token)
        return LoggedIn(Account("ada", False), host, None)

    monkeypatch.setattr(login, "log_in", log_in)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(line)))
    assert lepton("login", "store.example", "--token-stdin", at=tmp_path).code == 0
    assert tokens == ["lpt_right"]


@pytest.mark.parametrize("line", [b"", b"\n", b"lpt_s3cret lpt_two\n", b"lpt_s3cret\x1b[0m\n", b"lpt_s3cret\xff\n"])
def test_what_is_no_token_is_not_quoted(tmp_path: Path, lepton: Lepton, monkeypatch: pytest.MonkeyPatch, line: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(line)))
    done = lepton("login", "store.example", "--token-stdin", at=tmp_path)
    assert (done.code, "that is no token" in done.err, "s3cret" in done.err) == (2, True, False)


@pytest.mark.parametrize(
    ("account", "said"),
    [
        ({}, ""),
        ({"scopes": ["admin", "evidence", "read", "write"]}, ""),
        ({"scopes": ["evidence", "read"]}, "this token is for read, evidence\n"),
        ({"scopes": ["read"], "repositories": ["ada/m"], "expires": 0}, "this token is for read, sees only ada/m, ends 19"),
        ({"repositories": []}, "this token sees no repository\n"),
    ],
)
def test_what_the_token_may_not_do(
    tmp_path: Path, lepton: Lepton, monkeypatch: pytest.MonkeyPatch, account: dict[str, object], said: str
) -> None:
    found = Account(**{"name": "ada", "admin": False} | account)  # type: ignore[arg-type]
    done = LoggedIn(found, "https://store.example", None)
    monkeypatch.setattr(Settings, "interactive", property(lambda _: True))
    monkeypatch.setattr(login, "getpass", lambda _: "right")
    monkeypatch.setattr(login, "log_in", lambda *_: done)
    told = lepton("login", "store.example", at=tmp_path).err
    assert "logged in to https://store.example as ada" in told
    assert ("this token" in told) == bool(said)
    assert said in told
