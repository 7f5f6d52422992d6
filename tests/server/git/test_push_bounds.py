"""What one push may make the server do: paths, memory, time, processes; each refusal names its bound and the option that sets it."""

from __future__ import annotations

import ast
import asyncio
import hashlib
import os
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

import lepton_server
from lepton_server.errors import Refusal
from lepton_server.git.bare_repositories import create_bare
from lepton_server.git.fruitless_pushes import FruitlessPushes
from lepton_server.git.program import Git, GitFailed
from lepton_server.git.tree_changes import TooManyPaths
from lepton_server.git.weight_check import check_push
from lepton_server.git_bounds import Bounds, Leash
from lepton_server.http.state import push_turns
from lepton_server.settings import ServerSettings
from tests.support.git_sandbox import GitSandbox
from tests.support.running_server import RunningServer

MIB = 1024 * 1024
_FOR_REQUESTS = "push.py", "push_examination.py", "changed_paths.py", "forks.py", "default_branch.py"
ZERO = "0" * 40


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server whose bounds are small."""
    options = ["--git-memory", "64m", "--git-seconds", "3", "--push-paths", "500"]
    with RunningServer(tmp_path_factory.mktemp("narrow"), options) as server:
        yield server


@pytest.fixture
def work(narrow: RunningServer, tmp_path: Path, request: pytest.FixtureRequest) -> GitSandbox:
    made = GitSandbox.create(tmp_path / "work", filter=None, track=None)
    name = request.node.name.replace("_", "-").replace("[", "-").replace("]", "")
    made.git("remote", "add", "origin", f"{narrow.url.replace('://', f'://admin:{narrow.admin_token}@')}/admin/{name}.git")
    return made


def tree_of_trees(git: Callable[..., str], levels: int) -> str:
    """A commit of a few objects whose paths are ten to the power of `levels`."""
    name, kind = git("hash-object", "-w", "--stdin", stdin=b"x").strip(), "100644 blob"
    for _ in range(levels):
        name = git("mktree", stdin="".join(f"{kind} {name}\tf{number}\n" for number in range(10)).encode()).strip()
        kind = "040000 tree"
    return git("commit-tree", name, "-m", "many").strip()


def test_more_paths_than_a_push_may_change_are_refused(work: GitSandbox) -> None:
    work.git("push", "--quiet", "origin", f"{tree_of_trees(work.git, 2)}:refs/heads/few")
    said = work.stderr("push", "origin", f"{tree_of_trees(work.git, 4)}:refs/heads/many")
    assert "its commits change more than the 500 paths that a push may change here" in said
    assert "--push-paths" in said
    assert "many" not in work.git("ls-remote", "origin")


@pytest.mark.thorough
def test_a_million_paths_are_looked_at_in_little_memory(tmp_path: Path) -> None:
    """In a process of its own, as a hook does: it may allocate less than a tenth of what the list of them would take."""
    create_bare(tmp_path / "r.git")
    sandbox = GitSandbox(tmp_path / "r.git")
    tip = tree_of_trees(sandbox.git, 5)
    program = (
        "import sys; from pathlib import Path; from lepton_server.git.program import Git; import resource\n"
        "from lepton_server.git.pushed_files import brought_files; before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(sum(len(group.files) for group in brought_files(Git(Path(sys.argv[1])), [sys.argv[2]])))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    said = subprocess.check_output([sys.executable, "-c", program, str(tmp_path / "r.git"), tip], text=True).split()
    assert int(said[0]) == 100_000
    assert int(said[1]) < 12 * 1024


def test_paths_are_counted_over_all_commits_and_attribute_files(tmp_path: Path) -> None:
    create_bare(tmp_path / "r.git")
    tip = tree_of_trees(GitSandbox(tmp_path / "r.git").git, 3)
    git = Git(tmp_path / "r.git")
    assert check_push(git, [tip], lambda _: {}, bounds=Bounds(paths=1000)).total == 0
    with pytest.raises(TooManyPaths):
        check_push(git, [tip], lambda _: {}, bounds=Bounds(paths=999))


def one_object(kind: int, size: int) -> bytes:
    """A pack with one object of so many zeros."""
    head, rest = [(kind << 4) | (size & 15)], size >> 4
    while rest:
        head[-1] |= 128
        head.append(rest & 127)
        rest >>= 7
    packer = zlib.compressobj(1)
    body = b"PACK" + struct.pack(">II", 2, 1) + bytes(head)
    body += b"".join(packer.compress(bytes(min(MIB, size - start))) for start in range(0, size, MIB)) + packer.flush()
    return body + hashlib.sha1(body).digest()


@pytest.mark.parametrize("abilities", ["report-status", "report-status side-band-64k"])
def test_an_object_that_takes_more_memory_than_git_may_have_is_refused(narrow: RunningServer, abilities: str) -> None:
    """A few hundred kilobytes that would become 200 MB: a commit, which git does not read in pieces."""
    url = f"{narrow.url}/admin/memory.git"
    line = f"{ZERO} {'1' * 40} refs/heads/main\0{abilities}".encode()
    body = b"%04x%s0000" % (len(line) + 4, line) + one_object(1, 200 * MIB)
    headers = {"Content-Type": "application/x-git-receive-pack-request"}
    with httpx.Client(auth=("admin", narrow.admin_token), timeout=60) as asks:
        asks.get(f"{url}/info/refs?service=git-receive-pack")
        answer = asks.post(f"{url}/git-receive-pack", content=body, headers=headers).content.decode()
    assert "64.0 MiB" in answer
    assert "larger --git-memory" in answer
    assert "ng refs/heads/main" in answer


@pytest.mark.thorough
def test_large_ordinary_files_need_no_memory(work: GitSandbox) -> None:
    """Git reads them in pieces: one of more than it may have lands."""
    work.path("zeros.dat").write_bytes(bytes(100 * MIB))
    work.git("add", ".")
    work.git("commit", "--quiet", "-m", "large")
    work.git("push", "--quiet", "origin", "main")


def children_end(server: RunningServer, seconds: float = 10.0) -> bool:
    until = time.monotonic() + seconds
    while psutil.Process(server.pid).children(recursive=True):
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def history_that_lasts(work: GitSandbox) -> None:
    """Each of its commits changes the one attribute file, so all paths are listed again for each."""
    stream = []
    for number in range(1, 3000):
        stream.append(f"commit refs/heads/main\ncommitter a <a@b> {number} +0000\ndata 0\n")
        text = f"*.bin filter=lepton\n# {number}\n"
        stream.append(f"M 100644 inline .gitattributes\ndata {len(text)}\n{text}\n")
    work.git("fast-import", "--quiet", "--force", stdin="".join(stream).encode())


@pytest.mark.thorough
def test_a_check_ends_when_its_time_is_over(narrow: RunningServer, work: GitSandbox) -> None:
    history_that_lasts(work)
    narrow.restart(["--git-seconds", "3"])
    work.git("remote", "set-url", "origin", work.git("remote", "get-url", "origin").strip())
    began = time.monotonic()
    said = work.stderr("push", "origin", "main")
    assert "it kept git busy for more than the 3 seconds that a push may take here" in said
    assert "--git-seconds" in said
    assert time.monotonic() - began < 60
    assert children_end(narrow)


def test_a_check_ends_when_its_client_leaves(narrow: RunningServer, work: GitSandbox) -> None:
    history_that_lasts(work)
    narrow.restart(["--git-seconds", "600"])
    client = subprocess.Popen(
        ["git", "push", "origin", "main"], cwd=work.folder, stderr=subprocess.DEVNULL, start_new_session=True
    )
    server = psutil.Process(narrow.pid)
    until = time.monotonic() + 60
    while not any("pre_receive.py" in " ".join(child.cmdline()) for child in server.children(recursive=True)):
        assert time.monotonic() < until
        time.sleep(0.02)
    os.killpg(client.pid, 9)
    client.wait()
    assert children_end(narrow)


def test_a_leash_ends_what_runs_and_what_starts_later(tmp_path: Path) -> None:
    create_bare(tmp_path / "r.git")
    leash = Leash()
    git = Git(tmp_path / "r.git", leash=leash)
    endless = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], stdout=subprocess.PIPE)
    assert endless.stdout is not None
    with endless.stdout as nothing_yet, pytest.raises(GitFailed), git.stream("cat-file", "--batch", stdin=nothing_yet) as output:
        leash.cut()
        assert output.read() == b""
    endless.kill()
    endless.wait()
    with pytest.raises(GitFailed):
        git.run("rev-parse", "--git-dir")


def test_filters_that_are_patterns_are_refused_and_the_others_stay(narrow: RunningServer, work: GitSandbox) -> None:
    work.commit("first", **{"a.txt": "hello\n"})
    work.git("push", "--quiet", "origin", "main")
    url = work.git("remote", "get-url", "origin").strip()
    for kept in ("blob:none", "blob:limit=1k", "tree:1"):
        work.git("clone", "--quiet", "--bare", f"--filter={kept}", url, str(work.folder.parent / kept.replace(":", "-")))
    for refused in ("sparse:oid=main:a.txt", "combine:blob:none+sparse:oid=main:a.txt"):
        said = work.stderr("clone", "--quiet", "--bare", f"--filter={refused}", url, str(work.folder.parent / "refused"))
        assert "filter 'sparse:oid' not supported" in said


def test_a_push_that_gets_no_turn_is_told_how_many_there_are() -> None:
    async def story() -> None:
        turns = push_turns(ServerSettings(Path("unused"), pushes_of_one_account=1, pushes_at_once=2))
        async with turns.turn("ann", 5), turns.turn("bob", 5):  # nobody waits for another's
            for who in ("ann", "eve"):
                with pytest.raises(Refusal) as refused:
                    async with turns.turn(who, 0.05):
                        pass
                assert "1 pushes of one account are at once here, and 2 of all" in refused.value.message
                assert "--pushes-of-one-account or --pushes-at-once" in refused.value.hint

    asyncio.run(story())


def test_who_was_refused_lately_steps_back_at_once() -> None:
    now = 0.0
    pushes = FruitlessPushes(lambda: now)
    assert pushes.modest_after("ann") > 0
    pushes.note("ann")
    assert pushes.modest_after("ann") == 0
    assert pushes.modest_after("bob") > 0
    now = 61.0
    assert pushes.modest_after("ann") > 0


def test_what_requests_make_git_do_is_bounded() -> None:
    """Every call of git that a request may lead to names its bounds."""
    package = Path(lepton_server.__file__).parent
    unbounded = [
        f"{module.name}:{call.lineno}"
        for module in [*package.glob("http/routes/*.py"), *(package / "git" / name for name in _FOR_REQUESTS)]
        for call in ast.walk(ast.parse(module.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Git"
        if "bounds" not in {keyword.arg for keyword in call.keywords}
    ]
    assert unbounded == []
