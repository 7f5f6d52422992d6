"""Doubles for tests of what decides which weights travel: a store and a destination that only know names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from git_lepton.format.identifiers import ChunkId, ObjectId
from git_lepton.format.pointer import Pointer
from git_lepton.transfer.progress import Progress
from git_lepton.transfer.push_bases import BaseSources
from git_lepton.transfer.upload import Uploaded


def pointer(digit: str, size: int = 5) -> Pointer:
    return Pointer(ObjectId.parse_hex(digit * 64), size)


class KnownManifest:
    entries = ()


class NamesOnly:
    """A local store that has these objects."""

    def __init__(self, *pointers: Pointer) -> None:
        self.here = {pointer.oid for pointer in pointers}
        self.root = Path("nowhere")

    def refresh(self) -> None:
        """Nobody else writes."""

    def manifest(self, oid: ObjectId) -> KnownManifest | None:
        return KnownManifest() if oid in self.here else None

    def missing(self, names: Iterable[ChunkId]) -> set[ChunkId]:
        return set(names)


class Recorder:
    """A destination that has `pointers` already and remembers what it was asked and sent."""

    def __init__(self, *pointers: Pointer) -> None:
        self.there = {pointer.oid for pointer in pointers}
        self.asked: list[list[Pointer]] = []
        self.sent: list[list[Pointer]] = []
        self.sources: BaseSources | None = None

    def stored(self, pointers: Sequence[Pointer]) -> set[ObjectId]:
        self.asked.append(list(pointers))
        return self.there & {pointer.oid for pointer in pointers}

    def taken_away(self, pointers: Sequence[Pointer]) -> set[ObjectId]:
        return set()

    def push(self, pointers: Sequence[Pointer], progress: Progress, sources: BaseSources | None = None) -> Uploaded:
        self.sources = sources
        self.sent.append(list(pointers))
        return Uploaded(len(pointers), 0, 0)
