"""GIT_LEPTON_TOKEN on its way through git: to whom it goes, what is said where it was no help, and that nothing shows it."""

from __future__ import annotations

import base64
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.git_sandbox import GitSandbox
from tests.transfer.scripted_server import Answer, Request, ScriptedServer, error_answer

TOKEN = "lpt_the-persons-own-token"
TRACES = (
    "GIT_TRACE",
    "GIT_TRACE_CURL",
    "GIT_CURL_VERBOSE",
    "GIT_TRACE_SETUP",
    "GIT_TRACE2",
    "GIT_TRACE2_EVENT",
    "GIT_TRACE_PACKET",
)


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    """A host that wants to be logged in to and takes nobody; git knows our helper."""
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    with ScriptedServer(_refuse) as server:
        yield server


def _refuse(_: Request) -> Answer:
    refused = error_answer(401, "unauthenticated")
    return Answer(401, refused.body, {"WWW-Authenticate": 'Basic realm="lepton"'})


def forms(token: str) -> set[str]:
    """What a header or a log may hold of a token."""
    return {token, *(base64.b64encode(f"{user}:{token}".encode()).decode().rstrip("=") for user in ("x-token", "token"))}


def got_token(server: ScriptedServer) -> bool:
    told = "".join(request.headers.get("authorization", "") for request in server.requests)
    return any(form in told for form in forms(TOKEN))


@pytest.fixture
def hostile(tmp_path: Path, listener: ScriptedServer) -> GitSandbox:
    """A repository whose tree names a submodule on the listener, in a git that is set up as it is documented."""
    whole = GitSandbox.create(tmp_path / "hostile", filter=None, track=None)
    whole.git("config", "--global", "protocol.lepton.allow", "always")
    whole.write(".gitmodules", f'[submodule "s"]\n\tpath = s\n\turl = lepton::{listener.url}/evil/repo\n')
    whole.git("add", ".gitmodules")
    whole.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},s")
    whole.git("commit", "--quiet", "-m", "a submodule")
    return whole


@pytest.mark.parametrize("layout", ["ordinary", "bare", "separate", "recursive"])
def test_it_never_goes_where_only_a_tree_says(hostile: GitSandbox, listener: ScriptedServer, tmp_path: Path, layout: str) -> None:
    here = GitSandbox(tmp_path, {"GIT_LEPTON_TOKEN": TOKEN})
    update = ("submodule", "update", "--init")
    if layout == "recursive":
        done = here.run("clone", "--quiet", "--recurse-submodules", "--separate-git-dir=kept", str(hostile.folder), "tree")
    elif layout == "bare":
        here.git("clone", "--quiet", "--bare", str(hostile.folder), "bare.git")
        here.git("-C", "bare.git", "worktree", "add", "--quiet", str(tmp_path / "tree"), "main")
        done = here.run("-C", "tree", *update)
    else:
        options = ("--separate-git-dir=kept",) if layout == "separate" else ()
        here.git("clone", "--quiet", *options, str(hostile.folder), "tree")
        done = here.run("-C", "tree", *update)
    said = done.stderr.decode()
    assert listener.requests or listener.greetings
    assert not got_token(listener)
    host = listener.url.removeprefix("http://")
    assert f"GIT_LEPTON_TOKEN was not sent to {host}" in said
    assert f"GIT_LEPTON_HOST={host}" in said
    here.run("-C", "tree", *update, environment={"GIT_LEPTON_HOST": host})
    assert got_token(listener)  # that is the user's word


@pytest.mark.parametrize("command", [("clone", "--quiet"), ("ls-remote",)])
def test_one_that_is_refused_is_said_and_not_asked_for(
    listener: ScriptedServer, tmp_path: Path, command: tuple[str, ...], clean_environment: Path
) -> None:
    kept = "".join(f"http://ada:kept@{host}\n" for host in (listener.url.removeprefix("http://").replace(":", "%3a"),))
    (clean_environment / ".git-credentials").write_text(kept)
    here = GitSandbox(tmp_path, {"GIT_LEPTON_TOKEN": TOKEN})
    here.git("config", "--global", "credential.helper", "store")
    done = here.run(*command, f"lepton::{listener.url}/team/models")
    said = done.stderr.decode()
    assert done.returncode == 128
    assert "did not accept your token\nhint: Correct GIT_LEPTON_TOKEN" in said
    assert "could not read" not in said
    assert (clean_environment / ".git-credentials").read_text() == kept  # it was not that one
    assert got_token(listener)


def test_no_trace_shows_it(listener: ScriptedServer, tmp_path: Path) -> None:
    here = GitSandbox(tmp_path, {"GIT_LEPTON_TOKEN": TOKEN, **dict.fromkeys(TRACES, "1")})
    done = here.run("clone", f"lepton::{listener.url}/team/models", "clone")
    said = (done.stdout + done.stderr).decode()
    assert "did not accept your token" in said
    assert "authorization" in said.lower()  # git shows that there is one
    assert not [form for form in forms(TOKEN) if form in said]


@pytest.mark.parametrize("token", [f"{TOKEN}\n{TOKEN}", f"{TOKEN} x", f"{TOKEN}\x1b[0m", f"{TOKEN}é"])
def test_what_is_no_token_is_refused_before_anything_is_sent(listener: ScriptedServer, tmp_path: Path, token: str) -> None:
    done = GitSandbox(tmp_path, {"GIT_LEPTON_TOKEN": token}).run("clone", f"lepton::{listener.url}/team/models", "clone")
    said = done.stderr.decode()
    assert "GIT_LEPTON_TOKEN holds white space or characters that no token has" in said
    assert TOKEN not in said
    assert not listener.requests
