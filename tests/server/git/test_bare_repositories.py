"""Real git clients against the responses that `git http-backend` gives through this package."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import gzip
import hashlib
import os
import random
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import httpx
import psutil
import pytest

import git_lepton
import lepton_server
from git_lepton.format.identifiers import ObjectId
from git_lepton.format.pointer import Pointer
from lepton_server.git import bare_repositories, hook_listener, pre_receive
from lepton_server.git import program as git_program
from lepton_server.git.bare_repositories import (
    BadRepositoryName,
    GitRoot,
    HookMissing,
    create_bare,
    settle_head,
    sweep_quarantines,
)
from lepton_server.git.hook_listener import open_desk
from lepton_server.git.hook_messages import Found, Order, Question, parse_question
from lepton_server.git.http_backend import parse_cgi_head
from lepton_server.git.program import Git, GitMissing, git_environment
from lepton_server.git.refs import RefMove, refs_of
from tests.server.git.small_git_server import SmallGitServer, small_git_server
from tests.support.git_sandbox import GitSandbox


@pytest.fixture(scope="module")
def running_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallGitServer]:
    with small_git_server(tmp_path_factory.mktemp("server") / "data") as running:
        yield running


@pytest.fixture
def server(running_server: SmallGitServer) -> SmallGitServer:
    running_server.forget()
    return running_server


@pytest.fixture
def work(tmp_path: Path, server: SmallGitServer) -> GitSandbox:
    """A repository with one commit on main and the server's `m` as origin; nothing is pushed."""
    sandbox = GitSandbox.create(tmp_path / "work", filter=None)
    sandbox.git("remote", "add", "origin", server.url("m"))
    sandbox.commit("first", **{"a.txt": "hello\n"})
    return sandbox


def weights(server: SmallGitServer, name: str, *, stored: bool = True) -> bytes:
    oid = ObjectId(hashlib.sha256(name.encode()).digest())
    if stored:
        server.stored[oid.raw] = 7
    return Pointer(oid, 7).encode()


def noise(megabytes: float, seed: int) -> bytes:
    return random.Random(seed).randbytes(int(megabytes * 1024 * 1024))


def served_refs(server: SmallGitServer, name: str = "m") -> dict[str, str]:
    return refs_of(Git(server.directory(name)))


def until(true: Callable[[], bool], seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    return true()


_before: set[int] = set()


@pytest.fixture(autouse=True)
def _others() -> None:
    """The database and the storage of other tests may run beside these."""
    _before.clear()
    _before.update(child.pid for child in psutil.Process().children())


def git_children() -> list[str]:
    """What this test has started and has not ended, with all that these have started."""
    names = []
    for started in (child for child in psutil.Process().children() if child.pid not in _before):
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended since
            for child in [started, *started.children(recursive=True)]:
                if child.status() != psutil.STATUS_ZOMBIE:
                    names.append(child.name())
    return names


# plain git


@pytest.mark.parametrize("version", ["0", "1", "2"])
def test_push_clone_fetch(server: SmallGitServer, work: GitSandbox, tmp_path: Path, version: str) -> None:
    work.git("config", "protocol.version", version)
    work.git("push", "--quiet", "origin", "main")
    work.git("-c", f"protocol.version={version}", "clone", "--quiet", server.url("m"), str(tmp_path / "clone"))
    clone = GitSandbox(tmp_path / "clone")
    assert clone.read("a.txt") == b"hello\n"
    head = work.commit("second", **{"a.txt": "again\n"})
    work.git("push", "--quiet", "origin", "main", "main:refs/heads/other")
    clone.git("-c", f"protocol.version={version}", "pull", "--quiet")
    assert clone.head() == head
    sent = {headers.get("git-protocol") for _, path, headers in server.requests if path == "git-upload-pack"}
    assert sent == {None if version == "0" else f"version={version}"}


def test_the_mirror_has_what_landed_before_the_client_hears_of_it(server: SmallGitServer, work: GitSandbox) -> None:
    head = work.head()
    work.git("tag", "v1")
    work.git("push", "--quiet", "origin", "main", "v1")
    assert server.mirrors[-1] == ({"refs/heads/main": head, "refs/tags/v1": head}, "main")
    work.git("push", "--quiet", "origin", ":v1")
    assert server.mirrors[-1] == ({"refs/heads/main": head}, "main")


def test_the_first_pushed_branch_becomes_head(server: SmallGitServer, work: GitSandbox) -> None:
    work.git("tag", "v1")
    work.git("push", "--quiet", "origin", "v1")
    assert server.mirrors[-1][1] is None
    work.git("push", "--quiet", "origin", "main:trunk")
    work.git("push", "--quiet", "origin", "main:main")
    assert server.mirrors[-1][1] == "trunk"
    assert "ref: refs/heads/trunk\tHEAD" in work.git("ls-remote", "--symref", "origin", "HEAD")


@pytest.mark.parametrize(
    ("pushed", "head"), [(["dev", "main"], "main"), (["dev", "master"], "master"), (["dev", "alpha"], "dev")]
)
def test_of_several_first_branches_the_usual_one_becomes_head(
    server: SmallGitServer, work: GitSandbox, pushed: list[str], head: str
) -> None:
    work.git("push", "--quiet", "origin", *(f"main:refs/heads/{name}" for name in pushed))
    assert server.mirrors[-1][1] == head


def test_asking_for_the_refs_of_what_is_absent_creates_nothing(server: SmallGitServer, work: GitSandbox) -> None:
    work.git("push", "--quiet", "--dry-run", "origin", "main")
    assert not server.directory("m").exists()


def test_two_first_pushes_at_once_join(server: SmallGitServer, work: GitSandbox, tmp_path: Path) -> None:
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: work.git("push", "--quiet", "origin", f"main:refs/heads/b{number}"), range(4)))
    assert set(served_refs(server)) == {f"refs/heads/b{number}" for number in range(4)}
    assert server.mirrors[-1][0].keys() == served_refs(server).keys()
    assert list(server.directory("m").parent.iterdir()) == [server.directory("m")]


def test_shallow_and_partial_clones(server: SmallGitServer, work: GitSandbox, tmp_path: Path) -> None:
    work.commit("second", **{"a.txt": "two\n", "b.txt": "b\n"})
    work.git("push", "--quiet", "origin", "main")
    work.git("clone", "--quiet", "--depth=1", server.url("m"), str(tmp_path / "shallow"))
    shallow = GitSandbox(tmp_path / "shallow")
    assert shallow.git("rev-list", "--count", "HEAD").strip() == "1"
    shallow.commit("from a shallow clone", **{"c.txt": "c\n"})
    shallow.git("push", "--quiet", "origin", "main")
    shallow.git("fetch", "--quiet", "--unshallow")
    assert shallow.git("rev-list", "--count", "HEAD").strip() == "3"
    for version in "0", "2":
        folder = tmp_path / f"partial{version}"
        work.git("-c", f"protocol.version={version}", "clone", "--quiet", "--filter=blob:none", server.url("m"), str(folder))
        partial = GitSandbox(folder)
        assert "?" in partial.git("rev-list", "--objects", "--missing=print", "HEAD")
        assert partial.git("-c", f"protocol.version={version}", "show", "HEAD~2:a.txt") == "hello\n"


def test_atomic_lease_and_push_options(server: SmallGitServer, work: GitSandbox) -> None:
    work.git("push", "--quiet", "origin", "main", "main:side")
    old = work.head()
    work.git("commit", "--quiet", "--amend", "--message", "rewritten")
    assert work.run("push", "--atomic", "origin", "main", "+main:new").returncode != 0
    assert served_refs(server) == {"refs/heads/main": old, "refs/heads/side": old}
    assert work.run("push", f"--force-with-lease=main:{work.head()}", "origin", "main").returncode != 0
    work.git("push", "--quiet", f"--force-with-lease=main:{old}", "--push-option=ci.skip", "origin", "main")
    assert served_refs(server)["refs/heads/main"] == work.head()


def test_a_push_larger_than_the_post_buffer(server: SmallGitServer, work: GitSandbox, tmp_path: Path) -> None:
    for number in range(6):
        work.write(f"source{number}.dat", noise(1.5, number))
    work.commit("large")
    work.git("push", "--quiet", "origin", "main")
    posts = [headers for method, path, headers in server.requests if path == "git-receive-pack"]
    assert len(posts) == 2  # the probe, then the pack in chunks
    assert posts[1].get("transfer-encoding") == "chunked"
    work.git("clone", "--quiet", server.url("m"), str(tmp_path / "clone"))
    assert (tmp_path / "clone/source5.dat").read_bytes() == work.read("source5.dat")
    Git(server.directory("m")).run("fsck", "--strict")


def test_a_gzipped_request(server: SmallGitServer, work: GitSandbox, tmp_path: Path) -> None:
    work.git("push", "--quiet", "origin", "main")
    work.git("clone", "--quiet", server.url("m"), str(tmp_path / "clone"))
    for number in range(40):  # many haves make a request of more than 1 KiB, which git sends as gzip
        work.git("commit", "--quiet", "--allow-empty", "--message", f"here {number}")
    GitSandbox(tmp_path / "clone").git("push", "--quiet", "origin", "HEAD:refs/heads/there")
    work.git("fetch", "--quiet", "origin", "+refs/heads/*:refs/remotes/origin/*")
    body = gzip.compress(b"0014command=ls-refs\n0000")
    headers = {"Content-Type": "application/x-git-upload-pack-request", "Content-Encoding": "gzip", "Git-Protocol": "version=2"}
    request = urllib.request.Request(f"{server.url('m')}/git-upload-pack", body, headers)
    with urllib.request.urlopen(request) as answer:
        assert b"refs/heads/main" in answer.read()


def test_the_probe_and_a_wrong_content_type(server: SmallGitServer, work: GitSandbox) -> None:
    work.git("push", "--quiet", "origin", "main")
    url = f"{server.url('m')}/git-receive-pack"
    right = {"Content-Type": "application/x-git-receive-pack-request"}
    with urllib.request.urlopen(urllib.request.Request(url, b"0000", right)) as answer:
        assert answer.status == 200
    with pytest.raises(urllib.error.HTTPError) as wrong:
        urllib.request.urlopen(urllib.request.Request(url, b"0000", {"Content-Type": "text/plain"}))
    assert wrong.value.code == 415
    wrong.value.close()


def test_many_refs_both_ways_do_not_block(server: SmallGitServer, work: GitSandbox, tmp_path: Path) -> None:
    """More refs than any pipe holds, in the request as in the answer."""
    head = work.head()
    work.git(
        "update-ref", "--stdin", stdin="".join(f"create refs/heads/b{number:05} {head}\n" for number in range(1000)).encode()
    )
    work.git("push", "--quiet", "origin", "refs/heads/*:refs/heads/*")
    assert len(server.mirrors[-1][0]) == 1001
    assert len(work.git("ls-remote", "origin").splitlines()) == 1002


def test_hidden_refs_cannot_be_written(server: SmallGitServer, work: GitSandbox) -> None:
    assert "hidden ref" in work.stderr("push", "origin", "main:refs/lepton/x")


# the check


def test_stored_weights_land(server: SmallGitServer, work: GitSandbox) -> None:
    work.commit("weights", **{"w.bin": weights(server, "one"), "notes.txt": weights(server, "two")})
    work.git("push", "--quiet", "origin", "main")
    assert served_refs(server) == {"refs/heads/main": work.head()}


def test_missing_weights_are_named_and_nothing_is_kept(server: SmallGitServer, work: GitSandbox) -> None:
    work.git("push", "--quiet", "origin", "main")
    before = work.head()
    work.commit("weights", **{"w.bin": weights(server, "absent", stored=False)})
    said = work.stderr("push", "--no-verify", "origin", "main")
    assert "remote:   w.bin" in said
    assert hashlib.sha256(b"absent").hexdigest() in said
    assert "git lepton push origin" in said
    assert "pre-receive hook declined" in said
    assert served_refs(server) == {"refs/heads/main": before}
    assert len(server.mirrors) == 1
    absent = Git(server.directory("m")).run("cat-file", "--batch-check", stdin=work.head().encode() + b"\n")
    assert b"missing" in absent
    weights(server, "absent")
    work.git("push", "--quiet", "origin", "main")


def test_raw_weights_are_refused_and_renormalize_is_named(server: SmallGitServer, work: GitSandbox) -> None:
    work.commit("raw", **{"w.bin": noise(0.1, 1)})
    said = work.stderr("push", "origin", "main")
    assert "git add --renormalize" in said
    assert "w.bin" in said
    assert served_refs(server) == {}


def test_attributes_by_symlink_are_refused(server: SmallGitServer, work: GitSandbox) -> None:
    work.path("sub").mkdir()
    work.path("sub/.gitattributes").symlink_to("../elsewhere")
    work.commit("symlink")
    assert "gitattributesSymlink" in work.stderr("push", "origin", "main")
    assert served_refs(server) == {}


def test_a_check_that_fails_refuses(server: SmallGitServer, work: GitSandbox) -> None:
    def fail() -> None:
        raise RuntimeError("the database is gone")

    server.before_check = fail
    work.commit("weights", **{"w.bin": weights(server, "one")})
    assert "the server failed to check it" in work.stderr("push", "origin", "main")
    assert served_refs(server) == {}


def test_a_ref_that_is_no_text_is_refused(server: SmallGitServer, work: GitSandbox) -> None:
    ref = b"refs/heads/\xff\xfe"
    subprocess.run([b"git", b"update-ref", ref, b"HEAD"], cwd=work.folder, check=True)
    said = subprocess.run([b"git", b"push", b"origin", ref], cwd=work.folder, capture_output=True, check=False).stderr
    assert b"not printable UTF-8" in said
    assert served_refs(server) == {}


def test_a_deleted_branch_needs_no_check(server: SmallGitServer, work: GitSandbox) -> None:
    work.git("push", "--quiet", "origin", "main", "main:side")
    work.git("push", "--quiet", "origin", ":side")
    assert set(served_refs(server)) == {"refs/heads/main"}


# clients that go away


def processes_end() -> bool:
    return until(lambda: not git_children())


def test_nothing_is_answered_and_no_git_started_before_the_whole_push_was_heard(server: SmallGitServer, work: GitSandbox) -> None:
    """A proxy that passes bodies on as they come stops doing so when an answer begins."""
    work.git("push", "--quiet", "origin", "main")
    head = (
        f"POST {server.path('m')}/git-receive-pack HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        "Content-Type: application/x-git-receive-pack-request\r\nExpect: 100-continue\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(head.encode())
        assert client.recv(4096).startswith(b"HTTP/1.1 100 ")
        client.sendall(b"4\r\n00a4\r\n")
        client.settimeout(0.5)
        with pytest.raises(TimeoutError):
            client.recv(4096)
        assert git_children() == []
        client.settimeout(20)
        client.sendall(b"0\r\n\r\n")  # git is told that this was all, and complains
        assert client.recv(4096).startswith(b"HTTP/1.1 ")
    assert processes_end()
    assert not list(server.directory("m").rglob("tmp_objdir*"))
    work.git("push", "--quiet", "origin", "main:more")


@pytest.mark.parametrize("how", ["chunked", "gzip"])
def test_a_push_comes_in_every_form_of_body(server: SmallGitServer, work: GitSandbox, how: str) -> None:
    work.git("push", "--quiet", "origin", "main")
    line = f"{'0' * 40} {work.head()} refs/heads/{how}\0report-status".encode()
    body = b"%04x%s0000" % (len(line) + 4, line) + b"PACK\0\0\0\2\0\0\0\0"
    body += hashlib.sha1(body[-12:]).digest()
    headers = {"Content-Type": "application/x-git-receive-pack-request"}
    content = iter([body[:9], body[9:]]) if how == "chunked" else gzip.compress(body)
    if how == "gzip":
        headers["Content-Encoding"] = "gzip"
    answer = httpx.post(f"{server.url('m')}/git-receive-pack", headers=headers, content=content)
    assert b"unpack ok" in answer.content, answer.content
    assert f"refs/heads/{how}" in served_refs(server)


def test_a_client_that_leaves_in_the_middle_of_a_fetch_leaves_no_process(server: SmallGitServer, work: GitSandbox) -> None:
    work.commit("large", **{"large.dat": noise(16, 5)})
    work.git("push", "--quiet", "origin", "main")
    body = f"0011command=fetch0001000fno-progress0032want {work.head()}\n0009done\n0000".encode()
    head = (
        f"POST {server.path('m')}/git-upload-pack HTTP/1.1\r\nHost: x\r\nGit-Protocol: version=2\r\n"
        f"Content-Type: application/x-git-upload-pack-request\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(head.encode() + body)
        assert b"200 OK" in client.recv(4096)
        assert git_children()
    assert processes_end()


def test_a_client_killed_while_it_pushes_leaves_nothing(server: SmallGitServer, work: GitSandbox) -> None:
    work.git("push", "--quiet", "origin", "main")
    work.commit("weights", **{"w.bin": weights(server, "one")})
    waiting, released = [], []

    def wait() -> None:
        waiting.append(True)
        until(lambda: bool(released))

    server.before_check = wait
    with subprocess.Popen(
        ["git", "push", "origin", "main"], cwd=work.folder, stderr=subprocess.PIPE, start_new_session=True
    ) as client:
        assert until(lambda: bool(waiting))
        os.killpg(client.pid, 9)
    assert processes_end()
    released.append(True)
    assert set(served_refs(server)) == {"refs/heads/main"}
    assert not list(server.directory("m").rglob("tmp_objdir*"))
    server.before_check = lambda: None
    work.git("push", "--quiet", "origin", "main")


# hook and desk


def run_hook(**environment: str) -> subprocess.CompletedProcess[bytes]:
    line = f"{'0' * 40} {'1' * 40} refs/heads/main\n".encode()
    kept = {"PATH": os.environ["PATH"], **environment}
    return subprocess.run(
        [sys.executable, "-I", "-S", pre_receive.__file__], input=line, env=kept, capture_output=True, check=False
    )


def test_the_hook_refuses_when_nobody_answers() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}:secret"
    for environment in ({}, {"LEPTON_PUSH": address}, {"LEPTON_PUSH": "nonsense"}):
        ended = run_hook(**environment)
        assert ended.returncode == 1
        assert ended.stderr.decode() == pre_receive.NO_ANSWER


class Asked:
    """Says at the desk what `check` does."""

    def __init__(self, check: Callable[[Question], str]) -> None:
        self._check = check

    def wait(self) -> None: ...

    def order(self, question: Question) -> Order | str:
        return ""

    def sizes(self, oids: Sequence[bytes]) -> Mapping[bytes, int]:
        return {}

    def verdict(self, question: Question, found: Found) -> str:
        return self._check(question)

    def refused(self, question: Question, reason: str) -> None: ...


def ask_desk(check: Callable[[Question], str], change: Callable[[str], str] = lambda address: address) -> tuple[int, str, int]:
    """Exit code and words of a real hook at a real desk, and how many moves were accepted."""

    async def converse() -> tuple[int, str, int]:
        async with open_desk(Asked(check)) as desk:
            address = change(desk.environment["LEPTON_PUSH"])
            ended = await asyncio.to_thread(run_hook, LEPTON_PUSH=address, GIT_QUARANTINE_PATH="/q")
            return ended.returncode, ended.stderr.decode(), len(desk.accepted)

    return asyncio.run(converse())


def test_the_desk_answers_and_refuses() -> None:
    asked: list[Question] = []

    def check(question: Question) -> str:
        asked.append(question)
        return "no: grün\n" if len(asked) > 1 else ""

    assert ask_desk(check) == (0, "", 1)
    assert ask_desk(check) == (1, "no: grün\n", 0)
    assert asked[0] == Question({"GIT_QUARANTINE_PATH": "/q"}, (RefMove("0" * 40, "1" * 40, "refs/heads/main"),))


def test_the_desk_does_not_answer_a_stranger() -> None:
    asked: list[Question] = []
    status, said, accepted = ask_desk(lambda question: str(asked.append(question) or ""), lambda address: address + "x")
    assert (status, said, accepted, asked) == (1, pre_receive.NO_ANSWER, 0, [])


@pytest.mark.parametrize("data", [b"", b"a\0b\0", b"a\0b\0c\0not a move\n\n"])
def test_a_malformed_question_is_an_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_question(data, pre_receive.QUARANTINE)


def test_the_hook_starts_quickly() -> None:
    """It runs once in every push: none of what takes long to load."""
    program = "import sys, lepton_server.git.pre_receive; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"sqlalchemy", "fastapi", "starlette", "uvicorn", "numpy", "httpx", "boto3"} & set(loaded)
    assert len(loaded) < 110  # the interpreter itself has some 60


def test_the_examination_of_a_push_starts_quickly() -> None:
    """Every push waits for it: it loads no database, no framework, and of the standard library nothing that takes long."""
    folders = sorted({str(Path(str(package.__file__)).parents[1]) for package in (lepton_server, git_lepton)})
    program = f"import sys; sys.path[:0] = {folders}; import lepton_server.git.push_examination; print(*sys.modules)"
    command = [sys.executable, "-I", "-S", "-c", program]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert "lepton_server.git.weight_check" in loaded
    assert not {"inspect", "dataclasses", "pathlib", "datetime", "asyncio", "sqlalchemy", "numpy"} & set(loaded)


def test_the_hook_without_a_server_says_so(tmp_path: Path) -> None:
    root = GitRoot(tmp_path / "git")
    root.prepare()
    ended = subprocess.run([str(root.hooks / "pre-receive")], env={"PATH": os.environ["PATH"]}, capture_output=True, check=False)
    assert ended.returncode != 0
    assert b"through lepton-server only" in ended.stderr


# repositories on disk


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        ("..", "x"),
        ("a", ".."),
        ("a/b", "c"),
        ("a", "b/c"),
        (".hooks", "x"),
        ("", "x"),
        ("a", ""),
        ("a", "x.git"),
        ("a", "x\n"),
        ("a" * 101, "x"),
    ],
)
def test_no_path_is_built_from_a_bad_name(tmp_path: Path, owner: str, name: str) -> None:
    with pytest.raises(BadRepositoryName):
        GitRoot(tmp_path).repository(owner, name)


def test_a_relative_root_still_runs_the_hook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    root = GitRoot(Path("data/git"))
    root.prepare()
    assert root.hooks.parent == tmp_path / "data/git/.hooks"


def test_a_hook_that_cannot_run_is_found_out(tmp_path: Path) -> None:
    root = GitRoot(tmp_path / "git")
    root.prepare()
    root.check_hook()
    (root.hooks / "pre-receive").write_text("#!/bin/sh\nexit 0\n")
    with pytest.raises(HookMissing):
        root.check_hook()
    (root.hooks / "pre-receive").unlink()
    with pytest.raises(HookMissing):
        root.check_hook()


def test_a_repository_comes_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bare_repositories, "sync_tree", lambda folder: (_ for _ in ()).throw(OSError("no room")))
    with pytest.raises(OSError, match="no room"):
        create_bare(tmp_path / "o/m.git")
    assert not list((tmp_path / "o").iterdir())


def test_quarantines_of_long_ago_are_swept(tmp_path: Path) -> None:
    create_bare(tmp_path / "m.git")
    old, new = (tmp_path / "m.git/objects" / f"tmp_objdir-incoming-{name}" for name in ("old", "new"))
    for folder in (old, new):
        folder.mkdir()
    os.utime(old, (0, 0))
    sweep_quarantines(tmp_path / "m.git")
    assert not old.exists()
    assert new.exists()


def test_head_stays_where_it_is(tmp_path: Path) -> None:
    create_bare(tmp_path / "m.git")
    git = Git(tmp_path / "m.git")
    assert settle_head(git, ()) is None


def test_git_missing_on_the_server_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitMissing, match="not installed on the server") as raised:
        GitRoot(tmp_path / "git").prepare()
    assert raised.value.hint


def test_nothing_of_the_servers_environment_reaches_git(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_DIR", "GIT_CONFIG_PARAMETERS", "AWS_SECRET_ACCESS_KEY", "GIT_LEPTON_TOKEN"):
        monkeypatch.setenv(name, "x")
    assert not {"GIT_DIR", "GIT_CONFIG_PARAMETERS", "AWS_SECRET_ACCESS_KEY", "GIT_LEPTON_TOKEN"} & git_environment().keys()
    assert git_program.SETTINGS["transfer.hideRefs"] == "refs/lepton"


def test_the_head_of_an_answer() -> None:
    head = b"Status: 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\n"
    assert parse_cgi_head(head) == (403, [(b"content-type", b"text/plain")])
    assert parse_cgi_head(b"Expires: x\r\n\r\n")[0] == 200
    assert hook_listener.HOOK.startswith("#!/bin/sh\n")
