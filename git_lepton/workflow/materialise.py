"""Writes weights in place of the pointers that stand for them in the work tree, beside git, and lets git know.

A file is touched only while it is exactly the pointer that is expected there: whatever else stands at the path is somebody's
work. Nothing is written through a symbolic link. Each file changes at once or not at all; what fails stays a pointer.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from git_lepton.errors import LeptonError, WeightsMissing, WrongUse
from git_lepton.git.program import GitFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from git_lepton.format.identifiers import ChunkId, ObjectId
    from git_lepton.format.manifest import Manifest
    from git_lepton.format.pointer import Pointer
    from git_lepton.git.repository import GitRepository
    from git_lepton.store.local_store import LocalStore
    from git_lepton.transfer.progress import Progress
    from git_lepton.workspace import Workspace

_MOST_FILES_AT_ONCE = 4  # each decodes some 40 MiB ahead
_LOCK_WAITS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)  # seconds; git holds its index lock for less


class NoRoom(WrongUse):
    """The disk has no room for the files."""


class NotRefreshed(WrongUse):
    """The files are in place, but git was not told: it takes them for modified until it looks at them."""


class Materialised(NamedTuple):
    """`written`: paths that now hold weights. `kept`: paths where something else than the pointer stood, which were left alone.
    `failed`: why a path stays a pointer. `index_trouble`: why git does not know of the written ones yet."""

    written: list[str]
    kept: list[str]
    failed: dict[str, LeptonError]
    index_trouble: LeptonError | None


def ensure_possible(workspace: Workspace, pointer: Pointer, promised: int) -> None:
    """Whether a pointer may stand for its file until it is materialised, `promised` bytes of other files being due as well.

    Raises NoRoom, WeightsMissing where the store is reached and lacks it, and what asking the store raises.
    """
    from shutil import disk_usage

    from git_lepton.workflow.fetch import lacking

    top = workspace.git.work_tree()
    needed = pointer.size + promised
    free = disk_usage(top).free
    if free < needed:
        raise NoRoom(f"{top} has {free:,} bytes free, and the files need {needed:,}", "Make room, then repeat.")
    if lacking(workspace.store, [pointer]) and pointer.oid not in workspace.stored([pointer]):
        raise WeightsMissing(f"the store lacks the weights {pointer.oid}", "Somebody who has them has to run: git lepton push")


def materialise(workspace: Workspace, files: Mapping[str, Pointer], show: Callable[[str], Progress]) -> Materialised:
    """Write the weights of these paths (relative to the top of the work tree) where their pointers stand; brings what is missing.

    `show` makes the progress for one verb. Never raises for a single file.
    """
    top = workspace.git.work_tree()
    standing = {path: pointer for path, pointer in files.items() if stands_for(top, path, pointer)}
    trouble = _bring(workspace, standing.values(), show) if standing else None
    written, failed = _write_all(workspace.store, top, standing, show) if standing else ([], {})
    if trouble is not None:
        failed = {path: trouble if isinstance(error, WeightsMissing) else error for path, error in failed.items()}
    kept = [path for path in files if path not in written and path not in failed]
    return Materialised(written, kept, failed, _refresh(workspace.git, written))


def stands_for(top: Path, path: str, pointer: Pointer) -> bool:
    """Whether the regular file at this path of the work tree, reached without a symbolic link, is this pointer's text."""
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts) or parts[0].lower() == ".git":
        return False
    place, text = top, pointer.encode()
    try:
        for part in parts[:-1]:
            place /= part
            if not stat.S_ISDIR(place.lstat().st_mode):
                return False
        file = place / parts[-1]
        status = file.lstat()
        return stat.S_ISREG(status.st_mode) and status.st_size == len(text) and file.read_bytes() == text
    except OSError:  # not there any more, or not readable: either way it is not the pointer
        return False


def refresh_index(git: GitRepository, paths: Iterable[str]) -> None:
    """Let git look at these files again: it cleans each once, and nothing is staged. Raises NotRefreshed.

    git believes that a file has changed, without a look at it, when its size is not the remembered one; so what it remembers
    of the file (not its content) is blanked first. `git update-index --stdin` would also stage what somebody edits meanwhile.
    """
    wanted = set(paths)
    watched = [entry for entry in git.index_entries() if entry.path in wanted and entry.watched] if wanted else []
    if not watched:
        return
    blank = "".join(f"{entry.mode} {entry.blob} 0\t{entry.path}\0" for entry in watched)
    names = "".join(f"{entry.path}\0" for entry in watched)
    refresh = ("--literal-pathspecs", "add", "--refresh", "--pathspec-from-file=-", "--pathspec-file-nul")
    try:
        _change_index(git, ("update-index", "-z", "--index-info"), os.fsencode(blank))
        _change_index(git, refresh, os.fsencode(names))
    except GitFailed as error:
        some = " ".join(entry.path for entry in watched[:5]) + (" ..." if len(watched) > 5 else "")
        raise NotRefreshed(
            f"the weights are in place, but git was not told: {error.message}", f"When git is idle, run: git add -- {some}"
        ) from error


def _change_index(git: GitRepository, arguments: tuple[str, ...], stdin: bytes) -> None:
    """Run git where it takes the lock of its index, again if somebody else has that just now."""
    for wait in (*_LOCK_WAITS, None):
        status, _, stderr = git.try_run("-C", str(git.work_tree()), *arguments, stdin=stdin)
        if status == 0:
            return
        if wait is None or "index.lock" not in stderr:
            break
        time.sleep(wait)
    raise GitFailed(arguments, status, stderr)


def _bring(workspace: Workspace, pointers: Iterable[Pointer], show: Callable[[str], Progress]) -> LeptonError | None:
    from git_lepton.workflow.fetch import fetch_weights

    try:
        fetch_weights(workspace.store, pointers, lambda needed: workspace.fetch(needed, show("Downloading")))
    except LeptonError as error:
        return error  # what did come is written all the same
    return None


def _write_all(
    store: LocalStore, top: Path, files: Mapping[str, Pointer], show: Callable[[str], Progress]
) -> tuple[list[str], dict[str, LeptonError]]:
    from concurrent.futures import ThreadPoolExecutor

    progress = show("Writing")
    progress.start(sum(pointer.size for pointer in files.values()))
    counted = _Counted(store, progress)
    with ThreadPoolExecutor(max(1, min(_MOST_FILES_AT_ONCE, os.cpu_count() or 1))) as pool:
        outcomes = list(pool.map(lambda item: _write(counted, top, *item), files.items()))
    progress.finish()
    written = [path for path, outcome in zip(files, outcomes, strict=True) if outcome is True]
    failed = {path: outcome for path, outcome in zip(files, outcomes, strict=True) if isinstance(outcome, LeptonError)}
    return written, failed


def _write(store: _Counted, top: Path, path: str, pointer: Pointer) -> bool | LeptonError:
    """True if the file is there now, False if something else came to stand at the path meanwhile."""
    from git_lepton.workflow.smudge import TEMPORARY_PREFIX, CannotWriteFile, write_file

    target = top / path
    ready = target.with_name(f"{TEMPORARY_PREFIX}{os.urandom(8).hex()}")
    try:
        write_file(pointer, store, ready)
        if not stands_for(top, path, pointer):
            return False
        ready.chmod(stat.S_IMODE(target.lstat().st_mode))
        ready.replace(target)
    except LeptonError as error:
        return error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        return CannotWriteFile(f"cannot write {path}: {reason}", "Close the programs that use it, then run: git lepton pull")
    finally:
        with contextlib.suppress(OSError):
            ready.unlink()
    return True


def _refresh(git: GitRepository, paths: list[str]) -> LeptonError | None:
    try:
        refresh_index(git, paths)
    except LeptonError as error:
        return error
    return None


class _Counted:
    """A store whose reads show up as progress."""

    def __init__(self, store: LocalStore, progress: Progress) -> None:
        self._store, self._progress = store, progress

    def missing(self, names: Iterable[ChunkId]) -> set[ChunkId]:
        return self._store.missing(names)

    def manifest(self, oid: ObjectId) -> Manifest | None:
        return self._store.manifest(oid)

    def refresh(self) -> None:
        self._store.refresh()

    def read(self, name: ChunkId) -> bytes | bytearray:
        data = self._store.read(name)
        self._progress.advance(len(data))
        return data
