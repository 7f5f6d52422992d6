"""What a process owes for answering "it is here" about what other processes stored."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path

from git_lepton.store.durable import sync_data
from git_lepton.store.pack_file import PackFile

_FRESH_S = 60.0  # what was marked as in use within this time need not be marked again


class Reliance:
    """Remembers packs of others that our answers rely on: open ones are made durable with ours, and those with manifests that
    we were asked for count as written now (see LocalStore.prune)."""

    def __init__(self) -> None:
        self._open: set[Path] = set()
        self._in_use: dict[Path, float] = {}

    def on_record(self, pack: PackFile) -> None:
        if not pack.sealed and not pack.mine:
            self._open.add(pack.path)

    def on_manifest(self, pack: PackFile) -> None:
        if not pack.mine:
            self._in_use.setdefault(pack.path, 0.0)

    def make_durable(self) -> None:
        """Raises OSError. A pack that vanished was rewritten, durably, by who removed it."""
        while self._open:
            path = self._open.pop()
            try:
                descriptor = os.open(
                    path, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY
                )  # Windows syncs what one may write
            except FileNotFoundError:
                continue
            try:
                sync_data(descriptor)
            finally:
                os.close(descriptor)

    def mark_in_use(self) -> None:
        """Where we may not write, nor can a prune of ours."""
        now = time.monotonic()
        for path, last in self._in_use.items():
            if not last or now - last > _FRESH_S:
                with contextlib.suppress(FileNotFoundError, PermissionError):
                    os.utime(path)
                self._in_use[path] = now
