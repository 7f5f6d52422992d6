"""Codes a stored chunk anew, for a store that cannot take it as it is here: against another base, or against none."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from git_lepton.format.coding.encoded import Base, EncodedChunk
    from git_lepton.format.identifiers import ChunkId
    from git_lepton.store.chunk_store import ChunkStore


class OtherBase(NamedTuple):
    """A chunk that is in the other store as well, with so many bases below it there."""

    name: ChunkId
    depth: int


def recode(store: ChunkStore, chunk: EncodedChunk, allowed: frozenset[int], against: OtherBase | None = None) -> EncodedChunk:
    """The same chunk, by codecs of `allowed`; solo where that is smaller or `against` is None.

    The raw bytes come out of `store`, which has the chunk and that base. Raises ChunkMissing, CorruptData, UnknownCodec.
    """
    from git_lepton.format.coding.codec import element_of_chunk, encode

    element = element_of_chunk(chunk)
    base = None if against is None else _base(store, against, element)
    return encode(store.read(chunk.name), element, allowed, chunk.name, base)


def decoded_and_solo(store: ChunkStore, chunk: EncodedChunk, allowed: frozenset[int]) -> EncodedChunk:
    """A delta that comes from elsewhere, whose base `store` has, as a chunk without a base."""
    from git_lepton.format.coding.codec import decode, element_of_chunk, encode

    base = store.read(chunk.base) if chunk.base else None
    return encode(decode(chunk, base), element_of_chunk(chunk), allowed, chunk.name)


def _base(store: ChunkStore, against: OtherBase, element: str) -> Base:
    """With its own dtype where its encoding tells it, else with that of the chunk which is to be coded."""
    from git_lepton.format.coding.codec import element_of_chunk
    from git_lepton.format.coding.encoded import Base

    own = element_of_chunk(store.encoded(against.name))
    return Base(against.name, against.depth, store.read(against.name), own or element)
