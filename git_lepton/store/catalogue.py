"""The catalogue of a folder of packs: which pack holds which record, kept up with what other processes do there."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from git_lepton.format.pack import HEADER_BYTES, Kind
from git_lepton.store.pack_file import PackFile

_SUFFIX = ".pack"
_ORDINAL_BITS = 32
_ORDINAL_MASK = (1 << _ORDINAL_BITS) - 1
_LOOKS = 100
_RACY_NS = 50_000_000  # a folder changed this shortly before we listed it may have changed once more with the same time


class Catalogue:
    """Finds chunks and manifests by the 32 bytes of their names. One thread at a time may change it, any may look things up.

    Of several encodings of a chunk (two processes added it at once) it names one with the fewest bases below it. A base was
    there before its delta, so the fewest bases strictly fall along every chain: no choice of encodings makes a circle.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._packs: dict[int, PackFile] = {}
        self._numbers: dict[str, int] = {}
        self._next = 0
        self._chunks: dict[bytes, int] = {}  # name -> number of the pack, number of the record in it
        self._manifests: dict[bytes, int] = {}
        self._folder_time = self._listed_at = -1

    def packs(self) -> list[PackFile]:
        return list(self._packs.values())

    def chunk(self, name: bytes) -> tuple[PackFile, int] | None:
        """The pack that holds this chunk, and the record's number in it."""
        return self._place(self._chunks.get(name))

    def manifest(self, name: bytes) -> tuple[PackFile, int] | None:
        return self._place(self._manifests.get(name))

    def _place(self, place: int | None) -> tuple[PackFile, int] | None:
        if place is None:
            return None
        pack = self._packs.get(place >> _ORDINAL_BITS)
        return (pack, place & _ORDINAL_MASK) if pack else None

    def chunk_names(self) -> list[bytes]:
        return list(self._chunks)

    def manifest_names(self) -> list[bytes]:
        return list(self._manifests)

    def copies(self, name: bytes) -> Iterator[tuple[PackFile, int]]:
        """All records of this name, wherever they are: the slow way, for when one of them is damaged."""
        for pack in self.packs():
            for ordinal, (_, _, other) in enumerate(pack.glance()):
                if other == name:
                    yield pack, ordinal

    def forget(self, name: bytes) -> None:
        """No sound copy of this record is left: from now on it is missing."""
        self._chunks.pop(name, None)
        self._manifests.pop(name, None)

    def refresh(self, *, thoroughly: bool = False) -> None:
        """Take in new packs, what was appended to open ones, and that packs went. A folder that did not change since is not
        listed again, unless `thoroughly`."""
        for _ in range(_LOOKS):
            if self._look(thoroughly):
                break
            thoroughly = True  # a pack went while we looked: what it held is in another now

    def _look(self, thoroughly: bool) -> bool:
        try:
            changed = self.folder.stat().st_mtime_ns
        except FileNotFoundError:
            self._drop(set(self._numbers))
            return True
        certain = changed == self._folder_time and self._listed_at - changed > _RACY_NS
        if thoroughly or not certain:
            self._folder_time, self._listed_at = changed, time.time_ns()
            with os.scandir(self.folder) as entries:
                names = {entry.name for entry in entries if entry.name.endswith(_SUFFIX)}
            self._drop(self._numbers.keys() - names)
            if not all(self._take(PackFile(self.folder / name)) for name in sorted(names - self._numbers.keys())):
                return False
        return all(self._grow(number) for number, pack in list(self._packs.items()) if not pack.sealed and not pack.mine)

    def _take(self, pack: PackFile) -> bool:
        try:
            pack.look()
        except FileNotFoundError:
            return False
        self.adopt(pack)
        return True

    def adopt(self, pack: PackFile) -> None:
        """A pack that this process began, or a new one of another."""
        number, self._next = self._next, self._next + 1
        self._packs[number] = pack
        self._numbers[pack.path.name] = number
        self._enter(number, 0)

    def _grow(self, number: int) -> bool:
        pack = self._packs[number]
        known = len(pack)
        try:
            if pack.path.stat().st_size != pack.size:
                pack.look()
        except FileNotFoundError:
            return False
        self._enter(number, known)
        return True

    def appended(self, pack: PackFile) -> None:
        """The last record of one of our own packs is new."""
        self._enter(self._numbers[pack.path.name], len(pack) - 1)

    def _enter(self, number: int, start: int) -> None:
        pack, chunks = self._packs[number], self._chunks
        for ordinal, (kind, depth, name) in enumerate(pack.glance(start), start):
            if ordinal in pack.damaged:
                continue
            place = number << _ORDINAL_BITS | ordinal
            if kind == Kind.MANIFEST:
                self._manifests[name] = place
            elif kind == Kind.CHUNK and (not depth or name not in chunks or depth < self._depth(chunks[name])):
                chunks[name] = place

    def _depth(self, place: int) -> int:
        pack, ordinal = self._packs[place >> _ORDINAL_BITS], place & _ORDINAL_MASK
        return pack.headers[ordinal * HEADER_BYTES + 2]

    def _drop(self, gone: set[str]) -> None:
        """Rebuild without these packs: other copies of what they held come to light."""
        gone = {name for name in gone if not self._packs[self._numbers[name]].mine}
        if not gone:
            return
        packs = {number: pack for number, pack in self._packs.items() if pack.path.name not in gone}
        self._packs, self._numbers = packs, {pack.path.name: number for number, pack in packs.items()}
        self._chunks, self._manifests = {}, {}
        for number in packs:
            self._enter(number, 0)
