"""What a push asks the other side about as bases, and what it never mentions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from git_lepton.format.coding.codec import encode
from git_lepton.format.identifiers import ChunkId, ObjectId
from git_lepton.store.local_store import LocalStore
from git_lepton.transfer.http.refusals import NotFound
from git_lepton.transfer.push_bases import BaseSources, PushBases, Reached
from git_lepton.wire.messages import NamedBase
from tests.transfer.weights import RAW, add_chunks, fake_delta, noise


class Remote:
    """A server that has all that it is asked for, and lets chunks of these repositories be bases."""

    def __init__(self, *usable: str, old: bool = False) -> None:
        self.usable, self.old = usable, old
        self.asked: list[ChunkId] = []
        self.named: list[NamedBase] = []

    def have(self, _session: str, chunks: Sequence[ChunkId], *, as_bases: bool) -> dict[ChunkId, int]:
        assert as_bases
        self.asked += chunks
        return dict.fromkeys(chunks, 0)

    def name_bases(self, _session: str, bases: Sequence[NamedBase]) -> list[str]:
        if self.old:
            raise NotFound("there is no such address", "")
        self.named += bases
        return [base.repository for base in bases if base.repository in self.usable]


class Versions:
    """Four versions of a chunk in a store, each on the one before, each an object of its own."""

    def __init__(self, store: LocalStore) -> None:
        self.store = store
        chunks = [encode(noise(100, 1), "", RAW)]
        for seed in range(2, 5):
            chunks.append(fake_delta(noise(100, seed), chunks[-1]))
        self.names = [chunk.name for chunk in chunks]
        self.oids = [add_chunks(store, noise(100, seed), [chunk]).oid for seed, chunk in enumerate(chunks, 1)]

    def there(self, remote: Remote, sources: BaseSources, pushed: Iterable[ObjectId] = ()) -> dict[ChunkId, int]:
        """What version 3 may lie on."""
        self.bases = PushBases(self.store, sources, list(pushed))
        return self.bases.there(remote, "session", [self.names[3]], {})  # type: ignore[arg-type]


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    return Versions(LocalStore(tmp_path))


def test_of_what_nobody_there_reaches_nothing_is_asked(versions: Versions) -> None:
    remote = Remote("team/base")
    assert versions.there(remote, BaseSources()) == {}
    assert (remote.asked, remote.named, versions.bases.withheld) == ([], [], [])


def test_of_a_chain_what_the_refs_there_reach_is_asked_and_no_more(versions: Versions) -> None:
    remote = Remote()
    assert versions.there(remote, BaseSources(Reached([versions.oids[1]]))).keys() == {versions.names[1]}
    assert remote.asked == [versions.names[1]]


def test_what_is_pushed_beside_it_counts_too(versions: Versions) -> None:
    assert versions.there(Remote(), BaseSources(), pushed=versions.oids[2:]).keys() == {versions.names[2]}


def test_history_is_looked_through_only_until_each_chunk_has_a_base(versions: Versions) -> None:
    looked = []

    def history() -> Iterable[ObjectId]:
        for number in (2, 1, 0):
            looked.append(number)
            yield versions.oids[number]

    sources = BaseSources(Reached(history()))
    for _ in range(2):
        versions.there(Remote(), sources)
    assert looked == [2]


def test_chunks_of_another_repository_are_asked_for_where_it_may_be_a_base(versions: Versions) -> None:
    remote = Remote("team/base")
    sources = BaseSources(elsewhere={"team/base": versions.oids[:1], "team/vault": versions.oids[1:2]}, allowed=["Team/Vault"])
    assert versions.there(remote, sources).keys() == {versions.names[0]}
    assert remote.named == [NamedBase("team/base", False), NamedBase("team/vault", True)]
    assert remote.asked == [versions.names[0]]
    assert versions.bases.withheld == ["team/vault"]


def test_another_repository_is_not_named_where_its_chunks_are_of_no_use(versions: Versions) -> None:
    remote = Remote("team/base")
    versions.there(remote, BaseSources(Reached(versions.oids[2:3]), {"team/base": versions.oids[:1]}))
    versions.there(remote, BaseSources(elsewhere={"team/base": versions.oids[3:]}))
    assert remote.named == []


def test_a_server_that_cannot_tell_who_reads_what_hears_nothing_of_others_chunks(versions: Versions) -> None:
    remote = Remote("team/base", old=True)
    assert versions.there(remote, BaseSources(elsewhere={"team/base": versions.oids[:3]})) == {}
    assert (remote.asked, versions.bases.withheld) == ([], ["team/base"])
