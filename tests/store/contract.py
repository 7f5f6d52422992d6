"""What every store must do: subclass `StoreContract`, give it a `store` fixture, and pytest runs the suite on it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from git_lepton.format.identifiers import ChunkId, ObjectId
from git_lepton.store.chunk_store import BaseRefused, ChunkMissing, WritableChunkStore
from tests.store.making import chunk_of, manifest_of, some_bytes


class StoreContract:
    def test_what_was_added_is_read_at_once(self, store: WritableChunkStore) -> None:
        data = some_bytes(1)
        store.add(chunk_of(data))
        assert store.read(ChunkId.of(data)) == data
        assert store.encoded(ChunkId.of(data)) == chunk_of(data)

    def test_missing_names_what_is_not_there(self, store: WritableChunkStore) -> None:
        here, absent = some_bytes(1), ChunkId.of(some_bytes(2))
        store.add(chunk_of(here))
        assert store.missing([ChunkId.of(here), absent]) == {absent}
        with pytest.raises(ChunkMissing) as caught:
            store.read(absent)
        assert str(absent) in caught.value.message
        assert caught.value.exit_code == 4
        with pytest.raises(ChunkMissing):
            store.encoded(absent)

    def test_the_first_encoding_stands(self, store: WritableChunkStore) -> None:
        base, data = some_bytes(1), some_bytes(2)
        store.add(chunk_of(base))
        store.add(chunk_of(data))
        store.add(chunk_of(data, depth=1, base=ChunkId.of(base)))
        assert store.encoded(ChunkId.of(data)).base is None

    def test_a_manifest_comes_back(self, store: WritableChunkStore) -> None:
        manifest = manifest_of([some_bytes(1), some_bytes(2)])
        assert store.manifest(manifest.oid) is None
        store.add_manifest(manifest)
        store.add_manifest(manifest)
        assert store.manifest(manifest.oid) == manifest
        assert list(store.manifests()) == [manifest]

    def test_the_name_of_a_chunk_is_not_that_of_an_object(self, store: WritableChunkStore) -> None:
        store.add(chunk_of(some_bytes(1)))
        assert store.manifest(ObjectId(ChunkId.of(some_bytes(1)).raw)) is None

    def test_a_base_must_be_there_first(self, store: WritableChunkStore) -> None:
        base, data = some_bytes(1), some_bytes(2)
        with pytest.raises(BaseRefused):
            store.add(chunk_of(data, depth=1, base=ChunkId.of(base)))
        assert store.missing([ChunkId.of(data)])

    def test_a_delta_has_the_depth_that_its_base_gives_it_here(self, store: WritableChunkStore) -> None:
        names = [ChunkId.of(some_bytes(n)) for n in range(3)]
        store.add(chunk_of(some_bytes(0)))
        store.add(chunk_of(some_bytes(1), depth=3, base=names[0]))
        store.add(chunk_of(some_bytes(2), depth=1, base=names[1]))
        assert [store.encoded(name).depth for name in names] == [0, 1, 2]

    def test_a_delta_never_lies_deeper_than_three(self, store: WritableChunkStore) -> None:
        names = [ChunkId.of(some_bytes(n)) for n in range(6)]
        store.add(chunk_of(some_bytes(0)))
        for n in (1, 2, 3):
            store.add(chunk_of(some_bytes(n), depth=n, base=names[n - 1]))
        for depth in (3, 4):
            with pytest.raises(BaseRefused):
                store.add(chunk_of(some_bytes(4), depth=depth, base=names[3]))

    def test_it_goes_on_after_close(self, store: WritableChunkStore) -> None:
        store.add(chunk_of(some_bytes(1)))
        store.close()
        store.add(chunk_of(some_bytes(2)))
        store.sync()
        store.refresh()
        assert [store.read(ChunkId.of(some_bytes(n))) for n in (1, 2)] == [some_bytes(1), some_bytes(2)]

    def test_pinned_nests_and_sees(self, store: WritableChunkStore) -> None:
        with store.pinned(), store.pinned():
            store.add(chunk_of(some_bytes(1)))
            store.sync()
        assert store.read(ChunkId.of(some_bytes(1))) == some_bytes(1)

    def test_many_threads_add_and_read_the_same(self, store: WritableChunkStore) -> None:
        datas = [some_bytes(n % 40) for n in range(400)]

        def add_and_read(data: bytes) -> bool:
            store.add(chunk_of(data))
            return store.read(ChunkId.of(data)) == data

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(add_and_read, datas))
        assert not store.missing(ChunkId.of(data) for data in datas)
