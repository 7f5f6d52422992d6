from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest

from git_lepton.format.identifiers import ChunkId
from git_lepton.format.pack import MAX_DEPTH, Kind, Record
from git_lepton.store.local_store import LocalStore
from git_lepton.workflow.bases.chain import Link, StartAnew, link_for


class Chain:
    """A store with one chain of chunks, of these stored lengths, the solo one first."""

    def __init__(self, lengths: Sequence[int]) -> None:
        self.names = [ChunkId.of(bytes([n])) for n in range(len(lengths))]
        bases = [None, *self.names]
        self._records = {
            name: Record(Kind.CHUNK, 0, n, length, 1000, name, bases[n], 0)
            for n, (name, length) in enumerate(zip(self.names, lengths, strict=True))
        }

    def record(self, name: ChunkId) -> Record | None:
        return self._records.get(name)

    def forget(self, number: int) -> None:
        del self._records[self.names[number]]

    def link(self, lot: int = 0) -> Link | None:
        return link_for(cast(LocalStore, self), self.names[-1], ChunkId(bytes([lot]) + bytes(31)))


@pytest.mark.parametrize("depth", range(MAX_DEPTH))
@pytest.mark.parametrize("lot", [0, 255])
def test_the_previous_version_is_the_base_while_it_may_be(depth: int, lot: int) -> None:
    chain = Chain([1000, 300, 300, 300][: depth + 1])
    assert chain.link(lot) == Link(chain.names[-1], depth)


def test_over_a_full_chain_the_lot_decides_mostly_for_the_nearest() -> None:
    chain = Chain([1000, 300, 300, 300])
    taken = [chain.link(lot) for lot in range(256)]
    counts = [taken.count(Link(chain.names[depth], depth)) for depth in range(3)]
    assert sum(counts) == 256
    assert counts[2] > counts[1] > counts[0] > 0


def test_a_chain_whose_differences_grew_too_large_ends() -> None:
    with pytest.raises(StartAnew):
        Chain([1000, 500, 500, 700]).link()
    assert Chain([1000, 500, 500, 600]).link()


@pytest.mark.parametrize("number", range(4))
def test_a_chain_with_a_gap_is_no_base(number: int) -> None:
    chain = Chain([1000, 300, 300, 300])
    chain.forget(number)
    assert chain.link() is None
