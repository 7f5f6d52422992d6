"""Durable writes: they survive kill -9 and a loss of power."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_BINARY = getattr(os, "O_BINARY", 0)


def sync_data(descriptor: int) -> None:
    """The file's bytes, and what is needed to find them again, are on the disk on return."""
    if sys.platform == "darwin":
        import fcntl

        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)  # fsync there only hands the bytes to the drive
    elif hasattr(os, "fdatasync"):
        os.fdatasync(descriptor)
    else:
        os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Names made, changed or taken away in this folder are on the disk on return. Windows needs and knows no such call."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(path: Path, data: bytes, *, mode: int = 0o666) -> None:
    """The file holds exactly `data`, or what it held before, whatever happens meanwhile. `mode`: its rights, less the umask's."""
    temporary = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, mode)
    try:
        try:
            write_all(descriptor, data)
            sync_data(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_all(descriptor: int, *parts: bytes | bytearray | memoryview) -> None:
    """Write these parts one after the other at the file's position; the system may take them in several bites."""
    views = [memoryview(part).cast("B") for part in parts if len(part)]
    while views:
        written = os.writev(descriptor, views) if hasattr(os, "writev") else os.write(descriptor, views[0])
        while views and written >= len(views[0]):
            written -= len(views.pop(0))
        if written:
            views[0] = views[0][written:]


def write_back(descriptor: int, start: int, length: int) -> None:
    """Let the system begin to bring these bytes to the disk, so that a later `sync_data` waits for little. A promise of nothing."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, start, length, os.POSIX_FADV_DONTNEED)  # dirty pages stay; their writing begins


def make_folder(folder: Path) -> None:
    """The folder is there, durably, with those above it."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)
