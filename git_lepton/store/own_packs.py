"""The packs that this process writes: one open at a time, begun with the first record, sealed when it is long or all is done."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from git_lepton.errors import LeptonError
from git_lepton.store.catalogue import Catalogue
from git_lepton.store.chunk_store import disk_errors, explained
from git_lepton.store.durable import make_folder, write_durably
from git_lepton.store.pack_writer import PackWriter
from git_lepton.store.reliance import Reliance

ROLL_BYTES = 256 * 1024 * 1024  # a pack of this length is sealed and the next begun, so that no rewriting needs much room
_README = b"""This folder belongs to git-lepton. It keeps the weight files of this git repository in pieces ("packs"), as
git's own objects folder keeps the rest. What was not pushed is nowhere else: do not delete it by hand. `git lepton du` tells
what takes the room, `git lepton prune` frees what nothing refers to any more.
"""


class OwnPacks:
    """Appends records. Not thread safe. Raises StoreFull, StoreNotWritable or DiskTrouble; what was written before is whole.

    The system may drop what it could not bring to the disk and call the next attempt a success. So when making durable fails
    once, every later call raises the same error.
    """

    def __init__(self, root: Path, catalogue: Catalogue) -> None:
        self._root = root
        self._catalogue = catalogue
        self._owner = os.urandom(8).hex()
        self._begun = 0
        self._writer: PackWriter | None = None
        self._failure: LeptonError | None = None

    def append(self, header: bytes, payload: bytes | bytearray | memoryview) -> None:
        self._check_sound()
        if self._writer and self._writer.pack.end >= ROLL_BYTES:
            self._seal()
        with disk_errors(self._root):
            writer = self._writer or self._begin()
            writer.append(header, payload)
        self._catalogue.appended(writer.pack)

    def _begin(self) -> PackWriter:
        make_folder(self._root)
        readme = self._root / "README"
        if not readme.exists():
            write_durably(readme, _README)
        self._writer = PackWriter(self._catalogue.folder, self._owner, self._begun)
        self._begun += 1
        self._catalogue.adopt(self._writer.pack)
        return self._writer

    def make_durable(self, reliance: Reliance) -> None:
        """All records are on the disk on return, and so are those of others that our answers rely on."""
        self._check_sound()
        with self._failing_for_good():
            if self._writer:
                self._writer.sync()
            reliance.make_durable()

    def _seal(self) -> None:
        writer, self._writer = self._writer, None
        if writer:
            with self._failing_for_good():
                writer.seal()

    def close(self) -> bool:
        """Seal the open pack; says whether there was one. A pack whose bytes may not be on the disk is left without an end."""
        if self._writer and self._failure:
            self._writer.leave()
            self._writer = None
            return False
        was_open = self._writer is not None
        self._seal()
        return was_open

    @contextmanager
    def _failing_for_good(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._failure = explained(error, self._root)
            raise self._failure from error

    def _check_sound(self) -> None:
        if self._failure:
            raise self._failure
