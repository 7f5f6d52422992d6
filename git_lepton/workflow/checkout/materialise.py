"""Materialising: weights are written over the pointers that stand for them in the work tree, beside git, and git is told.

A file is touched only while it is exactly the pointer that is expected there: whatever else stands at the path is somebody's
work. Nothing is written through a symbolic link. Each file changes at once or not at all; what fails stays a pointer.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from git_lepton.errors import LeptonError, WeightsMissing, WrongUse
from git_lepton.workflow.checkout.arriving_store import ArrivingStore
from git_lepton.workflow.checkout.index_refresh import NotRefreshed, refresh_index, unnoticed
from git_lepton.workflow.checkout.just_written import JustWritten, listed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from git_lepton.format.pointer import Pointer
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

    Raises NoRoom, WeightsMissing where the store is reached and lacks it (WeightsTakenAway where it says why), and what asking the
    store raises.
    """
    from shutil import disk_usage

    from git_lepton.workflow.sync.fetch import lacking

    top = workspace.git.work_tree()
    needed = pointer.size + promised
    free = disk_usage(top).free
    if free < needed:
        raise NoRoom(f"{top} has {free:,} bytes free, and the files need {needed:,}", "Make room, then repeat.")
    if lacking(workspace.store, [pointer]) and pointer.oid not in workspace.somewhere([pointer]):
        raise workspace.taken_away([pointer]).get(pointer.oid) or WeightsMissing(
            f"the store lacks the weights {pointer.oid}", "Somebody who has them has to run: git lepton push"
        )


def materialise(workspace: Workspace, files: Mapping[str, Pointer], show: Callable[[str], Progress]) -> Materialised:
    """Write the weights of these paths (relative to the top of the work tree) where their pointers stand; brings what is missing.

    `show` makes the progress for one verb. Never raises for a single file.
    """
    top = workspace.git.work_tree()
    standing = {path: pointer for path, pointer in files.items() if stands_for(top, path, pointer)}
    written, failed = _bring_and_write(workspace, top, standing, show) if standing else ({}, {})
    kept = [path for path in files if path not in written and path not in failed]
    look = [*written, *unnoticed(workspace.git, {path: files[path] for path in kept})]
    try:
        _tell_git(workspace, look, {path: JustWritten(files[path], xxh3) for path, xxh3 in written.items()})
    except NotRefreshed as error:
        return Materialised([*written], kept, failed, error)
    return Materialised([*written], kept, failed, None)


def _tell_git(workspace: Workspace, paths: Sequence[str], written: Mapping[str, JustWritten]) -> None:
    """Let git look at the files; what we have just written need not be named again. Raises NotRefreshed."""
    if written:
        with listed(written, workspace.store.root / "checkout") as variables, contextlib.suppress(NotRefreshed):
            refresh_index(workspace.git, paths, variables)
            return
    refresh_index(workspace.git, paths)


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


def _bring_and_write(
    workspace: Workspace, top: Path, files: Mapping[str, Pointer], show: Callable[[str], Progress]
) -> tuple[dict[str, str], dict[str, LeptonError]]:
    """Fetch what lacks, and write meanwhile what has arrived. What cannot be fetched fails; what did come is written all the same."""
    from concurrent.futures import ThreadPoolExecutor

    from git_lepton.transfer.progress import SILENT
    from git_lepton.workflow.sync.fetch import lacking

    _forget_leftovers(workspace.store.root)
    needed = lacking(workspace.store, files.values())
    store = ArrivingStore(workspace.store, SILENT if needed else show("Writing"))
    with ThreadPoolExecutor(1) as pool:
        fetching = pool.submit(_bring, workspace, needed, show, store)
        outcomes = _write_all(store, top, files)
        trouble = fetching.result()
    written = {path: outcome for path, outcome in outcomes.items() if isinstance(outcome, str)}
    failed = {path: outcome for path, outcome in outcomes.items() if isinstance(outcome, LeptonError)}
    if trouble is not None:
        failed = {
            path: why_missing(trouble, files[path]) if isinstance(error, WeightsMissing) else error
            for path, error in failed.items()
        }
    return written, failed


def why_missing(trouble: LeptonError, pointer: Pointer) -> LeptonError:
    """Why these weights are not here: of those that were taken away the store says more."""
    from git_lepton.transfer.download import ObjectsAbsent

    return trouble.about(pointer.oid) if isinstance(trouble, ObjectsAbsent) else trouble


def _bring(
    workspace: Workspace, needed: Sequence[Pointer], show: Callable[[str], Progress], store: ArrivingStore
) -> LeptonError | None:
    try:
        if needed:
            workspace.fetch(needed, show("Downloading"), announce=store.announce)
    except LeptonError as error:
        return error
    finally:
        store.finish()
    return None


def _write_all(store: ArrivingStore, top: Path, files: Mapping[str, Pointer]) -> dict[str, str | LeptonError | None]:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(max(1, min(_MOST_FILES_AT_ONCE, os.cpu_count() or 1))) as pool, store.counting(files.values()):
        return dict(zip(files, pool.map(lambda item: _write(store, top, *item), files.items()), strict=True))


def _write(store: ArrivingStore, top: Path, path: str, pointer: Pointer) -> str | LeptonError | None:
    """The XXH3 of the file that is there now, None if something else came to stand at the path meanwhile."""
    from git_lepton.workflow.checkout.smudge import CannotWriteFile

    try:
        for ready in _places_for(top / path, store.root):
            with contextlib.suppress(_OtherDisk):
                return _write_by_way_of(ready, store, top, path, pointer)
    except LeptonError as error:
        return error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        return CannotWriteFile(f"cannot write {path}: {reason}", "Close the programs that use it, then run: git lepton pull")
    return CannotWriteFile(f"cannot write {path}: it is a disk of its own", "Track a file in a folder of that disk.")


class _OtherDisk(Exception):
    """A file made there cannot be moved to where it belongs."""


def _write_by_way_of(ready: Path, store: ArrivingStore, top: Path, path: str, pointer: Pointer) -> str | None:
    """As `_write`. Raises _OtherDisk, LeptonError, OSError."""
    from git_lepton.workflow.checkout.smudge import write_file

    target = top / path
    try:
        written = write_file(pointer, store, ready)
        if not stands_for(top, path, pointer):
            return None
        ready.chmod(stat.S_IMODE(target.lstat().st_mode))
        ready.replace(target)
    except OSError as error:
        if error.errno == errno.EXDEV:
            raise _OtherDisk from error
        raise
    finally:
        with contextlib.suppress(OSError):
            ready.unlink()
    return written


def _places_for(target: Path, root: Path) -> list[Path]:
    """Where a file can be made that is to become `target`: in the store's folder if that seems to be on the same disk, since what
    a killed process leaves there is no untracked file of the work tree, else (one disk mounted twice is two) beside it."""
    from git_lepton.workflow.checkout.smudge import TEMPORARY_PREFIX

    name = f"{TEMPORARY_PREFIX}{os.urandom(8).hex()}"
    folder = root / "checkout"
    with contextlib.suppress(OSError):  # whatever is wrong with that folder, there is another
        folder.mkdir(parents=True, exist_ok=True)
        if folder.stat().st_dev == target.parent.stat().st_dev:
            return [folder / name, target.with_name(name)]
    return [target.with_name(name)]


def _forget_leftovers(root: Path) -> None:
    """Remove what processes that were killed left behind; a day is longer than any file takes."""
    for leftover in (root / "checkout").glob("*"):
        with contextlib.suppress(OSError):  # another process does the same
            if leftover.lstat().st_mtime < time.time() - 86400:
                leftover.unlink()
