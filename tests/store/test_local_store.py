from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from git_lepton.format.identifiers import ChunkId
from git_lepton.format.pack import HEADER_BYTES, PACK_HEAD, UnknownPackVersion, index_bytes, parse_end
from git_lepton.store import own_packs, reliance
from git_lepton.store.chunk_store import DamagedChunk, DiskTrouble, StoreFull, StoreNotWritable
from git_lepton.store.local_store import LocalStore
from tests.store.contract import StoreContract
from tests.store.making import chunk_of, manifest_of, pack_files, run_python, some_bytes


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalStore]:
    with LocalStore(tmp_path / "lepton") as store:
        yield store


class TestContract(StoreContract):
    pass


def fill(store: LocalStore, seeds: range, length: int = 5000) -> list[ChunkId]:
    """One object of these chunks, synced; gives the chunks' names."""
    datas = [some_bytes(seed, length) for seed in seeds]
    for data in datas:
        store.add(chunk_of(data))
    store.add_manifest(manifest_of(datas))
    store.sync()
    return [ChunkId.of(data) for data in datas]


def flip(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 0x10
    path.write_bytes(data)


def test_nothing_is_made_by_reading(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "lepton")
    assert store.missing([ChunkId.of(b"x")]) and not list(store.manifests()) and store.usage().packs == 0
    with store.pinned():
        pass
    assert not store.prune(set(), older_than_s=0).objects
    store.close()
    assert not (tmp_path / "lepton").exists()


def test_a_sealed_pack_is_one_of_the_format(store: LocalStore) -> None:
    fill(store, range(5))
    store.close()
    (path,) = pack_files(store.root)
    data = path.read_bytes()
    _, records = parse_end(data[-index_bytes(data[-8:]) :], len(data))
    assert data.startswith(PACK_HEAD) and len(records) == 6


def test_the_folder_explains_itself(store: LocalStore) -> None:
    fill(store, range(1))
    assert "git-lepton" in (store.root / "README").read_text()


def test_another_process_sees_an_open_pack(store: LocalStore) -> None:
    other = LocalStore(store.root)
    first = fill(store, range(3))
    assert other.read(first[1]) == some_bytes(1)
    later = fill(store, range(3, 5))
    assert other.missing(later) == set(later)
    other.refresh()
    assert not other.missing(later)
    store.close()
    assert other.read(later[0]) == some_bytes(3)


def test_sync_also_secures_what_another_process_has_not_synced(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.add(chunk_of(some_bytes(1)))
    other = LocalStore(store.root)
    synced: list[Path] = []
    monkeypatch.setattr(reliance, "sync_data", lambda fd: synced.append(Path(f"/proc/self/fd/{fd}").readlink()))
    other.sync()
    assert not synced
    assert not other.missing([ChunkId.of(some_bytes(1))])
    other.sync()
    other.sync()
    assert synced == pack_files(store.root)


def test_a_torn_tail_is_no_error(store: LocalStore) -> None:
    names = fill(store, range(4))
    (path,) = pack_files(store.root)
    whole = path.read_bytes()
    ends = [LocalStore(store.root).read(name) for name in names]
    assert len(ends) == 4
    torn = store.root.parent / "torn"
    (torn / "packs").mkdir(parents=True)
    record = HEADER_BYTES + 5000
    for length in [0, 3, 8, 50, 8 + record - 1, 8 + record, 8 + 2 * record + 100, len(whole) - 1]:
        (torn / "packs" / "0-1.pack").write_bytes(whole[:length])
        with LocalStore(torn) as reader:
            assert len(names) - len(reader.missing(names)) == max(0, length - 8) // record
            assert not list(reader.verify())


def test_a_killed_process_pack_is_taken_over_and_sealed(store: LocalStore) -> None:
    """What was whole in it stays, what power took from its middle is known to be missing."""
    names = fill(store, range(4))
    data = pack_files(store.root)[0].read_bytes()
    root = store.root.parent / "other"
    (root / "packs").mkdir(parents=True)
    orphan = root / "packs" / "dead-00000.pack"
    orphan.write_bytes(data[:-20])
    flip(orphan, 8 + HEADER_BYTES + 5000 + HEADER_BYTES + 17)
    other = LocalStore(root)
    assert other.missing(names) == {names[1]}
    other.add(chunk_of(some_bytes(9)))
    other.close()
    assert not orphan.exists()
    again = LocalStore(root)
    assert again.missing(names) == {names[1]}
    assert again.read(names[3]) == some_bytes(3)
    assert not list(again.verify())


def test_damage_in_a_sealed_pack_hits_one_chunk(store: LocalStore) -> None:
    names = fill(store, range(5))
    store.close()
    flip(pack_files(store.root)[0], 8 + 2 * (HEADER_BYTES + 5000) + HEADER_BYTES + 99)
    reader = LocalStore(store.root)
    with pytest.raises(DamagedChunk) as caught:
        reader.read(names[2])
    assert str(names[2]) in caught.value.message and caught.value.exit_code == 7
    for n in (0, 1, 3, 4):
        assert reader.read(names[n]) == some_bytes(n)
    assert {problem.subject for problem in LocalStore(store.root).verify()} == {
        names[2].raw.hex(),
        str(manifest_of([some_bytes(n) for n in range(5)]).oid),
    }


def test_a_damaged_chunk_can_be_added_anew(store: LocalStore) -> None:
    names = fill(store, range(3))
    store.close()
    flip(pack_files(store.root)[0], 8 + HEADER_BYTES + 99)
    with LocalStore(store.root) as healer:
        with pytest.raises(DamagedChunk):
            healer.read(names[0])
        assert healer.missing(names) == {names[0]}
        healer.add(chunk_of(some_bytes(0)))
    for _ in range(3):
        assert LocalStore(store.root).read(names[0]) == some_bytes(0)


@pytest.mark.parametrize("from_end", [1, 5, 50, 200, 500])
def test_a_pack_with_a_damaged_index_is_read_record_by_record(store: LocalStore, from_end: int) -> None:
    names = fill(store, range(8))
    store.close()
    (path,) = pack_files(store.root)
    flip(path, path.stat().st_size - from_end)
    reader = LocalStore(store.root)
    assert [reader.read(name) for name in names] == [some_bytes(n) for n in range(8)]


def test_a_pack_of_a_newer_version_is_refused(store: LocalStore) -> None:
    fill(store, range(1))
    store.close()
    (path,) = pack_files(store.root)
    path.write_bytes(path.read_bytes().replace(PACK_HEAD, b"LPAK\x02\0\0\0", 1))
    with pytest.raises(UnknownPackVersion, match="version 2"):
        LocalStore(store.root).refresh()


def test_what_is_stored_of_a_chunk_is_known_without_reading_it(store: LocalStore) -> None:
    base, delta, absent = (ChunkId.of(some_bytes(n)) for n in (1, 2, 3))
    store.add(chunk_of(some_bytes(1)))
    store.add(chunk_of(some_bytes(2), depth=1, base=base))
    assert (store.base(delta), store.depth(delta)) == (base, 1)
    assert (store.base(base), store.depth(base)) == (None, 0)
    assert (store.base(absent), store.depth(absent), store.record(absent)) == (None, 0, None)
    record = store.record(delta)
    assert record == store.encoded(delta).record()


def test_of_two_encodings_the_less_deep_is_taken(tmp_path: Path) -> None:
    """Two processes that code A by B and B by A at once: both stay readable, also when packs are merged."""
    a, b = some_bytes(1), some_bytes(2)
    first, second = LocalStore(tmp_path / "lepton"), LocalStore(tmp_path / "lepton")
    first.refresh()
    second.refresh()
    first.add(chunk_of(a))
    first.add(chunk_of(b, depth=1, base=ChunkId.of(a)))
    second.add(chunk_of(b))
    second.add(chunk_of(a, depth=1, base=ChunkId.of(b)))
    first.close()
    second.close()
    reader = LocalStore(tmp_path / "lepton")
    assert reader.read(ChunkId.of(a)) == a and reader.read(ChunkId.of(b)) == b
    manifest = manifest_of([a, b])
    reader.add_manifest(manifest)
    reader.close()
    reader.prune({manifest.oid}, older_than_s=-1)
    assert reader.usage().stored_bytes < 2 * 6000
    assert reader.read(ChunkId.of(a)) == a and reader.read(ChunkId.of(b)) == b


def test_a_long_pack_is_followed_by_another(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_packs, "ROLL_BYTES", 12000)
    names = fill(store, range(10))
    assert len(pack_files(store.root)) > 3
    assert [LocalStore(store.root).read(name) for name in names] == [some_bytes(n) for n in range(10)]


def test_a_thousand_packs_are_known_quickly(tmp_path: Path) -> None:
    root = tmp_path / "lepton"
    with LocalStore(root) as store:
        names = fill(store, range(16), 100)
    (path,) = pack_files(root)
    for n in range(1000):
        (root / "packs" / f"{n:04}-0.pack").write_bytes(path.read_bytes())
    took = []
    for _ in range(3):
        reader = LocalStore(root)
        start = time.process_time()
        assert not reader.missing(names)
        took.append(time.process_time() - start)
        start = time.process_time()
        reader.refresh()
        took_again = time.process_time() - start
    assert min(took) < 0.3 and took_again < 0.1


def test_a_read_only_store_is_read_and_says_why_it_does_not_write() -> None:
    """In a process of a user who may not write there (root may write anywhere)."""
    with tempfile.TemporaryDirectory() as folder:
        script = f"""
            import os
            from pathlib import Path
            from git_lepton.format.identifiers import ChunkId
            from git_lepton.store.chunk_store import StoreNotWritable
            from git_lepton.store.local_store import LocalStore
            from tests.store.making import chunk_of, some_bytes
            root = Path({folder!r}) / "lepton"
            with LocalStore(root) as store:
                store.add(chunk_of(some_bytes(0)))
            Path({folder!r}).chmod(0o755)
            root.chmod(0o555)
            (root / "packs").chmod(0o555)
            if os.geteuid() == 0:
                os.setuid(65534)
            store = LocalStore(root)
            with store.pinned():
                assert store.read(ChunkId.of(some_bytes(0))) == some_bytes(0)
                try:
                    store.add(chunk_of(some_bytes(5)))
                except StoreNotWritable as error:
                    print(error.exit_code, error.message)
            store.close()
        """
        answer = run_python(script).stdout
        (Path(folder) / "lepton" / "packs").chmod(0o755)
        (Path(folder) / "lepton").chmod(0o755)
    assert answer.startswith("6 ") and "permission denied" in answer and folder in answer


def test_a_place_that_cannot_hold_a_store_is_said(tmp_path: Path) -> None:
    (tmp_path / "lepton").write_text("in the way")
    store = LocalStore(tmp_path / "lepton")
    with pytest.raises((StoreNotWritable, DiskTrouble)) as caught:
        store.add(chunk_of(b"x"))
    assert str(tmp_path) in caught.value.message and caught.value.hint


def test_a_full_disk_leaves_whole_records(tmp_path: Path) -> None:
    """In a process that may not write files of more than 60,000 bytes."""
    script = f"""
        import resource
        from pathlib import Path
        from git_lepton.store.chunk_store import StoreFull
        from git_lepton.store.local_store import LocalStore
        from tests.store.making import chunk_of, some_bytes
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY))
        store = LocalStore(Path({str(tmp_path / "lepton")!r}))
        for seed in range(100):
            try:
                store.add(chunk_of(some_bytes(seed)))
            except StoreFull as error:
                assert error.hint
                break
        print(seed)
        store.add(chunk_of(some_bytes(1000, 100)))   # a smaller one still fits
        store.sync()
        store.close()
    """
    count = int(run_python(script).stdout)
    assert 5 < count < 12
    reader = LocalStore(tmp_path / "lepton")
    assert [reader.read(ChunkId.of(some_bytes(n))) for n in range(count)] == [some_bytes(n) for n in range(count)]
    assert reader.read(ChunkId.of(some_bytes(1000, 100))) == some_bytes(1000, 100)
    assert reader.missing([ChunkId.of(some_bytes(count))])
    assert not list(reader.verify())


def test_no_room_for_a_pack_at_all(tmp_path: Path) -> None:
    script = f"""
        import resource
        from pathlib import Path
        from git_lepton.store.chunk_store import StoreFull
        from git_lepton.store.local_store import LocalStore
        from tests.store.making import chunk_of
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        store = LocalStore(Path({str(tmp_path / "lepton")!r}))
        try:
            store.add(chunk_of(b"x"))
        except StoreFull as error:
            print(error.exit_code)
        store.close()
    """
    assert run_python(script).stdout == "2\n"
    assert not pack_files(tmp_path / "lepton")


def test_a_failing_sync_is_not_forgotten(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system may drop what it could not write and call the next sync a success: it must not become ours."""
    store.add(chunk_of(some_bytes(1)))

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("git_lepton.store.pack_writer.sync_data", fail)
        with pytest.raises(StoreFull):
            store.sync()
    with pytest.raises(StoreFull):
        store.sync()
    with pytest.raises(StoreFull):
        store.add(chunk_of(some_bytes(2)))


def test_descriptors_stay_bounded(tmp_path: Path) -> None:
    root = tmp_path / "lepton"
    for n in range(0, 100):
        (root / "packs").mkdir(parents=True, exist_ok=True)
        with LocalStore(tmp_path / "one") as store:
            store.add(chunk_of(some_bytes(n)))
        pack_files(tmp_path / "one")[-1].rename(root / "packs" / f"{n}-0.pack")
    before = len(list(Path("/proc/self/fd").iterdir()))
    reader = LocalStore(root)
    for n in range(100):
        assert reader.read(ChunkId.of(some_bytes(n))) == some_bytes(n)
    assert len(list(Path("/proc/self/fd").iterdir())) - before <= 64
    reader.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
