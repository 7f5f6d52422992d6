"""One server at a time writes to an archive, by a key that says so and is renewed while it works.

Whoever begins writes its key first and looks for others' then, so of two that begin together at least one sees the other. A key that
nobody has renewed for a while is what a machine that died has left; one of the same server is too: a server backs up once at a time.
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from git_lepton.errors import WrongUse
from lepton_server.backup.archive import Archive

_FOLDER = "running/"
_RENEW_SECONDS, _STALE_SECONDS = 60.0, 900.0


class ArchiveBusy(WrongUse):
    """Another server writes to this archive."""


class OneWriter:
    """The lock of an archive, for a `with` block. Raises ArchiveBusy when it is entered; `keys` are then all that the archive holds."""

    def __init__(self, archive: Archive, server: str) -> None:
        self._archive = archive
        self._server = server
        self._key = ""
        self._written = 0.0
        self.keys: set[str] = set()

    def __enter__(self) -> Self:
        self._write()
        self.keys = set(self._archive.store.keys())
        now = time.time()
        for key in [key for key in self.keys if key.startswith(_FOLDER) and key != self._key]:
            server, _, written = key.removeprefix(_FOLDER).rpartition("-")
            if server != self._server and now - int(written) / 1000 < _STALE_SECONDS:
                self._archive.store.delete(self._key)
                message = f"another server writes to {self._archive.place}, or did a moment ago"
                raise ArchiveBusy(message, f"Try again when it has ended; if it died, in {_STALE_SECONDS / 60:.0f} minutes.")
            self._archive.store.delete(key)
            self.keys.discard(key)
        return self

    def go_on(self) -> None:
        """To be called now and then in long work."""
        if time.monotonic() - self._written > _RENEW_SECONDS:
            before = self._key
            self._write()
            self._archive.store.delete(before)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._archive.store.delete(self._key)

    def _write(self) -> None:
        self._key = f"{_FOLDER}{self._server}-{time.time_ns() // 1_000_000}"
        self._archive.put(self._key, b"")
        self._written = time.monotonic()
