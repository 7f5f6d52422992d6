"""Chains of versions: the chunk that the next version is coded against, chosen so that chains stay short, small and quick.

A delta may lie on three bases at most (docs/format.md, section 3.1). While the previous version lies on fewer, it is the base
itself. Where it lies on three, one of its own bases is: mostly the nearest, else one further down, so that new near bases
keep coming up and nothing drifts far from what it is coded against. The chunk's own name draws the lot, a different one for each
chunk: no version has to pay for all of them at once, and the same history is always stored the same. Once differences have
grown so large that they take more room than a chain on average, its solo chunk included, the next version begins a new chain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from git_lepton.format.pack import MAX_DEPTH

if TYPE_CHECKING:
    from git_lepton.format.identifiers import ChunkId
    from git_lepton.format.pack import Record
    from git_lepton.store.local_store import LocalStore

_NEAREST = 128  # of 256 lots: one in two goes further down, and one in four of these to the bottom
_MIDDLE = 224


class Link(NamedTuple):
    """A stored chunk that may be a base: its name and how many bases lie below it."""

    name: ChunkId
    depth: int


class StartAnew(Exception):
    """A chunk is better coded by itself, although the store has its previous version."""


def link_for(store: LocalStore, previous: ChunkId, name: ChunkId) -> Link | None:
    """What to code chunk `name` against, whose previous version is `previous`; None where that is not stored with all its bases.

    Raises StartAnew.
    """
    chain = _chain(store, previous)
    if not chain:
        return None
    if chain[0].depth < MAX_DEPTH:
        return Link(previous, chain[0].depth)
    if chain[0].stored_length * len(chain) > sum(record.stored_length for record in chain):
        raise StartAnew
    lot = name.raw[0]
    record = chain[1 if lot < _NEAREST else 2 if lot < _MIDDLE else 3]
    return Link(_name_of(record), record.depth)


def _chain(store: LocalStore, name: ChunkId | None) -> list[Record]:
    """A chunk and its bases, down to the one that has none; empty where not all are here."""
    chain: list[Record] = []
    while name is not None:
        record = store.record(name)
        if record is None or len(chain) > MAX_DEPTH:
            return []
        chain.append(record)
        name = record.base
    return chain


def _name_of(record: Record) -> ChunkId:
    from git_lepton.format.identifiers import ChunkId

    return ChunkId(record.name.raw)
