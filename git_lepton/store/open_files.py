"""Open pack files: a bounded number of descriptors, through which any thread reads pieces of packs."""

from __future__ import annotations

import os
import threading
from pathlib import Path

_BINARY = getattr(os, "O_BINARY", 0)
_turn = threading.Lock()  # where the system cannot read at an offset, one seek and read at a time


class _OpenFile:
    """A descriptor that is closed when its last user lets go of it, so that closing never meets a read."""

    __slots__ = ("descriptor",)

    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_RDONLY | _BINARY)

    def __del__(self) -> None:
        if hasattr(self, "descriptor"):
            os.close(self.descriptor)


def read_at(descriptor: int, length: int, offset: int) -> bytes:
    """The `length` bytes at `offset`; fewer only where the file ends."""
    parts = []
    while length:
        if hasattr(os, "pread"):
            part = os.pread(descriptor, length, offset)
        else:
            with _turn:
                os.lseek(descriptor, offset, os.SEEK_SET)
                part = os.read(descriptor, length)
        if not part:
            break
        parts.append(part)
        length -= len(part)
        offset += len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


class OpenFiles:
    """At most `limit` files stay open; the one unused for longest is closed first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._files: dict[Path, _OpenFile] = {}
        self._lock = threading.Lock()

    def read(self, path: Path, length: int, offset: int) -> bytes:
        """See `read_at`. Raises FileNotFoundError if the file is gone."""
        with self._lock:
            file = self._files.pop(path, None) or _OpenFile(path)
            self._files[path] = file
            if len(self._files) > self._limit:
                self._files.pop(next(iter(self._files)))
        return read_at(file.descriptor, length, offset)

    def forget(self, path: Path) -> None:
        """Close this file (Windows cannot remove one that is open)."""
        with self._lock:
            self._files.pop(path, None)

    def close(self) -> None:
        with self._lock:
            self._files.clear()
