"""Durable writes: files and folders that are still there after kill -9 and a loss of power."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it that are not there yet, durably."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Names that were made, changed or removed in this folder are on the disk on return. On Windows, which opens no folders and
    journals their changes, there is nothing to do."""
    if os.name != "nt":
        _sync(folder)


def sync_tree(folder: Path) -> None:
    """Every file and folder below this folder is on the disk on return, and the folder itself; its name in the folder above is not."""
    for path in folder.rglob("*"):
        if path.is_dir():
            sync_folder(path)
        else:
            _sync(path)
    sync_folder(folder)


def write_whole(file: Path, text: str, mode: int) -> None:
    """Write a file, or replace it, so that it holds all of `text` (ASCII) or what it held before. `mode`: its permissions."""
    handle, scratch = tempfile.mkstemp(prefix=f".{file.name}-", dir=file.parent)
    try:
        _write(handle, text)
        Path(scratch).chmod(mode)
        Path(scratch).replace(file)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise
    sync_folder(file.parent)


def write_private(file: Path, text: str) -> None:
    """Write a new file of one line that only its owner may read. A file that is there already stays as it is."""
    handle, scratch = tempfile.mkstemp(prefix=f".{file.name}-", dir=file.parent)
    try:
        _write(handle, text + "\n")
        _link_new(Path(scratch), file)
    finally:
        Path(scratch).unlink(missing_ok=True)
    sync_folder(file.parent)


def _link_new(scratch: Path, file: Path) -> None:
    """Give the file its name unless there is one of that name: nobody ever reads a part of it, and of two processes one wins."""
    try:
        os.link(scratch, file)
    except FileExistsError:
        return
    except OSError:  # a file system without hard links
        if not file.exists():
            scratch.replace(file)


def _write(handle: int, text: str) -> None:
    with os.fdopen(handle, "w", encoding="ascii", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
