"""Packs of other processes that our answers relied on: synced with ours while open, and marked as used so that prune spares them."""

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
        """Sync the open packs that answers relied on. One that vanished was rewritten, durably, by whoever removed it. Raises OSError."""
        while self._open:
            path = self._open.pop()
            try:
                # Windows syncs only what one may write
                descriptor = os.open(path, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)
            except FileNotFoundError:
                continue
            try:
                sync_data(descriptor)
            finally:
                os.close(descriptor)

    def mark_in_use(self) -> None:
        """Touch packs in use, so that prune counts them as young. One that we may not touch is safe: no prune of ours could delete it."""
        now = time.monotonic()
        for path, last in self._in_use.items():
            if not last or now - last > _FRESH_S:
                with contextlib.suppress(FileNotFoundError, PermissionError):
                    os.utime(path)
                self._in_use[path] = now
