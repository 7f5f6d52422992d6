"""Versions of one tensor in local stores, each coded against another one as a test wants it."""

from __future__ import annotations

from git_lepton.format.coding.codec import encode
from git_lepton.format.coding.encoded import RELEASED, Base
from git_lepton.format.identifiers import ChunkId
from git_lepton.format.pointer import Pointer
from git_lepton.store.local_store import LocalStore
from tests.support.fine_tuned import version
from tests.transfer.weights import add_chunks

_COUNT = 1 << 18  # values of a chunk: 512 KiB


class History:
    """Versions of one tensor, of one chunk each, in local stores."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def data(self, number: int) -> bytes:
        return version(self._seed, _COUNT, number)

    def name(self, number: int) -> ChunkId:
        return ChunkId.of(self.data(number))

    def add(self, store: LocalStore, number: int, base: int | None = None) -> Pointer:
        """Keep a version, against another one of them that is there."""
        below = None if base is None else Base(self.name(base), store.depth(self.name(base)), self.data(base), "BF16")
        chunk = encode(self.data(number), "BF16", RELEASED, base=below)
        assert (chunk.base is None) == (base is None), "the codec makes no delta of it"
        return add_chunks(store, self.data(number), [chunk])
