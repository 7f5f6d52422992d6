"""Packs in a folder of this machine, one file for each (the promises are those of `object_store`)."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lepton_server.durable import make_folder, sync_folder
from lepton_server.storage.object_store import ObjectMissing, StoreFull, StoreTrouble, is_pack_key

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_BLOCK = 1024 * 1024


class DiskStore:
    """Keys are paths below `root`; what is on its way lies in the folder `incoming` there, of which each writer has its own."""

    direct = None
    probe = None

    def __init__(self, root: Path, incoming: str = "incoming") -> None:
        self._root = root
        self._incoming = root / incoming
        self._incoming.mkdir(parents=True, exist_ok=True)

    def clear_incoming(self) -> None:
        """Remove what processes that died left behind. Only for the one process that uses this folder."""
        for file in self._incoming.iterdir():
            file.unlink()

    def drop_incoming(self, which: Callable[[bytes], bool]) -> None:
        """Remove what is on its way in any process, or was left by one that died, where `which` says yes to its bytes."""
        for file in self._root.glob("*/*"):
            if file.is_file() and not is_pack_key(file.relative_to(self._root).as_posix()):
                with suppress(FileNotFoundError):  # it has arrived, or was given up
                    if which(file.read_bytes()):
                        file.unlink()

    def begin(self, key: str) -> DiskIncoming:
        with disk_errors(key):
            return DiskIncoming(self._incoming / secrets.token_hex(16), self._root / key, key)

    def read(self, key: str, start: int, length: int) -> bytes:
        with disk_errors(key), (self._root / key).open("rb", buffering=0) as file:
            return read_exactly(file.fileno(), start, length, key)

    @contextmanager
    def blocks(self, key: str, start: int, length: int) -> Iterator[Iterator[bytes]]:
        with disk_errors(key):
            file = (self._root / key).open("rb", buffering=0)
        with file:
            yield (
                _block(file.fileno(), at, min(_BLOCK, start + length - at), key) for at in range(start, start + length, _BLOCK)
            )

    def exists(self, key: str) -> bool:
        return (self._root / key).is_file()

    def size(self, key: str) -> int:
        with disk_errors(key):
            return (self._root / key).stat().st_size

    def keys(self) -> Iterator[str]:
        for folder in sorted(file for pattern in ("*", "t*/*") for file in self._root.glob(pattern) if file.is_dir()):
            keys = (file.relative_to(self._root).as_posix() for file in sorted(folder.iterdir()))
            yield from (key for key in keys if is_pack_key(key))

    def keys_below(self, folder: str) -> Iterator[str]:
        with disk_errors(folder):
            names = sorted(file.name for file in (self._root / folder).iterdir()) if (self._root / folder).is_dir() else []
        return (f"{folder}/{name}" for name in names)

    def delete(self, key: str) -> None:
        with disk_errors(key):
            (self._root / key).unlink(missing_ok=True)


class DiskIncoming:
    """A file beside the store that becomes one of it by a rename."""

    def __init__(self, temporary: Path, final: Path, key: str) -> None:
        self._temporary, self._final, self._key = temporary, final, key
        self._file = temporary.open("x+b", buffering=0)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        write_all(self._file.fileno(), data, self._key)

    def read(self, start: int, length: int) -> bytes:
        with disk_errors(self._key):
            return read_exactly(self._file.fileno(), start, length, self._key)

    def finish(self) -> None:
        with disk_errors(self._key):
            os.fsync(self._file.fileno())
            self._file.close()
            make_folder(self._final.parent)
            self._temporary.replace(self._final)
            sync_folder(self._final.parent)

    def abort(self) -> None:
        self._file.close()
        self._temporary.unlink(missing_ok=True)


@contextmanager
def disk_errors(key: str) -> Iterator[None]:
    """Turns what the disk raises into errors of the store's. Raises ObjectMissing, StoreFull, StoreTrouble."""
    try:
        yield
    except FileNotFoundError as error:
        raise ObjectMissing(f"nothing is stored under {key}") from error
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StoreFull("The server has no room left for weights.", "Tell whoever runs the server.") from error
        raise StoreTrouble(f"the storage failed at {key}: {error.strerror}") from error


def _block(descriptor: int, start: int, length: int, key: str) -> bytes:
    with disk_errors(key):
        return read_exactly(descriptor, start, length, key)


def write_all(descriptor: int, data: bytes | bytearray | memoryview, key: str) -> None:
    """Append to a file. Raises StoreFull, StoreTrouble."""
    unwritten = memoryview(data)
    with disk_errors(key):
        while unwritten:
            unwritten = unwritten[os.write(descriptor, unwritten) :]


def read_exactly(descriptor: int, start: int, length: int, key: str) -> bytes:
    """So many bytes of an open file. Raises StoreTrouble where it ends before."""
    data = _read_at(descriptor, length, start)
    while len(data) < length:  # a read may give less than asked for; nothing at all means that the file ends here
        more = _read_at(descriptor, length - len(data), start + len(data))
        if not more:
            raise StoreTrouble(f"{key} ends before byte {start + length}")
        data += more
    return data


def _read_at(descriptor: int, length: int, start: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(descriptor, length, start)
    position = os.lseek(descriptor, 0, os.SEEK_CUR)  # Windows
    try:
        os.lseek(descriptor, start, os.SEEK_SET)
        return os.read(descriptor, length)
    finally:
        os.lseek(descriptor, position, os.SEEK_SET)
