"""Admission of chunks to a push: each goes as it is stored here where the other side can take it so, else coded anew.

A delta goes as it is where its codec is allowed and its base is there or goes before it. Where its base is neither (it was made
against a version that is never pushed) it is coded against the nearest of its base's own bases that is, else without a base. No
chunk becomes deeper than 3 by how its base is coded there.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from git_lepton.format.pack import MAX_DEPTH
from git_lepton.store.ahead import Job, Room, coding_cost, run_ahead
from git_lepton.store.chunk_store import ChunkMissing
from git_lepton.store.recoding import OtherBase, recode

if TYPE_CHECKING:
    from git_lepton.format.coding.encoded import EncodedChunk
    from git_lepton.format.identifiers import ChunkId
    from git_lepton.format.pack import Record
    from git_lepton.store.local_store import LocalStore


class Admitted(NamedTuple):
    """One chunk that goes: how it is stored here, against which base it goes, and how many bases it then has at most."""

    record: Record
    name: ChunkId
    base: ChunkId | None
    depth: int
    as_it_is: bool


def admit(
    store: LocalStore,
    names: Sequence[ChunkId],
    allowed: frozenset[int],
    there: Mapping[ChunkId, int],
    solo: Collection[ChunkId] = (),
) -> list[Admitted]:
    """How these chunks go, in their order, but each after the base that it needs. `there`: what the other side has, and its depth.

    Those of `solo` go without a base in any case. Raises ChunkMissing.
    """
    admission = _Admission(store, set(names), allowed, there, solo)
    for name in names:
        admission.take(name)
    return admission.order


class _Admission:
    def __init__(
        self,
        store: LocalStore,
        going: set[ChunkId],
        allowed: frozenset[int],
        there: Mapping[ChunkId, int],
        solo: Collection[ChunkId],
    ) -> None:
        self._store, self._going, self._allowed, self._there, self._solo = store, going, allowed, there, solo
        self._depths: dict[ChunkId, int] = {}
        self.order: list[Admitted] = []

    def take(self, name: ChunkId) -> None:
        if name in self._depths:
            return
        record = self._store.record(name)
        if record is None:
            raise ChunkMissing(name)
        base = self._base_for(record) if record.codec in self._allowed and name not in self._solo else None
        depth = 0 if base is None else self._depth(base) + 1
        self._depths[name] = depth
        as_it_is = record.codec in self._allowed and record.base == base
        self.order.append(Admitted(record, name, base, depth, as_it_is))

    def _base_for(self, record: Record) -> ChunkId | None:
        """The nearest chunk below this one that is there, or goes before it, and may have one more above it."""
        base = record.base
        while base is not None:
            if base in self._going:
                self.take(base)
            if self._depth(base) < MAX_DEPTH:
                return base
            base = self._store.base(base)
        return None

    def _depth(self, name: ChunkId) -> int:
        """Of a chunk that goes or is there; as deep as can be for any other."""
        return self._depths.get(name, self._there.get(name, MAX_DEPTH))


def admitted_chunks(
    store: LocalStore, order: Iterable[Admitted], allowed: frozenset[int], workers: int, room: Room
) -> Generator[EncodedChunk, None, None]:
    """These chunks in the form in which they go, read and coded ahead. Raises ChunkMissing, CorruptData."""
    return run_ahead((_job(store, admitted, allowed) for admitted in order), workers, room)


def _job(store: LocalStore, admitted: Admitted, allowed: frozenset[int]) -> Job[EncodedChunk]:
    work = partial(_prepared, store, admitted, allowed)
    record = admitted.record
    if admitted.as_it_is:
        return Job(work, record.stored_length, record.stored_length)
    return Job(work, coding_cost(record.raw_length, delta=record.base is not None), record.raw_length)


def _prepared(store: LocalStore, admitted: Admitted, allowed: frozenset[int]) -> EncodedChunk:
    chunk = store.encoded(admitted.name)
    if admitted.as_it_is and chunk.codec in allowed and chunk.base == admitted.base:  # the store may hold another copy by now
        return replace(chunk, depth=admitted.depth)
    against = OtherBase(admitted.base, admitted.depth - 1) if admitted.base else None
    return recode(store, chunk, allowed, against)
