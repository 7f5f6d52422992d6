"""The folder of a download: one download at a time, a place inside for what is on its way, and which files are right already."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from git_lepton.errors import WrongUse
from git_lepton.format.pointer import Pointer
from git_lepton.store.file_lock import try_lock, unlock
from git_lepton.workflow.download.safe_paths import PARTIAL

_LOCK = "lock"


class FolderBusy(WrongUse):
    """Another download into the same folder is running."""


class NotAFolder(WrongUse):
    """A file, or something else, where a folder belongs."""


@contextmanager
def partial_folder(folder: Path) -> Iterator[Path]:
    """The folder for what is on its way, this process alone in it; removed when all went well, or when nothing came into
    it; then `folder` too, if it was made for this and is empty. Raises FolderBusy, NotAFolder."""
    if folder.exists() and not folder.is_dir():
        raise NotAFolder(f"{folder} is no folder", "Name one that is there, or that is to be made: --to DIR")
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    partial = folder / PARTIAL
    partial.mkdir(parents=True, exist_ok=True)
    mine = False
    try:
        with (partial / _LOCK).open("ab") as lock:
            if not try_lock(lock.fileno()):
                raise FolderBusy(f"another download into {folder} is running", "Wait for it, or choose another folder.")
            mine = True
            try:
                yield partial
            finally:
                unlock(lock.fileno())  # a process that was just forked may hold the file open for a moment longer
    except BaseException:
        if mine and [file.name for file in partial.iterdir()] == [_LOCK]:
            shutil.rmtree(partial)
            _remove_empty(made)
        raise
    shutil.rmtree(partial)


def _remove_empty(folders: Sequence[Path]) -> None:
    """Those of these folders, each in the next one, that nothing was put in."""
    for folder in folders:
        if any(folder.iterdir()):
            return
        folder.rmdir()


def is_right(file: Path, pointer: Pointer) -> bool:
    """Whether the file is there and has these bytes."""
    if not file.is_file() or file.stat().st_size != pointer.size:
        return False
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").digest() == pointer.oid.raw
