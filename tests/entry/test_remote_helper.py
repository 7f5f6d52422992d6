"""The real helper between real git and a real smart HTTP server; only the travel of weights is doubled."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from git_lepton.entry.remote_helper import NotServedHere, git_address
from tests.support.git_http_server import GitHttpServer
from tests.support.git_sandbox import GitSandbox

POINTER = f"version git-lepton/v1\noid sha256:{'a' * 64}\nsize 5\n"
OTHER_POINTER = POINTER.replace("a" * 64, "b" * 64)
ATTRIBUTES = "*.bin filter=lepton diff=lepton merge=lepton -text\n"


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Puts on PATH a git-remote-lepton whose uploads are lines in the file returned; if LEPTON_TEST_FAILURE is set, they fail."""
    log, programs = tmp_path / "uploads", tmp_path / "programs"
    programs.mkdir()
    program = programs / "git-remote-lepton"
    program.write_text(
        f"#!{sys.executable} -P\n"
        + textwrap.dedent(f"""
        import json, os, sys, types
        from git_lepton.errors import NetworkTrouble
        def push_hosted(git, url, wanted, tips, known, *, show_progress, quiet):
            if failure := os.environ.get("LEPTON_TEST_FAILURE"):
                raise NetworkTrouble(failure, "Try again later.")
            with open({str(log)!r}, "a") as file:
                file.write(json.dumps([url, [path for _, path in wanted], list(tips)]) + "\\n")
        sys.modules["git_lepton.entry.hosted_push"] = types.SimpleNamespace(push_hosted=push_hosted)
        from git_lepton.entry.remote_helper import main
        sys.exit(main())
        """)
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    return log


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitHttpServer]:
    with GitHttpServer(tmp_path / "served") as running:
        yield running


def uploads(log: Path) -> list[list]:
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def repository(folder: Path, remote: str | None = None, name: str = "work") -> GitSandbox:
    """One commit with one pointer, committed without any filter."""
    sandbox = GitSandbox.create(folder / name, filter=None, track=None)
    sandbox.commit("one", **{".gitattributes": ATTRIBUTES, "model.bin": POINTER, "readme": "hello"})
    if remote:
        sandbox.git("remote", "add", "origin", remote)
    return sandbox


@pytest.fixture
def work(tmp_path: Path, helper: Path, server: GitHttpServer) -> GitSandbox:
    server.create("ada/models", receive__advertisePushOptions="true")
    return repository(tmp_path, f"lepton::{server.url}/ada/models")


def outside(folder: Path, *arguments: str, **environment: str) -> str:
    """What git prints in a folder without a repository."""
    return subprocess.run(
        ["git", *arguments], cwd=folder, env=os.environ | environment, check=True, capture_output=True, text=True
    ).stdout


def tip(server: GitHttpServer, ref: str = "refs/heads/main") -> str:
    done = subprocess.run(
        ["git", "-C", server.root / "ada/models.git", "rev-parse", "-q", "--verify", ref],
        check=False,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def test_push_sends_weights_first_and_clone_gets_all(
    work: GitSandbox, helper: Path, server: GitHttpServer, tmp_path: Path
) -> None:
    work.git("push", "-q", "origin", "main")
    url = f"{server.url}/ada/models"
    assert uploads(helper) == [[url, ["model.bin"], ["refs/heads/main"]]]
    assert tip(server) == work.head()
    work.git("-c", "filter.lepton.process=", "clone", "-q", f"lepton::{url}", str(tmp_path / "clone"), GIT_LEPTON_SKIP_SMUDGE="1")
    clone = GitSandbox(tmp_path / "clone")
    assert clone.head() == work.head()
    assert "git-lepton" not in clone.run("config", "--local", "filter.lepton.process").stdout.decode()  # one was configured by -c


def test_clone_sets_up_the_filter_before_the_checkout(work: GitSandbox, server: GitHttpServer, tmp_path: Path) -> None:
    work.git("push", "-q", "origin", "main")
    done = work.run("clone", "-q", "--no-checkout", f"lepton::{server.url}/ada/models", str(tmp_path / "clone"))
    assert done.returncode == 0, done.stderr
    clone = GitSandbox(tmp_path / "clone")
    assert "filter-process" in clone.git("config", "--local", "filter.lepton.process")
    assert clone.git("config", "--local", "filter.lepton.required") == "true\n"
    assert not (tmp_path / "clone/.git/hooks/pre-push").exists()


def test_only_what_the_remote_lacks_is_looked_at(work: GitSandbox, helper: Path) -> None:
    work.git("push", "-q", "origin", "main")
    work.commit("two", **{"other.bin": OTHER_POINTER})
    work.git("push", "-q", "origin", "main", "main:refs/heads/also")
    assert uploads(helper)[1:] == [[uploads(helper)[0][0], ["other.bin"], ["refs/heads/main", "refs/heads/main"]]]
    work.commit("three", readme="bye")
    work.git("push", "-q", "origin", "main")
    work.git("push", "-q", "origin", ":also")
    assert len(uploads(helper)) == 2  # no pointer, nothing to send; a deletion sends nothing


def test_commits_that_only_the_remote_has_do_not_make_all_new(
    work: GitSandbox, helper: Path, server: GitHttpServer, tmp_path: Path
) -> None:
    work.git("push", "-q", "origin", "main")
    other = GitSandbox(tmp_path / "other")
    work.git("clone", "-q", "--no-checkout", f"lepton::{server.url}/ada/models", str(other.folder))
    other.git("read-tree", "HEAD")
    other.git("commit", "-q", "--allow-empty", "-m", "theirs")
    other.git("push", "-q", "origin", "main")
    work.git("switch", "-qc", "side")
    work.commit("mine", readme="mine")
    work.git("push", "-q", "origin", "side")
    assert len(uploads(helper)) == 1


def test_a_failed_upload_refuses_each_ref_and_moves_none(
    work: GitSandbox, server: GitHttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEPTON_TEST_FAILURE", "the store is\nnot reachable")
    work.git("branch", "side")
    done = work.run("push", "origin", "main", "side")
    said = done.stderr.decode()
    assert done.returncode == 1
    assert "git-remote-lepton: the store is\\nnot reachable\n" in said
    assert "! [remote rejected] main -> main (lepton: its weights were not sent)" in said
    assert "! [remote rejected] side -> side (lepton: its weights were not sent)" in said
    assert said.count("not reachable") == 1
    assert "hint: Try again later." in said
    assert "Traceback" not in said
    assert (tip(server), tip(server, "refs/heads/side")) == ("", "")


def test_dry_run_uploads_nothing(work: GitSandbox, helper: Path, server: GitHttpServer) -> None:
    assert "new branch" in work.stderr("push", "--dry-run", "origin", "main")
    assert uploads(helper) == []
    assert tip(server) == ""


def test_force_with_lease_atomic_and_push_options(work: GitSandbox, server: GitHttpServer) -> None:
    hook = server.root / "ada/models.git/hooks/pre-receive"
    hook.write_text('#!/bin/sh\necho "option $GIT_PUSH_OPTION_0"\n')
    hook.chmod(0o755)
    first = work.head()
    assert "option fast" in work.stderr("push", "-o", "fast", "origin", "main")
    work.git("commit", "-q", "--amend", "-m", "changed")
    assert work.run("push", "-q", "--force-with-lease=main:" + "1" * 40, "origin", "main").returncode == 1
    assert tip(server) == first
    work.git("push", "-q", f"--force-with-lease=main:{first}", "origin", "main")
    assert tip(server) == work.head()
    work.git("reset", "-q", "--hard", first)
    work.git("branch", "fresh")
    assert work.run("push", "-q", "--atomic", "origin", "main", "fresh").returncode == 1  # main is no fast-forward
    assert tip(server, "refs/heads/fresh") == ""


@pytest.mark.parametrize("version", ["0", "2"])
def test_shallow_partial_and_later_fetches(work: GitSandbox, server: GitHttpServer, tmp_path: Path, version: str) -> None:
    for number in range(3):
        work.commit(str(number), readme=str(number))
    work.git("push", "-q", "origin", "main")
    clone = GitSandbox(tmp_path / "clone")
    options = ("-c", f"protocol.version={version}")
    work.git(
        *options,
        "clone",
        "-q",
        "--no-checkout",
        "--depth=1",
        "--filter=blob:none",
        f"lepton::{server.url}/ada/models",
        str(clone.folder),
    )
    assert clone.git("rev-list", "--count", "HEAD") == "1\n"
    assert "missing" not in clone.git("cat-file", "--batch-check", stdin=f"{work.git('rev-parse', 'HEAD:readme')}".encode())
    work.commit("more", readme="more")
    work.git("push", "-q", "origin", "main")
    clone.git(*options, "fetch", "-q", "--unshallow")
    assert clone.git("rev-list", "--count", "origin/main") == "5\n"


def test_many_bytes_pass_unchanged(work: GitSandbox, server: GitHttpServer, tmp_path: Path) -> None:
    data = os.urandom(6_000_000)
    work.commit("much", noise=data)
    work.git("push", "-q", "origin", "main")
    work.git("clone", "-q", "--no-checkout", f"lepton::{server.url}/ada/models", str(tmp_path / "clone"))
    assert GitSandbox(tmp_path / "clone").blob("noise") == data


def test_ls_remote_needs_no_repository_and_writes_no_configuration(
    work: GitSandbox, server: GitHttpServer, tmp_path: Path
) -> None:
    work.git("push", "-q", "origin", "main")
    url = f"lepton::{server.url}/ada/models"
    assert work.head() in outside(tmp_path, "ls-remote", url)
    fresh = GitSandbox.create(tmp_path / "fresh", filter=None, track=None)
    assert work.head() in fresh.git("ls-remote", url)
    assert fresh.run("config", "filter.lepton.process").returncode == 1
    fresh.git("fetch", "-q", url, "main")
    assert fresh.git("rev-parse", "FETCH_HEAD").strip() == work.head()


def test_the_child_s_failure_is_git_s_failure(work: GitSandbox, server: GitHttpServer) -> None:
    done = work.run("fetch", f"lepton::{server.url}/ada/absent")
    assert done.returncode == 128
    assert "not found" in done.stderr.decode()


class TestToken:
    """GIT_LEPTON_TOKEN reaches git's own helper where it may go, and nowhere else."""

    @pytest.fixture
    def server(self, tmp_path: Path) -> Iterator[GitHttpServer]:
        with GitHttpServer(tmp_path / "served", token="s3cret") as running:
            yield running

    def test_it_opens_the_door(self, work: GitSandbox, server: GitHttpServer, tmp_path: Path) -> None:
        work.git("push", "-q", "origin", "main", GIT_LEPTON_TOKEN="s3cret")
        assert tip(server) == work.head()
        url = f"lepton::{server.url}/ada/models"
        work.git("clone", "-q", "--no-checkout", url, str(tmp_path / "clone"), GIT_LEPTON_TOKEN="s3cret")
        assert work.head() in outside(tmp_path, "ls-remote", url, GIT_LEPTON_TOKEN="s3cret")

    def test_it_goes_only_to_the_host_it_is_for(self, work: GitSandbox, server: GitHttpServer) -> None:
        done = work.run("fetch", "origin", environment={"GIT_LEPTON_TOKEN": "s3cret", "GIT_LEPTON_HOST": "lepton.example.org"})
        assert done.returncode != 0
        assert server.authorizations == []

    def test_it_does_not_go_to_a_submodule_s_host(self, work: GitSandbox, server: GitHttpServer, tmp_path: Path) -> None:
        outer = repository(tmp_path, name="outer")
        url = f"lepton::{server.url}/ada/models"
        allowed = ("-c", "protocol.lepton.allow=always")
        assert outer.run(*allowed, "submodule", "add", url, "part", environment={"GIT_LEPTON_TOKEN": "s3cret"}).returncode != 0
        assert server.authorizations == []

    def test_settings_that_came_by_environment_stay(self, work: GitSandbox, server: GitHttpServer, tmp_path: Path) -> None:
        extra = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "http.userAgent", "GIT_CONFIG_VALUE_0": "tests"}
        work.git("push", "-q", "origin", "main", GIT_LEPTON_TOKEN="s3cret", **extra)
        assert tip(server) == work.head()


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://host/ada/models", "https://host/ada/models.git"),
        ("http://127.0.0.1:8417/ada/models.git", "http://127.0.0.1:8417/ada/models.git"),
        ("https://ada:pw@host/ada/models/", "https://ada:pw@host/ada/models.git"),
    ],
)
def test_where_git_is_served(url: str, address: str) -> None:
    assert git_address(url) == address


@pytest.mark.parametrize(
    "url", ["ssh://host/ada/models", "/srv/models", "git@host:ada/models", "file:///srv/m", "lepton://host/a/b"]
)
def test_other_transports_are_told_what_to_do(url: str, work: GitSandbox) -> None:
    with pytest.raises(NotServedHere):
        git_address(url)
    said = work.stderr("fetch", f"lepton::{url}")
    assert "git-remote-lepton: lepton:: goes before an http or https address" in said
    assert "lepton.url" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("url", ["https://host", "https://host/", "https://host/models", "https:///ada/models"])
def test_an_address_without_repository_is_refused(url: str) -> None:
    with pytest.raises(NotServedHere, match="names no repository"):
        git_address(url)


def test_what_it_loads_before_something_must_travel() -> None:
    heavy = "{'numpy', 'urllib3', 'asyncio', 'zstandard', 'blake3', 'xxhash', 'concurrent.futures', 'ssl', 'http'}"
    code = f"import sys, git_lepton.entry.remote_helper; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_sending_weights_loads_nothing_that_codes_them() -> None:
    code = "import sys, git_lepton.entry.hosted_push, git_lepton.store.compaction; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT to a group")
def test_interrupt_ends_it_without_a_trace(work: GitSandbox, server: GitHttpServer) -> None:
    helper = subprocess.Popen(
        ["git-remote-lepton", "origin", f"{server.url}/ada/models"],
        cwd=work.folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # what a shell starts in the background ignores it
    )
    assert helper.stdin
    assert helper.stdout
    helper.stdin.write(b"capabilities\n")
    helper.stdin.flush()
    assert helper.stdout.readline()  # it is up
    os.killpg(helper.pid, signal.SIGINT)
    _, said = helper.communicate()
    assert helper.returncode == 130, said
    assert b"Traceback" not in said


def test_it_ends_with_git(work: GitSandbox, server: GitHttpServer) -> None:
    work.commit("much", noise=os.urandom(3_000_000))
    work.git("push", "-q", "origin", "main")
    helper = subprocess.Popen(
        ["git-remote-lepton", "origin", f"{server.url}/ada/models"],
        cwd=work.folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    )
    assert helper.stdin
    assert helper.stdout
    helper.stdin.write(b"stateless-connect git-upload-pack\n")
    assert helper.stdout.readline() == b"\n"
    want = f"0032want {work.head()}\n"
    helper.stdin.write(f"0012command=fetch0001000fno-progress{want}0009done\n0000".encode())
    helper.stdout.close()
    helper.stdin.close()
    assert helper.wait(60) >= 0
