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
from git_lepton.workflow.refresh import NotRefreshed, refresh_index, unnoticed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from git_lepton.format.coding.codec import EncodedChunk
    from git_lepton.format.identifiers import ChunkId, ObjectId
    from git_lepton.format.manifest import Manifest
    from git_lepton.format.pointer import Pointer
    from git_lepton.store.local_store import LocalStore
    from git_lepton.transfer.progress import Progress
    from git_lepton.workspace import Workspace

_MOST_FILES_AT_ONCE = 4  # each decodes some 40 MiB ahead


class NoRoom(WrongUse):
    """The disk has no room for the files."""


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
    try:
        refresh_index(workspace.git, written + unnoticed(workspace.git, {path: files[path] for path in kept}))
    except NotRefreshed as error:
        return Materialised(written, kept, failed, error)
    return Materialised(written, kept, failed, None)


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

    _forget_leftovers(store.root)
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
    from git_lepton.workflow.smudge import CannotWriteFile, write_file

    target = top / path
    ready = _place_beside(target, store.root)
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


def _place_beside(target: Path, root: Path) -> Path:
    """Where a file can be made that is to become `target`: in the store's folder if it is on the same disk, since what a killed
    process leaves there is no untracked file of the work tree, else beside it."""
    from git_lepton.workflow.smudge import TEMPORARY_PREFIX

    name = f"{TEMPORARY_PREFIX}{os.urandom(8).hex()}"
    folder = root / "checkout"
    with contextlib.suppress(OSError):  # whatever is wrong with that folder, there is another
        folder.mkdir(parents=True, exist_ok=True)
        if folder.stat().st_dev == target.parent.stat().st_dev:
            return folder / name
    return target.with_name(name)


def _forget_leftovers(root: Path) -> None:
    """Remove what processes that were killed left behind; a day is longer than any file takes."""
    for leftover in (root / "checkout").glob("*"):
        with contextlib.suppress(OSError):  # another process does the same
            if leftover.lstat().st_mtime < time.time() - 86400:
                leftover.unlink()


class _Counted:
    """A store whose reads show up as progress."""

    def __init__(self, store: LocalStore, progress: Progress) -> None:
        self.root = store.root
        self._store, self._progress = store, progress

    def missing(self, names: Iterable[ChunkId]) -> set[ChunkId]:
        return self._store.missing(names)

    def encoded(self, name: ChunkId) -> EncodedChunk:
        return self._store.encoded(name)

    def manifests(self) -> Iterator[Manifest]:
        return self._store.manifests()

    def manifest(self, oid: ObjectId) -> Manifest | None:
        return self._store.manifest(oid)

    def refresh(self) -> None:
        self._store.refresh()

    def read(self, name: ChunkId) -> bytes | bytearray:
        data = self._store.read(name)
        self._progress.advance(len(data))
        return data
