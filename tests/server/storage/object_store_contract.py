"""What every ObjectStore promises; an implementation's test gives `store` and inherits the rest."""

from __future__ import annotations

import pytest

from lepton_server.storage.object_store import ObjectMissing, ObjectStore, StoreTrouble

KEY = "ab/abcdef"


class ObjectStoreContract:
    @pytest.fixture
    def store(self) -> ObjectStore:
        raise NotImplementedError

    def put(self, store: ObjectStore, key: str, *parts: bytes) -> None:
        incoming = store.begin(key)
        for part in parts:
            incoming.write(part)
        incoming.finish()
        incoming.abort()  # does nothing any more

    def test_what_was_put_is_there_in_every_part(self, store: ObjectStore) -> None:
        data = bytes(range(256)) * 10_000
        self.put(store, KEY, data[:1], data[1:1_000_000], memoryview(data)[1_000_000:].tobytes())
        assert store.exists(KEY)
        for start, length in [(0, len(data)), (0, 1), (len(data) - 1, 1), (999_999, 1_500_000), (5, 0)]:
            assert store.read(KEY, start, length) == data[start : start + length]
            with store.blocks(KEY, start, length) as blocks:
                assert b"".join(blocks) == data[start : start + length]

    def test_nothing_is_visible_before_the_end(self, store: ObjectStore) -> None:
        incoming = store.begin(KEY)
        incoming.write(b"some")
        assert not store.exists(KEY)
        with pytest.raises(ObjectMissing):
            store.read(KEY, 0, 4)
        assert incoming.read(1, 2) == b"om"
        incoming.finish()
        assert store.read(KEY, 0, 4) == b"some"

    def test_what_was_aborted_never_was(self, store: ObjectStore) -> None:
        incoming = store.begin(KEY)
        incoming.write(b"some")
        incoming.abort()
        incoming.abort()
        assert not store.exists(KEY)

    def test_two_keys_side_by_side(self, store: ObjectStore) -> None:
        first, second = store.begin("aa/1"), store.begin("aa/2")
        first.write(b"one")
        second.write(b"two")
        second.finish()
        first.finish()
        assert (store.read("aa/1", 0, 3), store.read("aa/2", 0, 3)) == (b"one", b"two")

    def test_the_keys_below_a_folder_are_those_alone(self, store: ObjectStore) -> None:
        assert list(store.keys_below("notes")) == []
        for key in ("notes/2", "notes/1", "notes-not/3", "ab/notes"):
            self.put(store, key, b"data")
        assert list(store.keys_below("notes")) == ["notes/1", "notes/2"]
        store.delete("notes/1")
        assert list(store.keys_below("notes")) == ["notes/2"]

    def test_what_is_not_there(self, store: ObjectStore) -> None:
        assert not store.exists(KEY)
        with pytest.raises(ObjectMissing):
            store.read(KEY, 0, 1)
        with pytest.raises(ObjectMissing), store.blocks(KEY, 0, 1):
            pass

    def test_reading_beyond_the_end_is_trouble(self, store: ObjectStore) -> None:
        self.put(store, KEY, b"some")
        for start, length in [(0, 5), (4, 1), (100, 1)]:
            with pytest.raises(StoreTrouble):
                store.read(KEY, start, length)
            with store.blocks(KEY, start, length) as blocks, pytest.raises(StoreTrouble):
                b"".join(blocks)

    def test_deleting(self, store: ObjectStore) -> None:
        self.put(store, KEY, b"some")
        store.delete(KEY)
        assert not store.exists(KEY)
        store.delete(KEY)
