"""The state of every tracked file of a work tree: real, still a pointer, changed, or never cleaned; and what a push would
send."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from git_lepton.errors import LeptonError
from git_lepton.format.placeholders import placeholder
from git_lepton.format.pointer import MAX_POINTER_BYTES, NotAPointer, Pointer, parse_pointer
from git_lepton.git.repository import GitRepository, SmallBlob
from git_lepton.workflow.sync.coverage import stray_pointers, uncovered_in_index
from git_lepton.workflow.sync.unfinished import conflicted, ensure_checked_out
from git_lepton.workspace import Workspace


class FileState(StrEnum):
    """What stands at a tracked path. `RAW`: git itself holds the bytes, since they were added without the filter; `PLACEHOLDER`: so
    it holds another tool's pointer. `UNCOVERED`: a pointer stands there, and no attribute says that the path is ours."""

    HERE = "here"
    CONFLICT = "conflict"
    POINTER = "pointer"
    MODIFIED = "modified"
    DELETED = "deleted"
    SPARSE = "sparse"
    RAW = "raw"
    PLACEHOLDER = "placeholder"
    DAMAGED = "damaged pointer"
    UNCOVERED = "uncovered pointer"


@dataclass(frozen=True)
class TrackedFile:
    """One path with filter=lepton, or with a pointer, in git's index. `pointer` is what the index holds, None where that is none."""

    path: str
    state: FileState
    pointer: Pointer | None
    staged: bool = False  # the index differs from HEAD


@dataclass(frozen=True)
class Unpushed:
    """What a push to `remote` would bring there, as far as this side knows. `bytes` are those of the files, before coding."""

    remote: str | None
    pointers: tuple[Pointer, ...]

    @property
    def bytes(self) -> int:
        return sum(pointer.size for pointer in self.pointers)


def tracked_files(git: GitRepository, paths: Sequence[str] = ()) -> list[TrackedFile]:
    """The tracked files, of these paths where some are given, in git's order; first those in conflict. Asks git whether they
    changed, so that `git add`'s own rules hold. Raises NotCheckedOut."""
    if not paths:
        ensure_checked_out(git)
    torn = [TrackedFile(path, FileState.CONFLICT, None) for path in conflicted(git, paths)] if git.top_level else []
    return torn + _settled_files(git, paths)


def _settled_files(git: GitRepository, paths: Sequence[str]) -> list[TrackedFile]:
    entries = git.index_entries(*paths)
    ours = git.lepton_paths(entry.path for entry in entries)
    strays = stray_pointers(git, entries, ours)
    entries = [entry for entry in entries if entry.path in ours or entry.path in strays]
    if not entries:
        return []
    small = {blob.path: blob for blob in git.small_blobs_in_index(*paths)}
    changed = changes(git, paths)
    top = git.work_tree()
    found = []
    for entry in entries:
        change = changed.get(entry.path, "  ")
        if entry.path in strays:
            found.append(TrackedFile(entry.path, FileState.UNCOVERED, strays[entry.path], change[0] not in " ?!"))
            continue
        pointer, problem = _pointer_of(small.get(entry.path))
        state = problem or (FileState.SPARSE if entry.skipped else _state(top / entry.path, pointer, change[1]))
        found.append(TrackedFile(entry.path, state, pointer, change[0] not in " ?!"))
    return found


def covered_only_here(git: GitRepository, files: Sequence[TrackedFile]) -> list[str]:
    """The tracked files that are pointers in git and whose attributes are not in the index: others would get no weights."""
    return uncovered_in_index(git, [file.path for file in files if file.pointer and file.state is not FileState.UNCOVERED])


def unpushed(workspace: Workspace, remote: str | None = None) -> Unpushed:
    """The objects that HEAD reaches and no branch of the remote, as of the last fetch or push, does."""
    git = workspace.git
    name = workspace.settings.remote_name(remote, push=True)
    if git.rev_parse("HEAD") is None:
        return Unpushed(name, ())
    known = list(git.refs(f"refs/remotes/{name}").values()) if name else []
    pointers = (_pointer_of(blob)[0] for blob in git.new_small_blobs(["HEAD"], known))
    return Unpushed(name, tuple(dict.fromkeys(pointer for pointer in pointers if pointer)))


def taken_away(workspace: Workspace, files: Sequence[TrackedFile]) -> dict[str, str]:
    """Of the files that are still pointers those whose weights were taken away, by path: which, since when, by whom and why. As far as a
    store was asked for them by now: nobody is asked."""
    waiting = {file.path: file.pointer.oid for file in files if file.state is FileState.POINTER and file.pointer}
    if not waiting:
        return {}
    from git_lepton.transfer.taken_notes import read_notes
    from git_lepton.transfer.tombstones import told

    notes = read_notes(workspace.git.common_dir / "lepton")
    return {path: told(notes[oid]) for path, oid in waiting.items() if oid in notes}


def _pointer_of(blob: SmallBlob | None) -> tuple[Pointer | None, FileState | None]:
    """The pointer in a blob, or what is wrong with it. An empty file is as it should be."""
    if blob is None:
        return None, FileState.RAW
    if not blob.data:
        return None, None
    try:
        return parse_pointer(blob.data), None
    except NotAPointer:
        return None, FileState.PLACEHOLDER if placeholder(blob.data) else FileState.RAW
    except LeptonError:  # BadPointer, UnknownPointerVersion
        return None, FileState.DAMAGED


def _state(file: Path, pointer: Pointer | None, change: str) -> FileState:
    if change == "D":
        return FileState.DELETED
    if change not in " ":
        return FileState.MODIFIED
    return FileState.POINTER if pointer and stands_as_pointer(file, pointer) else FileState.HERE


def stands_as_pointer(file: Path, pointer: Pointer) -> bool:
    """Whether the file in the work tree is this pointer's own text."""
    try:
        if file.is_symlink() or file.stat().st_size > MAX_POINTER_BYTES:
            return False
        return file.read_bytes() == pointer.encode()
    except OSError:  # not there, or not readable: then it is not a pointer either
        return False


def changes(git: GitRepository, paths: Sequence[str] = ()) -> dict[str, str]:
    """git's two letters (index, work tree) for each path that is not as in HEAD."""
    arguments = ("--literal-pathspecs", "status", "--porcelain", "-z", "--no-renames", "--untracked-files=no", "--", *paths)
    lines = os.fsdecode(git.run(*arguments)).split("\0")
    return {line[3:]: line[:2] for line in lines if line}
