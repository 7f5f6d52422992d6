"""The writer of one local pack: it is made on disk with its first record, appended to, made durable, sealed."""

from __future__ import annotations

import os
from pathlib import Path

from git_lepton.format.pack import HEADER_BYTES, PACK_HEAD, end_record
from git_lepton.store.durable import make_folder, sync_data, sync_folder, write_all, write_back
from git_lepton.store.file_lock import lock
from git_lepton.store.pack_file import PackFile

_OPEN = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
_WRITE_BACK_BYTES = 16 * 1024 * 1024


class PackWriter:
    """Owner of an open pack. It holds the pack's lock until it seals the pack or dies. Not thread safe; raises OSError."""

    def __init__(self, folder: Path, owner: str, number: int) -> None:
        """A new pack in this folder. Nobody takes it for abandoned: if somebody looked at it before it was locked and removed
        it, another is made."""
        make_folder(folder)
        while True:
            self.pack = PackFile(folder / f"{owner}-{number:05}.pack", mine=True)
            self._descriptor = os.open(self.pack.path, _OPEN, 0o666)
            lock(self._descriptor)
            if os.fstat(self._descriptor).st_nlink:
                break
            os.close(self._descriptor)
        try:
            write_all(self._descriptor, PACK_HEAD)
            sync_folder(folder)
        except BaseException:
            self.discard()
            raise
        self.pack.end = self.pack.size = len(PACK_HEAD)
        self._written_back = 0
        self.unsynced = True

    def append(self, header: bytes, payload: bytes | bytearray | memoryview) -> None:
        """Write one record. If that fails the pack ends with its last whole record, as before."""
        self.unsynced = True
        try:
            write_all(self._descriptor, header, payload)
        except BaseException:
            self._cut_back()
            raise
        self.pack.append(header, self.pack.end + HEADER_BYTES + len(payload))
        if self.pack.end - self._written_back >= _WRITE_BACK_BYTES:
            write_back(self._descriptor, self._written_back, self.pack.end - self._written_back)
            self._written_back = self.pack.end

    def _cut_back(self) -> None:
        os.ftruncate(self._descriptor, self.pack.end)
        os.lseek(self._descriptor, self.pack.end, os.SEEK_SET)

    def sync(self) -> None:
        """All records are durable on return."""
        if self.unsynced:
            sync_data(self._descriptor)
            self.unsynced = False

    def seal(self) -> None:
        """Write the pack's end. Its records are durable before the end can be seen, so sealed means durable to all. If there is
        no room for the end the pack stays as it is: whole, and read record by record."""
        if not len(self.pack):
            return self.discard()
        try:
            self.sync()
            headers = bytes(self.pack.headers)
            _, end = end_record([headers[at : at + HEADER_BYTES] for at in range(0, len(headers), HEADER_BYTES)])
            try:
                write_all(self._descriptor, end)
            except OSError:
                return self._cut_back()
            self.unsynced = True
            self.sync()
            self.pack.size, self.pack.sealed = self.pack.end + len(end), True
        finally:
            self.leave()
        return None

    def leave(self) -> None:
        """Let go of the pack without a promise: whoever reads it checks all of it."""
        self.pack.mine = False
        os.close(self._descriptor)

    def discard(self) -> None:
        """Take the pack away again."""
        os.close(self._descriptor)
        self.pack.path.unlink()
