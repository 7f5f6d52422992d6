"""The lock of a whole store: many may hold it to keep everything there, one to take things away."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from git_lepton.store.chunk_store import StoreBusy
from git_lepton.store.file_lock import lock, unlock

_BINARY = getattr(os, "O_BINARY", 0)
_MARK_BYTES = 16


class StoreGate:
    """The file `lock`. It holds a mark that changes each time packs are about to be removed, so that who passed the gate
    learns whether what they knew still holds."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = b""

    @contextmanager
    def keeping(self) -> Iterator[bool]:
        """Nothing is removed meanwhile; gives whether something was since the last time. A store that we may not write to
        cannot be locked: there the reader takes what comes."""
        descriptor = self._open()
        if descriptor is None:
            yield True
            return
        try:
            lock(descriptor, shared=True)
            mark, before = os.read(descriptor, _MARK_BYTES), self._seen
            self._seen = mark
            yield mark != before
        finally:
            unlock(descriptor)
            os.close(descriptor)

    def _open(self) -> int | None:
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT | _BINARY, 0o666)
        except OSError:
            return None

    @contextmanager
    def removing(self, patience_s: float) -> Iterator[None]:
        """Nobody else keeps or removes meanwhile. Raises StoreBusy if that cannot be had within `patience_s` seconds."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | _BINARY, 0o666)
        try:
            if not lock(descriptor, patience_s=patience_s):
                raise StoreBusy("another process is storing weights in this repository", "Try again when it is done.")
            os.write(descriptor, os.urandom(_MARK_BYTES))
            yield
        finally:
            unlock(descriptor)
            os.close(descriptor)
