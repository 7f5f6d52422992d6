"""Files of one version without clone and without git. Git's part is real (`git http-backend`), so is what sends and stores."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from git_lepton.errors import CorruptData, NetworkTrouble, WeightsMissing
from git_lepton.format.identifiers import ObjectId
from git_lepton.settings import Settings
from git_lepton.settings.addresses import BadStoreUrl
from git_lepton.transfer.git_snapshot import UnknownVersion
from git_lepton.transfer.push_bases import BaseSources, Reached
from git_lepton.workflow.download import repository as subject
from git_lepton.workflow.download.folder import partial_folder
from git_lepton.workflow.download.repository import (
    Arrived,
    FilesAbsent,
    FolderBusy,
    NothingMatches,
    fetch_without_git,
    split_source,
)
from git_lepton.workflow.download.safe_paths import PARTIAL, UnsafePath
from git_lepton.workspace import open_workspace
from tests.support import fine_tuned
from tests.support.git_http_server import GitHttpServer
from tests.support.git_sandbox import GitSandbox
from tests.transfer.double_server import Double
from tests.transfer.scripted_server import Answer, Request

MODEL = os.urandom(5 << 20)


class Hosted:
    """A store and git behind one address, and a repository to push there from."""

    def __init__(self, folder: Path, double: Double, git: GitHttpServer) -> None:
        self.double, self.git = double, git
        self.bare = git.create("ada/m", uploadpack__allowAnySHA1InWant="true")
        self.sandbox = GitSandbox.create(folder / "repo")
        self.sandbox.git("config", "lepton.url", self.url)
        self.published: list[ObjectId] = []
        answer_api = double.server.answer
        double.server.answer = lambda request: self.relay(request) if ".git/" in request.path else answer_api(request)

    @property
    def url(self) -> str:
        return f"{self.double.url}/ada/m"

    def relay(self, request: Request) -> Answer:
        headers = {"Content-Type": request.headers["content-type"]} if "content-type" in request.headers else {}
        asked = urllib.request.Request(self.git.url + request.path, request.body or None, headers, method=request.method)
        try:
            with urllib.request.urlopen(asked) as answer:
                return Answer(200, answer.read(), {"Content-Type": answer.headers["Content-Type"]})
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.read())

    def publish(self, files: Mapping[str, bytes | str]) -> str:
        """Commit these files and push weights and branch. The commit's name."""
        commit = self.sandbox.commit("a change", files)
        with open_workspace(self.sandbox.folder) as workspace:
            from git_lepton.workflow.sync.fetch import pointers_of

            pointers = [pointer for pointer, _ in pointers_of(workspace.git)]
            workspace.push(pointers, sources=BaseSources(Reached(self.published)))
        self.published += [pointer.oid for pointer in pointers]
        self.sandbox.git("push", "--quiet", "--no-verify", "--force", str(self.bare), "HEAD:refs/heads/main")
        return commit

    def bytes_asked(self) -> int:
        """Payload bytes of the ranges that were asked for since the last call."""
        total = 0
        for request in self.double.server.requests:
            start, _, end = request.headers.get("range", "bytes=0--1").removeprefix("bytes=").partition("-")
            total += int(end) + 1 - int(start) if request.method == "GET" and ".git/" not in request.path else 0
        self.double.server.requests.clear()
        return total


@pytest.fixture
def hosted(tmp_path: Path) -> Iterator[Hosted]:
    root = tmp_path / "served"
    root.mkdir()
    with Double() as double, GitHttpServer(root) as git:
        yield Hosted(tmp_path, double, git)


def get(hosted: Hosted, folder: Path, *patterns: str, at: str = "") -> Arrived:
    return fetch_without_git(Settings(None, {}), hosted.url + at, folder, patterns)


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_all_files_arrive_and_nothing_else_stays(hosted: Hosted, tmp_path: Path) -> None:
    script = hosted.sandbox.write("run.sh", "#!/bin/sh\n")
    script.chmod(0o755)
    commit = hosted.publish({"deep/er/model.bin": MODEL, "config.json": "{}", "empty.bin": b""})
    arrived = get(hosted, tmp_path / "to")
    assert arrived.commit == commit
    found = tree(tmp_path / "to")
    assert found.pop(".gitattributes")
    assert found == {"deep/er/model.bin": MODEL, "config.json": b"{}", "empty.bin": b"", "run.sh": b"#!/bin/sh\n"}
    assert os.access(tmp_path / "to" / "run.sh", os.X_OK)
    assert not os.access(tmp_path / "to" / "config.json", os.X_OK)
    assert arrived.bytes_received >= len(MODEL)
    script.chmod(0o644)
    hosted.publish({})
    get(hosted, tmp_path / "to")
    assert not os.access(tmp_path / "to" / "run.sh", os.X_OK)


def test_again_nothing_travels_and_what_is_wrong_is_mended(hosted: Hosted, tmp_path: Path) -> None:
    hosted.publish({"a.bin": MODEL, "b.bin": MODEL[: 1 << 20], "config.json": "{}"})
    get(hosted, tmp_path / "to")
    again = get(hosted, tmp_path / "to")
    assert (again.brought, again.bytes_received) == ([], 0)
    assert set(again.kept) == {"a.bin", "b.bin", "config.json", ".gitattributes"}
    (tmp_path / "to" / "b.bin").write_bytes(bytes(1 << 20))
    (tmp_path / "to" / "config.json").write_text("[]")
    mended = get(hosted, tmp_path / "to")
    assert set(mended.brought) == {"b.bin", "config.json"}
    assert (tmp_path / "to" / "b.bin").read_bytes() == MODEL[: 1 << 20]
    assert (tmp_path / "to" / "config.json").read_text() == "{}"


def test_a_changed_file_brings_only_what_its_earlier_version_lacks(hosted: Hosted, tmp_path: Path) -> None:
    hosted.publish({"a.bin": MODEL})
    get(hosted, tmp_path / "to")
    changed = MODEL[: 2 << 20] + b"changed" + MODEL[(2 << 20) + 7 :]
    hosted.publish({"a.bin": changed})
    hosted.bytes_asked()
    arrived = get(hosted, tmp_path / "to")
    assert (tmp_path / "to" / "a.bin").read_bytes() == changed
    assert 0 < arrived.bytes_received <= 2 << 20
    assert hosted.bytes_asked() <= 2 << 20


def test_a_version_that_is_coded_against_the_one_in_the_folder_brings_only_the_difference(hosted: Hosted, tmp_path: Path) -> None:
    (hosted.sandbox.folder / ".gitattributes").write_text("*.safetensors filter=lepton -text\n")
    hosted.publish({"m.safetensors": fine_tuned.model(0)})
    whole = get(hosted, tmp_path / "to").bytes_received
    hosted.publish({"m.safetensors": fine_tuned.model(1)})
    arrived = get(hosted, tmp_path / "to")
    assert (tmp_path / "to" / "m.safetensors").read_bytes() == fine_tuned.model(1)
    assert 0 < arrived.bytes_received < whole / 3


def test_patterns_are_paths_folders_or_globs(hosted: Hosted, tmp_path: Path) -> None:
    hosted.publish({"models/a.bin": b"a" * 2000, "models/b.bin": b"b" * 2000, "notes/c.txt": "c", "d.txt": "d"})
    assert set(get(hosted, tmp_path / "one", "models/a.bin").brought) == {"models/a.bin"}
    assert set(get(hosted, tmp_path / "two", "models/", "./d.txt").brought) == {"models/a.bin", "models/b.bin", "d.txt"}
    assert set(get(hosted, tmp_path / "three", "*.bin").brought) == {"models/a.bin", "models/b.bin"}
    with pytest.raises(NothingMatches, match=r"\*\.pt") as caught:
        get(hosted, tmp_path / "four", "*.bin", "*.pt")
    assert caught.value.exit_code == 2
    assert not (tmp_path / "four").exists()


def test_a_version_is_a_branch_a_tag_or_a_commit(hosted: Hosted, tmp_path: Path) -> None:
    first = hosted.publish({"a.bin": b"first" * 1000})
    hosted.sandbox.git("tag", "--annotate", "-m", "one", "v1")
    hosted.sandbox.git("push", "--quiet", "--no-verify", str(hosted.bare), "v1", "HEAD:refs/heads/feature/x")
    second = hosted.publish({"a.bin": b"second" * 1000})
    for at, commit in {"": second, "@main": second, "@v1": first, "@feature/x": first, f"@{first}": first}.items():
        assert get(hosted, tmp_path / "to", at=at).commit == commit, at
    for unknown in ("@nowhere", f"@{first[:9]}", "@" + "0" * 40, "@" + "0" * 39 + "1"):
        with pytest.raises(UnknownVersion) as caught:
            get(hosted, tmp_path / "to", at=unknown)
        assert caught.value.exit_code == 2


def test_an_interrupted_download_goes_on_where_it_was(hosted: Hosted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hosted.publish({"a.bin": MODEL})

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(subject, "write_file", stop)
        get(hosted, tmp_path / "to")
    assert not (tmp_path / "to" / "a.bin").exists()
    assert hosted.bytes_asked() > 0
    assert get(hosted, tmp_path / "to").brought == ["a.bin"]
    assert hosted.bytes_asked() == 0
    assert (tmp_path / "to" / "a.bin").read_bytes() == MODEL
    assert not (tmp_path / "to" / PARTIAL).exists()


def test_weights_that_the_store_lacks_are_4(hosted: Hosted, tmp_path: Path) -> None:
    hosted.publish({"a.bin": MODEL})
    hosted.double.objects.clear()
    with pytest.raises(WeightsMissing):
        get(hosted, tmp_path / "to")


def test_one_file_without_weights_holds_up_no_other_and_is_named(hosted: Hosted, tmp_path: Path) -> None:
    hosted.publish({"a.bin": b"a" * 2000, "models/b.bin": MODEL, "c.bin": b"c" * 3000})
    del hosted.double.objects[hashlib.sha256(b"a" * 2000).digest()]
    with pytest.raises(FilesAbsent, match=r"1 file could not be brought, all others are in place: a\.bin: ") as caught:
        get(hosted, tmp_path / "to")
    assert list(caught.value.absent) == ["a.bin"]
    assert caught.value.exit_code == 4
    assert {"models/b.bin", "c.bin"} <= tree(tmp_path / "to").keys()
    assert "a.bin" not in tree(tmp_path / "to")
    assert not (tmp_path / "to" / PARTIAL).exists()


@pytest.mark.parametrize("there", [True, False])
def test_a_download_that_brings_nothing_leaves_nothing(hosted: Hosted, tmp_path: Path, there: bool) -> None:
    hosted.publish({"a.bin": MODEL})
    to = tmp_path / "made" / "to"
    if there:
        to.mkdir(parents=True)
    with pytest.raises(NothingMatches):
        get(hosted, to, "nowhere/*")
    assert to.exists() is there
    assert (tmp_path / "made").exists() is there
    assert not (to / PARTIAL).exists()


def test_an_unreachable_server_is_5(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    with pytest.raises(NetworkTrouble):
        fetch_without_git(Settings(None, {}), "http://127.0.0.1:1/a/b", tmp_path / "to")


def test_two_downloads_into_one_folder_do_not_meet(hosted: Hosted, tmp_path: Path) -> None:
    hosted.publish({"a.bin": b"a" * 2000})
    with partial_folder(tmp_path / "to"), pytest.raises(FolderBusy):
        get(hosted, tmp_path / "to")


MACRO = "[attr]weights filter=lepton diff=lepton merge=lepton -text\n*.bin weights\n"


@pytest.mark.parametrize("attributes", [MACRO, "\ufeff*.bin filter=lepton -text\n", "*.[b]in filter=lepton\n"])
def test_whatever_git_took_for_weights_arrives_as_weights(hosted: Hosted, tmp_path: Path, attributes: str) -> None:
    """A macro; a mark that git skips in a work tree alone. No pointer is left where a model should be."""
    hosted.sandbox.write(".gitattributes", attributes)
    hosted.publish({"a.bin": MODEL[:200_000], "inner/b.bin": MODEL[:100_000]})
    get(hosted, tmp_path / "to")
    assert (tmp_path / "to" / "a.bin").read_bytes() == MODEL[:200_000]
    assert (tmp_path / "to" / "inner" / "b.bin").read_bytes() == MODEL[:100_000]


@pytest.mark.parametrize("attributes", [None, "*.bin -filter\n"])
def test_a_pointer_that_no_attribute_covers_arrives_as_weights(hosted: Hosted, tmp_path: Path, attributes: str | None) -> None:
    hosted.publish({"a.bin": MODEL[:200_000]})
    hosted.sandbox.git("rm", "--quiet", "--cached", ".gitattributes")
    if attributes:
        blob = hosted.sandbox.git("hash-object", "-w", "--stdin", stdin=attributes.encode()).strip()
        hosted.sandbox.git("update-index", "--add", "--cacheinfo", f"100644,{blob},.gitattributes")
    hosted.sandbox.git("commit", "--quiet", "-m", "forgotten")
    hosted.sandbox.git("push", "--quiet", "--no-verify", "--force", str(hosted.bare), "HEAD:refs/heads/main")
    get(hosted, tmp_path / "to")
    assert (tmp_path / "to" / "a.bin").read_bytes() == MODEL[:200_000]


@pytest.mark.parametrize("end", [b"", b"and more\n"])
def test_a_pointer_without_weights_is_4_and_what_is_none_is_ordinary_text(hosted: Hosted, tmp_path: Path, end: bytes) -> None:
    text = b"version git-lepton/v1\noid sha256:%s\nsize 5\n" % (b"0" * 64) + end
    hosted.sandbox.write("inner/.gitattributes", '*.bin !filter\n"with space" filter=lepton -text\n')
    hosted.sandbox.git("add", ".")
    blob = hosted.sandbox.git("hash-object", "-w", "--stdin", stdin=text).strip()
    for path in ("a.txt", "inner/a.bin"):
        hosted.sandbox.git("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}")
        hosted.sandbox.path(path).write_bytes(text)
    hosted.publish({"inner/with space": MODEL})
    if not end:
        with pytest.raises(WeightsMissing):
            get(hosted, tmp_path / "to")
        return
    get(hosted, tmp_path / "to")
    assert tree(tmp_path / "to")["a.txt"] == tree(tmp_path / "to")["inner/a.bin"] == text
    assert (tmp_path / "to" / "inner" / "with space").read_bytes() == MODEL


def test_links_and_submodules_are_left_out_and_said(hosted: Hosted, tmp_path: Path) -> None:
    hosted.sandbox.path("link").symlink_to("/etc/passwd")
    hosted.publish({"a.txt": "a"})
    arrived = get(hosted, tmp_path / "to")
    assert arrived.left_out == {"link": "a symbolic link"}
    assert not (tmp_path / "to" / "link").exists()


@pytest.mark.parametrize("name", [b"..", b".git", b".GIT", b"git~1", b".gi\xe2\x80\x8ct", PARTIAL.encode()])
def test_a_hostile_tree_writes_nothing(hosted: Hosted, tmp_path: Path, name: bytes) -> None:
    hosted.publish({"a.txt": "harmless"})
    bare = GitSandbox(hosted.bare)
    blob = bare.git("rev-parse", "main:a.txt").strip()
    inner = _tree(bare, b"100644 evil\0" + bytes.fromhex(blob))
    outer = _tree(bare, b"100644 a.txt\0" + bytes.fromhex(blob) + b"40000 " + name + b"\0" + bytes.fromhex(inner))
    commit = bare.git("commit-tree", "-m", "evil", outer).strip()
    bare.git("update-ref", "refs/heads/main", commit)
    with pytest.raises((UnsafePath, CorruptData, NetworkTrouble)):
        get(hosted, tmp_path / "deep" / "to")
    assert set(tree(tmp_path / "deep")) <= {f"to/{PARTIAL}/lock"}


def _tree(bare: GitSandbox, content: bytes) -> str:
    return bare.git("hash-object", "-t", "tree", "-w", "--stdin", "--literally", stdin=content).strip()


def test_nothing_is_written_through_a_link_that_is_there(hosted: Hosted, tmp_path: Path) -> None:
    hosted.publish({"models/a.bin": b"a" * 2000})
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "models").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnsafePath, match="link"):
        get(hosted, tmp_path / "to")
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("https://h/a/b", ("https://h/a/b", "HEAD")),
        ("lepton::https://me@h:1/a/b@feature/x@y", ("lepton::https://me@h:1/a/b", "feature/x@y")),
    ],
)
def test_a_source_is_an_address_and_a_revision(source: str, expected: tuple[str, str]) -> None:
    assert split_source(source) == expected


@pytest.mark.parametrize("source", ["a/b", "https://h", "https://h/a/b@", "../folder"])
def test_what_is_no_source_is_wrong_use(source: str) -> None:
    with pytest.raises(BadStoreUrl):
        split_source(source)


def test_the_command_needs_no_git(hosted: Hosted, tmp_path: Path) -> None:
    hosted.publish({"a.bin": MODEL})
    done = subprocess.run(
        [sys.executable, "-m", "git_lepton", "download", hosted.url, "--to", str(tmp_path / "to")],
        env={"PATH": "", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "brought 2 files" in done.stderr) == (0, True), done.stderr
    assert (tmp_path / "to" / "a.bin").read_bytes() == MODEL
