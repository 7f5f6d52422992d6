"""Chains of bases: a chunk, its base, the base of that, followed to read the chunk or to tell whether all of it is here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from git_lepton.format.identifiers import ChunkId
from git_lepton.store.chunk_store import DamagedChunk

if TYPE_CHECKING:
    from git_lepton.format.coding.encoded import EncodedChunk
    from git_lepton.store.catalogue import Catalogue
    from git_lepton.store.pack_file import PackFile

_LONGEST = 16  # after repairs a chain may be longer than a writer makes it


def read_chain(encoded: Callable[[ChunkId], EncodedChunk], name: ChunkId, above: int = 0) -> bytes | bytearray:
    """The raw bytes of a chunk, its name checked. Raises as `encoded` does, or a CorruptData that names the chunk."""
    from git_lepton.format.coding.codec import decode

    chunk = encoded(name)
    if chunk.base is None:
        return decode(chunk)
    if above == _LONGEST:
        raise DamagedChunk(name, "its bases lead back to itself")
    return decode(chunk, read_chain(encoded, chunk.base, above + 1))


def packs_of_chain(catalogue: Catalogue, name: ChunkId) -> list[PackFile] | None:
    """The packs that hold a chunk and all its bases; None where one of them is not here."""
    packs, next_name = [], name.raw
    for _ in range(_LONGEST):
        place = catalogue.chunk(next_name)
        if place is None:
            return None
        packs.append(place[0])
        base = place[0].base(place[1])
        if base is None:
            return packs
        next_name = base
    return None
