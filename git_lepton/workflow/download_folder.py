"""The folder of a download: one download at a time, a place inside for what is on its way, and which files are right already."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from git_lepton.errors import WrongUse
from git_lepton.format.pointer import Pointer
from git_lepton.store.file_lock import try_lock
from git_lepton.workflow.safe_paths import PARTIAL


class FolderBusy(WrongUse):
    """Another download into the same folder is running."""


@contextmanager
def partial_folder(folder: Path) -> Iterator[Path]:
    """The folder for what is on its way, this process alone in it; removed when all went well. Raises FolderBusy."""
    partial = folder / PARTIAL
    partial.mkdir(parents=True, exist_ok=True)
    with (partial / "lock").open("ab") as lock:
        if not try_lock(lock.fileno()):
            raise FolderBusy(f"another download into {folder} is running", "Wait for it, or choose another folder.")
        yield partial
    shutil.rmtree(partial)


def is_right(file: Path, pointer: Pointer) -> bool:
    """Whether the file is there and has these bytes."""
    if not file.is_file() or file.stat().st_size != pointer.size:
        return False
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").digest() == pointer.oid.raw
