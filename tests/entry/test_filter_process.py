"""The filter process: dialogues with the real program over real pipes, and plain git with it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import pytest

from git_lepton.format.identifiers import ObjectId
from git_lepton.format.pointer import Pointer, parse_pointer
from git_lepton.git.pkt_line import FLUSH, PacketReader, PacketWriter, encode_message
from tests.support.git_sandbox import FILTER, GitSandbox

UNKNOWN = b"version git-lepton/v9\noid blake9:00\n"
ABSENT = Pointer(ObjectId(bytes(32)), 5)
HEAVY = {"urllib3", "logging", "blake3", "argparse", "dulwich", "http", "ssl", "asyncio", "zstandard", "numpy"}
FORBIDDEN = {
    *HEAVY,
    "http.client",
    "socket",
    "email",
    "xxhash",
    "subprocess",
    "inspect",
    "dataclasses",
    "pathlib",
    "re",
    "typing",
    "tempfile",
    "json",
    "hashlib",
    "concurrent",
    "threading",
    "git_lepton.workspace",
    "git_lepton.store",
    "git_lepton.workflow",
    "git_lepton.transfer",
}


class Git:
    """Plays git's side of the dialogue with a real filter process."""

    def __init__(self, folder: Path, *command: str, **environment: str) -> None:
        self.process = subprocess.Popen(
            command or (sys.executable, "-m", "git_lepton", "filter-process"),
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self.process.stdin
        assert self.process.stdout
        self.writer = PacketWriter(self.process.stdin.fileno())
        self.reader = PacketReader(self.process.stdout.fileno())

    def handshake(self) -> Git:
        self.writer.write(encode_message([b"git-filter-client", b"version=2"]))
        assert self.reader.read_message() == [b"git-filter-server", b"version=2"]
        offer = [b"capability=clean", b"capability=smudge", b"capability=delay"]
        self.writer.write(encode_message(offer))
        assert self.reader.read_message() == offer
        return self

    def ask(self, command: str, path: str, content: bytes = b"", *more: bytes) -> bytes:
        """The status, or the content where it is success and stays so."""
        self.writer.write(encode_message([f"command={command}".encode(), f"pathname={path}".encode(), *more]))
        self.writer.write_content(content)
        self.writer.write(FLUSH)
        status = (self.reader.read_message() or [b"nothing"])[0]
        if status != b"status=success":
            return status
        answer = self.reader.content()
        whole, buffer = bytearray(), bytearray(1 << 20)
        while count := answer.readinto(buffer):
            whole += buffer[:count]
        late = self.reader.read_message()
        return b"late " + late[0] if late else bytes(whole)

    def available(self) -> list[bytes]:
        self.writer.write(encode_message([b"command=list_available_blobs"]))
        paths = self.reader.read_message()
        assert self.reader.read_message() == [b"status=success"]
        assert paths is not None
        return [path.removeprefix(b"pathname=") for path in paths]

    def end(self) -> str:
        """Close the pipe, wait; what the filter said on standard error."""
        assert self.process.stdin
        assert self.process.stderr
        self.process.stdin.close()
        said = self.process.stderr.read().decode()
        self.process.wait(60)
        for stream in (self.process.stdout, self.process.stderr):
            if stream:
                stream.close()
        return said


@pytest.fixture
def sandbox(tmp_path: Path) -> GitSandbox:
    return GitSandbox.create(tmp_path / "repository")


@pytest.fixture
def git(sandbox: GitSandbox) -> Iterator[Git]:
    git = Git(sandbox.folder).handshake()
    yield git
    if git.process.poll() is None:
        git.end()


# start-up


def modules_after(tmp_path: Path, *requests: tuple[str, bytes]) -> set[str]:
    """What a filter has imported at its end, less what a bare interpreter has."""
    report = "import atexit, sys; before = set(sys.modules); "
    report += "atexit.register(lambda: sys.stderr.write('MODULES ' + ' '.join(set(sys.modules) - before))); "
    run = "sys.argv[1:] = ['filter-process']; from git_lepton.entry.program import main; main()"
    # -S: site packages' own start-up files import much of the library, which would hide what we import
    environment = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    git = Git(tmp_path, sys.executable, "-S", "-c", report + run, **environment).handshake()
    for command, content in requests:
        assert git.ask(command, "a.bin", content) == content
    return set(git.end().rpartition("MODULES ")[2].split())


def test_a_handshake_imports_next_to_nothing(tmp_path: Path) -> None:
    modules = modules_after(tmp_path)
    assert "git_lepton.entry.filter_process" in modules
    assert not modules.intersection(FORBIDDEN)
    assert len(modules) < 25


def test_content_that_only_passes_imports_no_machinery(tmp_path: Path) -> None:
    requests = [("clean", b""), ("clean", ABSENT.encode()), ("smudge", b""), ("smudge", b"text"), ("smudge", b"x" * 60_000)]
    assert not modules_after(tmp_path, *requests).intersection(FORBIDDEN)
    assert not modules_after(tmp_path, ("smudge", bytes(1 << 20))).intersection(HEAVY)


# dialogues


def test_clean_answers_a_pointer_and_a_smudge_of_what_is_here_the_bytes_at_once(git: Git, sandbox: GitSandbox) -> None:
    data = os.urandom(100_000)
    pointer = git.ask("clean", "a.bin", data)
    assert parse_pointer(pointer).size == len(data)
    assert git.ask("clean", "a.bin", pointer) == pointer
    for reason in (b"blob=1234", b"treeish=1234", b"can-delay=1"):
        assert git.ask("smudge", "a.bin", pointer, reason) == data
    assert git.available() == []
    assert git.end() == ""
    assert git.process.returncode == 0
    assert sandbox.lepton.is_dir()


def test_content_that_is_no_pointer_passes_in_any_size(git: Git) -> None:
    for data in (b"", b"text\n", bytes(65516), os.urandom(1 << 20) * 40, b"version git-lepton/v1\n" + bytes(2000)):
        assert git.ask("smudge", "a.bin", data, b"can-delay=1") == data


DAMAGED = [
    ABSENT.encode()[:-1],
    ABSENT.encode() + b"\n",
    b"\xef\xbb\xbf" + ABSENT.encode(),
    ABSENT.encode().decode().encode("utf-16"),
    ABSENT.encode().replace(b"size 5", b"size 05"),
    b"version git-lepton/v1\n<<<<<<< ours\n",
]
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 4976698672\n" % 7


@pytest.mark.parametrize("text", [*DAMAGED, UNKNOWN])
def test_a_pointer_that_cannot_be_read_is_not_added_but_passes_a_checkout(git: Git, text: bytes) -> None:
    assert git.ask("clean", "models/a.bin", text) == b"status=error"
    for reason in (b"can-delay=1", b"treeish=1", b"blob=1"):
        assert git.ask("smudge", "models/b.bin", text, reason) == text
    assert git.ask("clean", "c.bin", b"") == b""
    said = git.end()
    assert "git-lepton: models/a.bin: this pointer" in said
    assert "1 file stays as it is: this pointer" in said
    assert said.count("models/b.bin") == 1
    assert said.count("hint: ") == 2
    assert "Traceback" not in said


def test_a_pointer_with_other_line_ends_is_that_pointer(git: Git) -> None:
    assert git.ask("clean", "a.bin", ABSENT.encode().replace(b"\n", b"\r\n")) == ABSENT.encode()


@pytest.mark.parametrize(
    "text",
    [
        LFS,
        b"\xef\xbb\xbf" + LFS.replace(b"\n", b"\r\n"),
        b"version https://hawser.github.com/spec/v1\noid sha256:00\nsize 5\n",
        b"version http://git-media.io/v/2\noid sha256:00\nsize 5\n",
        b"# xet version 0\nfilesize = 5\nhash = '00'\n",
        b"/annex/objects/SHA256E-s5--00\n",
    ],
)
def test_another_tools_placeholder_is_never_taken_for_weights(git: Git, sandbox: GitSandbox, text: bytes) -> None:
    assert git.ask("clean", "a.bin", text) == b"status=error"
    assert git.ask("smudge", "a.bin", text, b"can-delay=1") == text
    said = git.end()
    assert "a.bin: this is git-" in said
    assert "pointer, not the weights" in said
    assert "hint: Run `git " in said
    assert not sandbox.lepton.exists()


def test_what_cannot_be_stored_fails_that_file_and_the_next_is_served(git: Git, sandbox: GitSandbox) -> None:
    sandbox.lepton.write_text("a file where the store's folder should be")
    data = os.urandom(1 << 20) * 5
    assert git.ask("clean", "a.bin", data) == b"status=error"
    sandbox.lepton.unlink()
    pointer = git.ask("clean", "b.bin", data)
    assert git.ask("smudge", "b.bin", pointer, b"treeish=1") == data
    said = git.end()
    assert said.startswith("git-lepton: a.bin: ")
    assert "hint: " in said
    assert "Traceback" not in said


def test_skip_smudge_leaves_pointers(sandbox: GitSandbox) -> None:
    git = Git(sandbox.folder, GIT_LEPTON_SKIP_SMUDGE="1").handshake()
    for reason in (b"can-delay=1", b"treeish=1234"):
        assert git.ask("smudge", "a.bin", ABSENT.encode(), reason) == ABSENT.encode()
    assert git.end() == ""


def test_many_files_to_be_fetched_are_listed_in_batches_and_all_answered(sandbox: GitSandbox, tmp_path: Path) -> None:
    files = {f"{number}.bin": f"content {number}".encode() for number in range(250)}
    sandbox.commit(files=files)
    sandbox.git("init", "--quiet", "--bare", str(tmp_path / "weights.git"))
    sandbox.git("config", "lepton.url", (tmp_path / "weights.git").as_uri())
    sandbox.git("lepton", "push")
    shutil.rmtree(sandbox.lepton)
    git = Git(sandbox.folder).handshake()
    seen = []
    for name in files:
        text = Pointer(ObjectId(sha256(files[name]).digest()), len(files[name])).encode()
        assert git.ask("smudge", name, text, b"can-delay=1", b"treeish=1") == b"status=delayed"
    while listed := git.available():
        assert len(listed) <= 100
        for name in listed:
            assert git.ask("smudge", name.decode()) == files[name.decode()]
        seen += listed
    assert git.end() == ""
    assert sorted(seen) == sorted(name.encode() for name in files)


def test_who_only_looks_gets_no_transfer_but_a_word(git: Git, sandbox: GitSandbox) -> None:
    sandbox.git("config", "lepton.url", "http://127.0.0.1:9/team/models")  # nobody answers there
    assert git.ask("smudge", "a.bin", ABSENT.encode(), b"blob=1234") == ABSENT.encode()
    assert git.ask("smudge", "b.bin", ABSENT.encode(), b"blob=1234") == ABSENT.encode()
    said = git.end()
    assert "2 files shown as pointers (a.bin): the weights are not on this machine" in said
    assert "git lepton fetch REV" in said
    assert git.process.returncode == 0


def test_a_path_with_a_conflict_is_never_delayed(git: Git, sandbox: GitSandbox) -> None:
    """git keeps no entry for a merged file, and crashes where its answer comes later."""
    blob = sandbox.git("hash-object", "-w", "--stdin", stdin=ABSENT.encode()).strip()
    sandbox.git("update-index", "--index-info", stdin="".join(f"100644 {blob} {stage}\tä.bin\n" for stage in (1, 2, 3)).encode())
    assert git.ask("smudge", "ä.bin", ABSENT.encode(), b"blob=1234", b"can-delay=1") == ABSENT.encode()
    assert git.ask("smudge", "b.bin", ABSENT.encode(), b"blob=1234", b"can-delay=1") == b"status=delayed"
    assert git.available() == [b"b.bin"]
    assert git.ask("smudge", "b.bin") == ABSENT.encode()
    assert "2 files left as pointers" in git.end()


def test_without_any_store_pointers_stay_and_one_warning_says_so(git: Git) -> None:
    pointers = [Pointer(ObjectId(bytes([number] * 32)), 5) for number in (1, 2, 3)]
    for number, pointer in enumerate(pointers):
        assert git.ask("smudge", f"{number}.bin", pointer.encode(), b"can-delay=1") == b"status=delayed"
    large = Pointer(ObjectId(bytes(32)), 200 * 1024 * 1024)
    assert git.ask("smudge", "large.bin", large.encode(), b"can-delay=1") == large.encode()
    for path in git.available():
        assert parse_pointer(git.ask("smudge", path.decode())) in pointers
    said = git.end()
    assert "4 files left as pointers" in said
    assert (said.count("git-lepton:"), said.count("hint:")) == (1, 2)


def test_an_archive_gets_bytes_or_an_error(git: Git) -> None:
    assert git.ask("smudge", "a.bin", ABSENT.encode(), b"treeish=1234") == b"status=error"
    assert "a.bin" in git.end()


def test_a_file_that_no_disk_could_hold_is_an_error(git: Git) -> None:
    huge = Pointer(ObjectId(bytes(32)), 2**60)
    assert git.ask("smudge", "huge.bin", huge.encode(), b"can-delay=1") == b"status=error"
    assert "bytes free" in git.end()


def test_damaged_weights_are_an_error_that_comes_before_or_after_the_bytes(git: Git, sandbox: GitSandbox) -> None:
    data = os.urandom(12 << 20)
    pointer = git.ask("clean", "a.bin", data)
    git.end()
    for pack in (path for path in sandbox.lepton.rglob("*") if path.is_file() and path.stat().st_size > len(data) // 2):
        damaged = bytearray(pack.read_bytes())
        damaged[-2_000_000] ^= 1
        pack.chmod(0o644)
        pack.write_bytes(damaged)
    again = Git(sandbox.folder).handshake()
    assert again.ask("smudge", "a.bin", pointer, b"treeish=1") in (b"status=error", b"late status=error")
    assert again.ask("clean", "b.bin", b"the process goes on") != b"status=error"
    said = again.end()
    assert "damaged" in said
    assert "Traceback" not in said


def test_a_git_that_goes_away_is_left_quietly(sandbox: GitSandbox) -> None:
    for last in (b"00", encode_message([b"command=clean", b"pathname=a.bin"]) + b"fff0" + bytes(5000)):
        git = Git(sandbox.folder).handshake()
        git.writer.write(last)
        assert git.end() == ""
    git = Git(sandbox.folder)
    assert git.end() == ""
    assert git.process.returncode == 0


def test_somebody_who_is_not_git_gets_one_sentence(sandbox: GitSandbox) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "git_lepton", "filter-process"],
        input=b"hello there",
        cwd=sandbox.folder,
        capture_output=True,
        check=False,
    )
    assert result.returncode == 70
    assert result.stdout == b""
    assert result.stderr.startswith(b"git-lepton: git sent b'hell'")


# plain git


def clone(source: GitSandbox, folder: Path, *settings: str) -> tuple[GitSandbox, str]:
    """A clone whose checkout goes through the filter, and what was said while it was made, whether it went well or not."""
    pairs = ("filter.lepton.required=true", f"filter.lepton.process={FILTER}", *settings)
    options = [part for pair in pairs for part in ("-c", pair)]
    said = source.stderr("clone", "--quiet", *options, str(source.folder), str(folder))
    return GitSandbox(folder), said


@pytest.fixture
def refusing_server() -> Iterator[str]:
    """The address of a server that knows nothing."""

    class Nothing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        do_POST = do_GET

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Nothing)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_add_commit_and_checkout_keep_the_bytes(sandbox: GitSandbox) -> None:
    first, second = os.urandom(300_000), os.urandom(5_000_000)
    sandbox.commit(files={"a.bin": first, "empty.bin": b""})
    assert parse_pointer(sandbox.blob("a.bin")).size == len(first)
    assert sandbox.blob("empty.bin") == b""
    sandbox.commit(files={"a.bin": second})
    assert sandbox.status() == ""
    sandbox.git("checkout", "--quiet", "HEAD~1")
    assert sandbox.read("a.bin") == first
    sandbox.git("checkout", "--quiet", "main")
    assert sandbox.read("a.bin") == second
    sandbox.path("a.bin").touch()
    assert sandbox.status() == ""


def test_stash_and_worktree(sandbox: GitSandbox, tmp_path: Path) -> None:
    data, edited = os.urandom(200_000), os.urandom(200_000)
    sandbox.commit(files={"a.bin": data})
    sandbox.write("a.bin", edited)
    sandbox.git("stash")
    assert sandbox.read("a.bin") == data
    sandbox.git("stash", "pop")
    assert sandbox.read("a.bin") == edited
    sandbox.git("worktree", "add", "--quiet", str(tmp_path / "second"))
    assert (tmp_path / "second/a.bin").read_bytes() == data


def test_bytes_of_the_pipe_count_not_those_of_the_file(sandbox: GitSandbox) -> None:
    sandbox.commit(files={"a.bin": b"what stands in the file"})
    blob = sandbox.git("hash-object", "-w", "--stdin", "--path", "a.bin", stdin=b"other bytes").strip()
    assert parse_pointer(sandbox.run("cat-file", "blob", blob).stdout).size == len(b"other bytes")


def test_archive_cat_file_and_checkout_index_give_the_bytes(sandbox: GitSandbox) -> None:
    data = os.urandom(200_000)
    sandbox.commit(files={"a.bin": data})
    archive = tarfile.open(fileobj=BytesIO(sandbox.run("archive", "HEAD").stdout))  # noqa: SIM115
    member = archive.extractfile("a.bin")
    assert member is not None
    assert member.read() == data
    assert sandbox.run("cat-file", "--filters", "HEAD:a.bin").stdout == data
    sandbox.git("checkout-index", "--all", "--prefix=out/")
    assert sandbox.read("out/a.bin") == data
    sandbox.git("config", "lepton.smudgeLimit", "1k")
    assert sandbox.run("cat-file", "--filters", "HEAD:a.bin").stdout == data


def test_difftool_and_a_subfolders_archive_see_the_bytes(sandbox: GitSandbox) -> None:
    first, second = os.urandom(1000), os.urandom(1000)
    sandbox.commit(files={"models/a.bin": first})
    sandbox.commit(files={"models/a.bin": second})
    show = 'cat "$LOCAL" "$REMOTE"'
    shown = sandbox.run("-c", f"difftool.show.cmd={show}", "difftool", "-y", "-t", "show", "HEAD~1", "HEAD").stdout
    assert shown == first + second
    archive = tarfile.open(fileobj=BytesIO(sandbox.run("archive", "--worktree-attributes", "HEAD:models").stdout))  # noqa: SIM115
    member = archive.extractfile("a.bin")
    assert member is not None
    assert member.read() == second


def test_a_clone_writes_large_files_beside_the_pipe_and_is_clean(sandbox: GitSandbox, tmp_path: Path) -> None:
    files = {"small.bin": os.urandom(50_000), "large.bin": os.urandom(2_000_000), "deep/a [b] ü.bin": os.urandom(1_500_000)}
    sandbox.commit(files=files)
    copy, said = clone(sandbox, tmp_path / "copy", "lepton.smudgeLimit=1m")
    assert said == ""
    assert {path: copy.read(path) == data for path, data in files.items()} == dict.fromkeys(files, True)
    assert copy.status() == ""
    assert copy.git("diff", "--cached", "--name-only") == ""
    copy.git("rm", "--quiet", "-r", "deep")
    copy.git("commit", "--quiet", "-m", "without")
    copy.git("checkout", "--quiet", "HEAD~1")
    assert copy.read("deep/a [b] ü.bin") == files["deep/a [b] ü.bin"]
    assert copy.status() == ""


def test_a_clone_without_its_weights_succeeds_with_one_warning(sandbox: GitSandbox, tmp_path: Path, refusing_server: str) -> None:
    sandbox.commit(files={"a.bin": os.urandom(1000), "b.bin": os.urandom(1000), "large.bin": os.urandom(2_000_000)})
    copy, said = clone(sandbox, tmp_path / "copy", f"lepton.url={refusing_server}/team/models", "lepton.smudgeLimit=1m")
    for name in ("a.bin", "b.bin", "large.bin"):
        assert copy.read(name) == sandbox.blob(name)
    assert copy.status() == ""
    assert said.count("git-lepton:") == 1
    assert "3 files left as pointers" in said


def test_a_clone_names_the_pointers_that_nothing_covers(sandbox: GitSandbox, tmp_path: Path) -> None:
    sandbox.commit(files={"a.bin": os.urandom(1000)})
    sandbox.write("stray.dat", sandbox.blob("a.bin"))
    sandbox.git("add", ".")
    sandbox.git("commit", "--quiet", "-m", "a pointer where nothing says that it is one")
    copy, said = clone(sandbox, tmp_path / "copy")
    assert said.count("git-lepton:") == 2  # with the hint
    assert "stray.dat stays a pointer: no .gitattributes covers it" in said
    assert "hint: git lepton track stray.dat" in said
    assert "stray" not in copy.stderr("checkout", "--quiet", "HEAD~1")  # once


def test_weights_that_the_reached_store_lacks_fail_the_checkout(sandbox: GitSandbox, tmp_path: Path) -> None:
    sandbox.commit(files={"a.bin": os.urandom(1000)})
    shutil.rmtree(sandbox.lepton)
    sandbox.lepton.mkdir()
    _, said = clone(sandbox, tmp_path / "copy")
    assert "checkout failed" in said
    assert "lacks" in said
    assert "GIT_LEPTON_SKIP_SMUDGE=1 git checkout -- a.bin" in said
    assert "Traceback" not in said


def test_a_file_that_cannot_be_stored_is_not_added(sandbox: GitSandbox) -> None:
    sandbox.lepton.write_text("in the way")
    sandbox.write("a.bin", os.urandom(100_000))
    result = sandbox.run("add", "a.bin")
    assert result.returncode != 0
    assert b"git-lepton: a.bin:" in result.stderr
    assert sandbox.git("ls-files") == ""


@pytest.mark.parametrize("text", [DAMAGED[0], LFS])
def test_what_stands_in_the_index_already_stops_nothing(sandbox: GitSandbox, text: bytes) -> None:
    """A clone of a history with such a file can be used: git cleans what it only looks at, too."""
    sandbox.commit(files={"good.bin": b"weights " * 100})
    blob = sandbox.git("hash-object", "-w", "--stdin", stdin=text).strip()
    sandbox.git("update-index", "--add", "--cacheinfo", f"100644,{blob},models/bad.bin")
    sandbox.git("commit", "--quiet", "-m", "something got lost")
    sandbox.git("reset", "--quiet", "--hard")
    assert sandbox.read("models/bad.bin") == text
    assert "models/bad.bin" in sandbox.stderr("add", "--renormalize", ".")
    assert sandbox.status() == ""
    assert sandbox.blob("models/bad.bin", "") == text
    sandbox.write("copy.bin", text)
    assert "copy.bin" in sandbox.stderr("add", "copy.bin", "good.bin")
    assert "copy.bin" not in sandbox.git("ls-files")


def test_four_commits_at_once_in_worktrees(sandbox: GitSandbox, tmp_path: Path) -> None:
    sandbox.commit()
    trees = []
    for number in range(4):
        sandbox.git("worktree", "add", "--quiet", str(tmp_path / f"tree{number}"))
        trees.append(GitSandbox(tmp_path / f"tree{number}"))
    data = [os.urandom(300_000) for _ in trees]
    threads = [
        threading.Thread(target=tree.commit, kwargs={"files": {"a.bin": own}}) for tree, own in zip(trees, data, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for tree, own in zip(trees, data, strict=True):
        tree.path("a.bin").unlink()
        tree.git("checkout", "--quiet", "--", "a.bin")
        assert tree.read("a.bin") == own
