"""Writing files over their pointers in a real work tree."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from git_lepton.errors import NetworkTrouble, WeightsMissing
from git_lepton.format.identifiers import ObjectId
from git_lepton.format.pointer import Pointer, parse_pointer
from git_lepton.git.repository import GitRepository
from git_lepton.store.local_store import LocalStore
from git_lepton.transfer.progress import SILENT, Progress
from git_lepton.workflow.checkout.materialise import NoRoom, ensure_possible, materialise, stands_for
from git_lepton.workspace import Workspace, open_workspace
from tests.support.git_sandbox import GitSandbox


class Counter:
    """A progress that remembers."""

    def __init__(self) -> None:
        self.total = self.done = 0
        self.over = False

    def start(self, total: int) -> None:
        self.total = total

    def advance(self, count: int) -> None:
        self.done += count

    def note(self, text: str) -> None: ...

    def finish(self) -> None:
        self.over = True


def silent(verb: str) -> Progress:
    return SILENT


@pytest.fixture
def sandbox(tmp_path: Path) -> GitSandbox:
    return GitSandbox.create(tmp_path / "repository")


def left_as_pointers(sandbox: GitSandbox, **files: bytes) -> dict[str, Pointer]:
    """Commit files ("__" stands for "/"), then leave their pointers in the work tree, as a checkout without weights does."""
    named = {name.replace("__", "/") + ".bin": data for name, data in files.items()}
    sandbox.commit(files=named)
    for name in named:
        sandbox.path(name).unlink()
    sandbox.git("checkout", "--quiet", "--", ".", GIT_LEPTON_SKIP_SMUDGE="1")
    assert sandbox.status() == ""
    return {name: parse_pointer(sandbox.read(name)) for name in named}


def test_pointers_become_files_and_git_sees_no_change(sandbox: GitSandbox) -> None:
    data = {"a": os.urandom(3_000_000), "deep__b": os.urandom(100_000)}
    files = left_as_pointers(sandbox, **data)
    sandbox.path("a.bin").chmod(0o640)
    shown: dict[str, Counter] = {}
    with open_workspace(sandbox.folder) as workspace:
        done = materialise(workspace, files, lambda verb: shown.setdefault(verb, Counter()))
    assert sorted(done.written) == ["a.bin", "deep/b.bin"]
    assert (done.kept, done.failed, done.index_trouble) == ([], {}, None)
    assert sandbox.read("a.bin") == data["a"]
    assert sandbox.read("deep/b.bin") == data["deep__b"]
    assert stat.S_IMODE(sandbox.path("a.bin").stat().st_mode) == 0o640
    assert sandbox.status() == ""
    assert (shown["Writing"].total, shown["Writing"].done, shown["Writing"].over) == (3_100_000, 3_100_000, True)
    assert sorted(path.name for path in sandbox.folder.iterdir()) == [".git", ".gitattributes", "a.bin", "deep"]


def test_only_the_expected_pointer_is_written_over(sandbox: GitSandbox, tmp_path: Path) -> None:
    files = left_as_pointers(
        sandbox, edited=b"1" * 999, gone=b"2" * 999, linked=b"3" * 999, folder__in=b"4" * 999, good=b"5" * 999
    )
    sandbox.write("edited.bin", "somebody's work")
    sandbox.path("gone.bin").unlink()
    outside = tmp_path / "outside"
    outside.mkdir()
    for path, target in (("linked.bin", outside / "file"), ("folder/in.bin", outside / "in.bin")):
        target.write_bytes(sandbox.read(path))
        sandbox.path(path).unlink()
    sandbox.path("linked.bin").symlink_to(outside / "file")
    sandbox.path("folder").rmdir()
    sandbox.path("folder").symlink_to(outside)
    with open_workspace(sandbox.folder) as workspace:
        done = materialise(workspace, {**files, "../escape.bin": files["good.bin"], ".git/x.bin": files["good.bin"]}, silent)
    assert done.written == ["good.bin"]
    assert set(done.kept) == {"edited.bin", "gone.bin", "linked.bin", "folder/in.bin", "../escape.bin", ".git/x.bin"}
    assert sandbox.read("edited.bin") == b"somebody's work"
    assert not sandbox.path("gone.bin").exists()
    assert {path.read_bytes()[:8] for path in outside.iterdir()} == {b"version "}


@pytest.mark.parametrize("path", ["", "/etc/passwd", "a//b", "../a", "a/../b", ".", ".git/a", ".GIT/a"])
def test_paths_that_are_no_work_tree_files_never_stand_for_anything(tmp_path: Path, path: str) -> None:
    pointer = Pointer(ObjectId(bytes(32)), 5)
    for place in (tmp_path / "b", tmp_path.parent / "a", tmp_path / "a", tmp_path / ".git" / "a"):
        if not place.exists():
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(pointer.encode())
    assert stands_for(tmp_path, "b", pointer)
    assert not stands_for(tmp_path, path, pointer)


def test_an_edit_while_the_file_is_being_rebuilt_wins(sandbox: GitSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    files = left_as_pointers(sandbox, a=os.urandom(1000))
    read = LocalStore.read

    def edited_meanwhile(store: LocalStore, name: object) -> object:
        sandbox.write("a.bin", "an edit")
        return read(store, name)  # type: ignore[arg-type]

    monkeypatch.setattr(LocalStore, "read", edited_meanwhile)
    with open_workspace(sandbox.folder) as workspace:
        done = materialise(workspace, files, silent)
    assert (done.written, done.kept) == ([], ["a.bin"])
    assert sandbox.read("a.bin") == b"an edit"
    assert not list(sandbox.folder.glob(".git-lepton*"))


def test_one_disk_mounted_twice_is_two(sandbox: GitSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both say that they are the same disk, and nothing can be moved from one to the other."""
    data = os.urandom(1000)
    files = left_as_pointers(sandbox, a=data)
    move = Path.replace

    def within_a_folder(source: Path, target: Path) -> Path:
        if source.parent != Path(target).parent:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        return move(source, target)

    monkeypatch.setattr(Path, "replace", within_a_folder)
    with open_workspace(sandbox.folder) as workspace:
        assert materialise(workspace, files, silent).written == ["a.bin"]
    assert sandbox.read("a.bin") == data
    assert sandbox.status() == ""
    assert not list(sandbox.folder.glob(".git-lepton*")) + list(sandbox.folder.glob(".git/lepton/checkout/*"))


def test_what_fails_stays_a_pointer_and_the_others_are_written(sandbox: GitSandbox) -> None:
    files = left_as_pointers(sandbox, a=os.urandom(1000))
    absent = Pointer(ObjectId(bytes(32)), 5)
    sandbox.write("absent.bin", absent.encode())
    trouble = NetworkTrouble("nobody is there")

    def fetch(pointers: Sequence[Pointer], progress: Progress, announce: object) -> None:
        assert pointers == [absent]
        raise trouble

    with closing(LocalStore(sandbox.lepton)) as store:
        workspace = SimpleNamespace(git=GitRepository(sandbox.folder), store=store, fetch=fetch)
        done = materialise(cast(Workspace, workspace), {**files, "absent.bin": absent}, silent)
    assert done.written == ["a.bin"]
    assert done.failed == {"absent.bin": trouble}
    assert sandbox.read("absent.bin") == absent.encode()


def test_what_a_killed_process_left_is_finished_and_cleared_away(sandbox: GitSandbox) -> None:
    data = os.urandom(1000)
    files = left_as_pointers(sandbox, a=data, b=os.urandom(1000), c=os.urandom(1000))
    sandbox.write("a.bin", data)  # written, but git was not told
    edit = sandbox.write("b.bin", os.urandom(1000)).read_bytes()  # as long as the weights, but somebody's work
    old, new = sandbox.lepton / "checkout/old", sandbox.lepton / "checkout/new"
    old.parent.mkdir()
    old.touch()
    new.touch()
    os.utime(old, (0, 0))
    with open_workspace(sandbox.folder) as workspace:
        done = materialise(workspace, files, silent)
    assert (done.written, sorted(done.kept)) == (["c.bin"], ["a.bin", "b.bin"])
    assert sandbox.read("b.bin") == edit
    assert sandbox.status() == " M b.bin\n"
    assert (old.exists(), new.exists()) == (False, True)


def workspace_with(folder: Path, store: LocalStore, somewhere: Callable[[Sequence[Pointer]], set[ObjectId]]) -> Workspace:
    return cast(Workspace, SimpleNamespace(git=GitRepository(folder), store=store, somewhere=somewhere, taken_away=lambda _: {}))


def test_a_promise_needs_room_and_weights(sandbox: GitSandbox) -> None:
    here = left_as_pointers(sandbox, a=b"1" * 1000)["a.bin"]
    there, nowhere, huge = (Pointer(ObjectId(bytes([n] * 32)), size) for n, size in ((1, 5), (2, 5), (1, 2**60)))
    asked: list[Pointer] = []

    def somewhere(pointers: Sequence[Pointer]) -> set[ObjectId]:
        asked.extend(pointers)
        return {there.oid}

    with closing(LocalStore(sandbox.lepton)) as store:
        workspace = workspace_with(sandbox.folder, store, somewhere)
        ensure_possible(workspace, here, 0)
        assert asked == []  # no question about what is on this machine
        ensure_possible(workspace, there, 0)
        with pytest.raises(WeightsMissing):
            ensure_possible(workspace, nowhere, 0)
        with pytest.raises(NoRoom):
            ensure_possible(workspace, huge, 0)
        with pytest.raises(NoRoom):
            ensure_possible(workspace, here, 2**60)
