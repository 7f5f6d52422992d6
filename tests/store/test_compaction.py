from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from git_lepton.format.identifiers import ChunkId, ObjectId
from git_lepton.store import compaction, own_packs
from git_lepton.store.chunk_store import Pruned, StoreBusy
from git_lepton.store.local_store import LocalStore
from tests.store.making import chunk_of, manifest_of, pack_files, some_bytes

DAY = 86400.0


def keep(store: LocalStore, *seeds: int) -> ObjectId:
    """An object of these chunks, durably stored."""
    datas = [some_bytes(seed) for seed in seeds]
    for data in datas:
        store.add(chunk_of(data))
    manifest = manifest_of(datas)
    store.add_manifest(manifest)
    store.sync()
    return manifest.oid


def here(store: LocalStore, *seeds: int) -> list[int]:
    store.refresh()
    return [seed for seed in seeds if not store.missing([ChunkId.of(some_bytes(seed))])]


def grow_old(store: LocalStore, seconds: float = DAY) -> None:
    for path in pack_files(store.root):
        os.utime(path, (time.time() - seconds, time.time() - seconds))


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "lepton")


def test_prune_drops_what_is_old_and_unnamed(store: LocalStore) -> None:
    wanted, unwanted = keep(store, 1, 2), keep(store, 2, 3)
    store.close()
    grow_old(store)
    told = store.prune({wanted}, older_than_s=60, dry_run=True)
    assert here(store, 1, 2, 3) == [1, 2, 3]
    before = store.usage().stored_bytes
    pruned = store.prune({wanted}, older_than_s=60)
    assert pruned == Pruned(1, before - store.usage().stored_bytes)
    assert 5000 < told.bytes <= pruned.bytes + 300 and told.objects == 1
    assert here(store, 1, 2, 3) == [1, 2]
    assert store.manifest(unwanted) is None and store.manifest(wanted)
    assert not list(store.verify())


def test_prune_twice_finds_nothing_more(store: LocalStore) -> None:
    wanted, _ = keep(store, 1, 2), keep(store, 2, 3)
    store.close()
    store.prune({wanted}, older_than_s=-1)
    packs = pack_files(store.root)
    assert store.prune({wanted}, older_than_s=-1) == Pruned(0, 0)
    assert pack_files(store.root) == packs


def test_prune_spares_what_is_young(store: LocalStore) -> None:
    keep(store, 1)
    store.close()
    assert store.prune(set(), older_than_s=60) == Pruned(0, 0)
    grow_old(store, 30)
    assert store.prune(set(), older_than_s=60) == Pruned(0, 0)
    assert here(store, 1) == [1]


def test_prune_spares_old_chunks_that_a_young_object_uses(store: LocalStore) -> None:
    keep(store, 1, 2, 3)
    store.close()
    grow_old(store)
    keep(store, 2, 9)
    store.close()
    store.prune(set(), older_than_s=60)
    assert here(store, 1, 2, 3, 9) == [2, 9]


def test_prune_spares_an_old_object_that_was_asked_for_again(store: LocalStore) -> None:
    keep(store, 1)
    store.close()
    grow_old(store)
    with LocalStore(store.root) as other, other.pinned():
        keep(other, 1)
    store.prune(set(), older_than_s=60)
    assert here(store, 1) == [1]


def test_prune_spares_the_bases_of_what_stays(store: LocalStore) -> None:
    names = [ChunkId.of(some_bytes(n)) for n in range(4)]
    keep(store, 0)
    for n in (1, 2, 3):
        store.add(chunk_of(some_bytes(n), depth=n, base=names[n - 1]))
    manifest = manifest_of([some_bytes(2)])
    store.add_manifest(manifest)
    store.close()
    store.prune({manifest.oid}, older_than_s=-1)
    assert here(store, 0, 1, 2, 3) == [0, 1, 2]


def test_prune_leaves_what_living_processes_wrote(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their sealed packs too, as long as they go on."""
    monkeypatch.setattr(own_packs, "ROLL_BYTES", 8000)
    for seed in range(4):
        keep(store, seed)
    assert len(pack_files(store.root)) > 1
    grow_old(store)
    other = LocalStore(store.root)
    assert other.prune(set(), older_than_s=0) == Pruned(0, 0)
    assert here(other, 0, 1, 2, 3) == [0, 1, 2, 3]
    store.close()
    other.prune(set(), older_than_s=-1)
    assert here(other, 0, 1, 2, 3) == []


def test_prune_waits_for_who_relies_on_what_is_there(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(store, 1)
    store.close()
    other = LocalStore(store.root)
    monkeypatch.setattr(compaction, "_PATIENCE_S", 0.05)
    with other.pinned():
        assert here(other, 1) == [1]
        with pytest.raises(StoreBusy):
            store.prune(set(), older_than_s=-1)
    assert here(store, 1) == [1]
    store.prune(set(), older_than_s=-1)
    with other.pinned():
        assert other.missing([ChunkId.of(some_bytes(1))]), "a process that knew the chunk learns that it went"


def test_the_age_counts_from_the_call(store: LocalStore) -> None:
    """What is added while prune waits for its turn is younger than anything that `keep` was made from."""
    keep(store, 1)
    store.close()
    grow_old(store, 1.0)
    other = LocalStore(store.root)
    with other.pinned():
        pruning = threading.Thread(target=lambda: store.prune(set(), older_than_s=0.0))
        pruning.start()
        time.sleep(0.1)
        added = LocalStore(store.root)
        keep(added, 2)
        added.close()
    pruning.join()
    assert here(other, 1, 2) == [2]


def test_a_damaged_pack_is_not_rewritten(store: LocalStore) -> None:
    wanted, _ = keep(store, 1, 2), keep(store, 3)
    store.close()
    (path,) = pack_files(store.root)
    data = bytearray(path.read_bytes())
    data[300] ^= 1
    path.write_bytes(data)
    pruner = LocalStore(store.root)
    pruner.prune({wanted}, older_than_s=-1)
    assert path.exists()
    assert here(LocalStore(store.root), 1, 2, 3) == [1, 2, 3]
    assert LocalStore(store.root).read(ChunkId.of(some_bytes(2))) == some_bytes(2)


def test_many_small_packs_become_one(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "MANY_SMALL_PACKS", 5)
    reader = LocalStore(store.root)
    for seed in range(5):
        with LocalStore(store.root) as each:
            keep(each, seed, 100)
    grow_old(store)
    assert here(reader, *range(5)) == list(range(5))
    assert len(pack_files(store.root)) == 5
    with LocalStore(store.root) as last:
        keep(last, 5)
    assert len(pack_files(store.root)) == 1
    assert [reader.read(ChunkId.of(some_bytes(seed))) for seed in range(5)] == [some_bytes(seed) for seed in range(5)]
    assert reader.usage().objects == 6
    assert not list(reader.verify())


def test_large_packs_are_left_alone(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "MANY_SMALL_PACKS", 1)
    monkeypatch.setattr(compaction, "SMALL_PACK_BYTES", 4000)
    for seed in range(5):
        with LocalStore(store.root) as each:
            keep(each, seed)
    assert len(pack_files(store.root)) == 5


def test_merging_is_put_off_while_others_rely_on_the_store(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "MANY_SMALL_PACKS", 0)
    with LocalStore(store.root) as first:
        keep(first, 1)
    with first.pinned(), LocalStore(store.root) as second:
        keep(second, 2)
        second.close()
        assert len(pack_files(store.root)) == 2


def test_unreferenced_lists_the_longest_unused_first(store: LocalStore) -> None:
    named = keep(store, 1, 2)
    store.close()
    older = keep(store, 2, 3, 4)
    store.close()
    grow_old(store, 500)
    newer = keep(store, 4, 5)
    store.close()
    first, second = store.unreferenced({named})
    assert (first.oid, second.oid) == (older, newer)
    assert 5000 <= first.own_bytes < 5200 and 10_000 <= second.own_bytes < 10_300
    assert first.age_s > 400 > second.age_s
