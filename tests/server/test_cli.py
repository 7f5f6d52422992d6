"""The program `lepton-server`: what it prints, what it refuses, what it leaves in the data folder."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import update

from git_lepton.format.coding.encoded import RELEASED
from git_lepton.wire.protocol import API
from lepton_server.backends import open_database
from lepton_server.coordination.file_lock import only_one
from lepton_server.database.tables import schema
from lepton_server.settings import ServerSettings
from tests.server.weights_client import WeightsClient, weights
from tests.support.running_server import RunningServer


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lepton_server.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("server")) as running:
        yield running


def test_the_first_start_makes_an_admin_whose_token_is_private(server: RunningServer) -> None:
    account = httpx.get(f"{server.url}{API}/account", headers={"Authorization": f"Bearer {server.admin_token}"})
    assert (account.json()["name"], account.json()["admin"], account.json()["expires"]) == ("admin", True, None)
    if os.name == "posix":
        for name in ("admin-token", "transfer-secret"):
            assert stat.S_IMODE((server.data / name).stat().st_mode) == 0o600
    database = (server.data / "lepton.sqlite").read_bytes() + (server.data / "lepton.sqlite-wal").read_bytes()
    assert server.admin_token.encode() not in database


def test_a_data_folder_that_others_can_read_is_not_taken_in_silence(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(0o755)
    with RunningServer(tmp_path) as server:
        assert "can be read by other accounts of this machine" in server.log.read_text()
        server.stop()
        server.log.write_text("")
        server.data.chmod(0o700)
        server.restart()
        assert server.log.read_text() == ""


def test_the_token_stays_the_same_after_a_restart(tmp_path: Path) -> None:
    with RunningServer(tmp_path) as first:
        token = first.admin_token
        first.restart()
        assert (first.data / "admin-token").read_text().strip() == token
        (first.data / "admin-token").unlink()
        first.restart()
        assert not (first.data / "admin-token").exists()  # who removed it keeps it elsewhere


def test_a_folder_is_served_once(server: RunningServer) -> None:
    done = run("serve", "--data", str(server.data), "--port", "0")
    assert done.returncode == 2
    assert done.stderr.startswith("lepton-server: another lepton-server serves")
    assert "hint: " in done.stderr


def test_a_taken_port(server: RunningServer, tmp_path: Path) -> None:
    done = run("serve", "--data", str(tmp_path), "--port", server.url.rpartition(":")[2])
    assert done.returncode == 5
    assert done.stderr.startswith("lepton-server: nobody can listen at 127.0.0.1:")


def test_several_workers_are_refused(tmp_path: Path) -> None:
    done = run("serve", "--data", str(tmp_path), "--workers", "2")
    assert (done.returncode, done.stdout) == (2, "")
    assert "one process" in done.stderr


def test_data_of_a_newer_server_are_refused(tmp_path: Path) -> None:
    database = open_database(ServerSettings(tmp_path))
    with database.write() as connection:
        connection.execute(update(schema).values(version=99, oldest=99))
    database.close()
    done = run("serve", "--data", str(tmp_path), "--port", "0")
    assert done.returncode == 2
    assert "schema version 99" in done.stderr
    assert "Traceback" not in done.stderr


def test_accounts_tokens_and_rights(server: RunningServer) -> None:
    data = ["--data", str(server.data)]
    assert run("user", "add", "carol", *data).stdout == ""
    assert run("user", "add", "Carol", *data).returncode == 2
    token = run("token", "create", "carol", *data).stdout
    assert token.endswith("\n")
    assert token.count("\n") == 1
    assert run("repo", "create", "team/base", "--external", *data).returncode == 0
    assert run("grant", "carol", "reader", "team/base", *data).returncode == 0
    assert run("grant", "carol", "writer", "team/base", *data).returncode == 0
    described = httpx.get(f"{server.url}{API}/repositories/team/base", headers={"Authorization": f"Bearer {token.strip()}"})
    assert described.json()["kind"] == "external"
    assert described.json()["role"] == "writer"


@pytest.mark.parametrize(
    "arguments",
    [
        ("token", "create", "nobody"),
        ("user", "add", "a/b"),
        ("grant", "nobody", "reader", "admin/x"),
        ("grant", "admin", "king", "admin/x"),
        ("grant", "admin", "reader", "admin/nothing"),
        ("repo", "create", "lonely"),
        ("repo", "create", "a/b.git"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(server: RunningServer, arguments: tuple[str, ...]) -> None:
    done = run(*arguments, "--data", str(server.data))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("lepton-server: ")
    assert "hint: " in done.stderr
    assert "Traceback" not in done.stderr


def test_accounts_are_made_only_where_a_server_is(tmp_path: Path) -> None:
    done = run("user", "add", "ada", "--data", str(tmp_path / "mistyped"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "no server keeps its data in" in done.stderr
    assert not (tmp_path / "mistyped").exists()


@pytest.mark.parametrize("arguments", [("serve", "--port", "65536"), ("token", "create", "admin", "--days", "-3")])
def test_numbers_that_cannot_be_are_refused(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = run(*arguments, "--data", str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


def test_revoked_tokens_are_refused_at_once(server: RunningServer) -> None:
    server.run("user", "add", "rob")
    kept, lost = server.run("token", "create", "rob", "--label", "kept"), server.run("token", "create", "rob", "--label", "lost")

    def status(token: str) -> int:
        return httpx.get(f"{server.url}{API}/account", headers={"Authorization": f"Bearer {token}"}).status_code

    assert (status(kept), status(lost)) == (200, 200)
    assert server.run("token", "revoke", "rob", "--label", "lost") == "1 revoked"
    assert (status(kept), status(lost)) == (200, 401)
    assert server.run("token", "revoke", "rob") == "1 revoked"
    assert status(kept) == 401
    assert run("token", "revoke", "nobody", "--data", str(server.data)).returncode == 2


def test_repack_of_an_empty_store(server: RunningServer) -> None:
    told = json.loads(server.run("repack", "--json"))
    assert (told["dry_run"], told["bytes_before"], told["dropped_chunks"], told["damaged"]) == (False, 0, 0, [])
    lines = server.run("repack", "--dry-run", "--grace", "15m").splitlines()
    assert lines[0] == "packs: 0 bytes, would be 0 bytes now"


def test_a_folder_is_repacked_by_one_at_a_time(server: RunningServer) -> None:
    with only_one(server.data / "care.lock", "repacks"):
        done = run("repack", "--data", str(server.data))
    assert done.returncode == 2
    assert done.stderr.startswith("lepton-server: another lepton-server repacks")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["repack", "--repository", "no/where"], "there is no repository 'no/where'"),
        (["repack", "--grace", "soon"], "argument --grace"),
        (["repack", "--grace", "-1s"], "argument --grace"),
        (["repo", "codecs", "no/where"], "there is no repository 'no/where'"),
        (["repo", "codecs", "admin/coded", "--allow", "0,1,2,250"], "there is no codec 250"),
        (["repo", "codecs", "admin/coded", "--allow", "0,1"], "cannot be taken from admin/coded"),
        (["repo", "codecs", "admin/coded", "--allow", "x"], "argument --allow"),
    ],
)
def test_what_cannot_be_done_is_said(server: RunningServer, arguments: list[str], words: str) -> None:
    server.run("repo", "create", "admin/coded")
    done = run(*arguments, "--data", str(server.data))
    assert done.returncode == 2
    assert words in done.stderr


def test_a_new_repository_allows_all_codecs(server: RunningServer) -> None:
    server.run("repo", "create", "admin/fresh")
    assert server.run("repo", "codecs", "admin/fresh") == ",".join(map(str, sorted(RELEASED)))


@pytest.mark.thorough
def test_damage_that_repack_meets_has_an_exit_code(tmp_path: Path) -> None:
    with RunningServer(tmp_path) as server, WeightsClient(server.url, server.admin_token, "admin/models") as client:
        for content in (b"one" * 400, b"two" * 400):
            client.upload(weights(content))
        for pack in (server.data / "packs").glob("t*/??/*"):
            pack.write_bytes(pack.read_bytes().replace(b"two", b"2wo", 1))
        done = run("repack", "--data", str(server.data), "--grace", "0")
    assert done.returncode == 7
    assert "damaged: the payload of chunk" in done.stdout
