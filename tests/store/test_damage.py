"""Bytes that rot on the disk: what is lost is named, comes back when it is added or fetched again, and costs nothing else."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from git_lepton.errors import CorruptData
from git_lepton.format.identifiers import ChunkId
from git_lepton.format.pack import HEADER_BYTES, PACK_HEAD
from git_lepton.store.local_store import LocalStore
from tests.store.making import chunk_of, manifest_of, pack_files, some_bytes


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "lepton"


def keep(root: Path, *seeds: int) -> None:
    """Store one object of these chunks, in a pack of its own."""
    with LocalStore(root) as store:
        datas = [some_bytes(seed) for seed in seeds]
        for data in datas:
            store.add(chunk_of(data))
        store.add_manifest(manifest_of(datas))
        store.sync()


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0x10
    path.write_bytes(data)


def is_whole(root: Path, *seeds: int) -> bool:
    with LocalStore(root) as store:
        return all(store.read(ChunkId.of(some_bytes(seed))) == some_bytes(seed) for seed in seeds)


def name(seed: int) -> ChunkId:
    return ChunkId.of(some_bytes(seed))


def test_what_was_found_damaged_is_missing_for_every_process_until_it_is_added_again(root: Path) -> None:
    keep(root, 1, 2)
    (pack,) = pack_files(root)
    flip(pack, len(PACK_HEAD) + HEADER_BYTES + 9)
    with LocalStore(root) as store, pytest.raises(CorruptData):
        store.read(name(1))
    with LocalStore(root) as store:
        assert store.missing([name(1), name(2)]) == {name(1)}
        assert name(1).hex in {problem.subject for problem in store.verify()}
        store.add(chunk_of(some_bytes(1)))
        store.sync()
    assert is_whole(root, 1, 2)
    with LocalStore(root) as store:
        assert list(store.verify()) == []


def test_a_damaged_manifest_is_missing_until_it_is_added_again(root: Path) -> None:
    keep(root, 1)
    (pack,) = pack_files(root)
    manifest = manifest_of([some_bytes(1)])
    flip(pack, pack.read_bytes().index(manifest.encode()) + 5)
    with LocalStore(root) as store, pytest.raises(CorruptData):
        store.manifest(manifest.oid)
    with LocalStore(root) as store:
        assert store.manifest(manifest.oid) is None
        store.add_manifest(manifest)
        store.sync()
    with LocalStore(root) as store:
        assert store.manifest(manifest.oid) == manifest


@pytest.mark.parametrize("at", [0, 3, 5, len(PACK_HEAD) + 20, -2, -20])
def test_one_flipped_bit_of_a_frame_loses_nothing(root: Path, at: int) -> None:
    """In the head, in a record's header, in the trailer and in the index of a sealed pack."""
    keep(root, 1, 2)
    (pack,) = pack_files(root)
    flip(pack, at)
    assert is_whole(root, 1, 2)
    keep(root, 3)  # closing tidies up
    assert is_whole(root, 1, 2, 3)


def test_a_pack_that_cannot_be_read_is_set_aside_and_not_removed(root: Path) -> None:
    keep(root, 1, 2)
    (pack,) = pack_files(root)
    flip(pack, 0)
    flip(pack, -1)
    data = pack.read_bytes()
    with LocalStore(root) as store:
        assert [problem.subject for problem in store.verify()] == [pack.name]
    keep(root, 3)
    assert pack.with_suffix(".broken").read_bytes() == data
    assert is_whole(root, 3)


def test_what_follows_a_damaged_header_is_set_aside_too(root: Path) -> None:
    keep(root, 1, 2)
    (pack,) = pack_files(root)
    flip(pack, len(PACK_HEAD) + HEADER_BYTES + len(chunk_of(some_bytes(1)).payload) + 3)
    flip(pack, -1)
    keep(root, 3)
    assert is_whole(root, 1, 3)
    assert pack.with_suffix(".broken").exists()


def test_prune_never_takes_the_only_sound_copy(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(root, 1)
    with monkeypatch.context() as patched:
        patched.setattr(LocalStore, "_holds", lambda self, name: False)  # as two processes do that add it at once
        keep(root, 1, 2)
    with LocalStore(root) as store:
        store.refresh()
        named = store.catalogue.chunk(name(1).raw)
    assert named
    flip(named[0].path, named[0].offset(named[1]) + 4)
    for path in pack_files(root):
        os.utime(path, (time.time() - 86400, time.time() - 86400))
    with LocalStore(root) as store:
        store.prune({manifest_of([some_bytes(1)]).oid, manifest_of([some_bytes(1), some_bytes(2)]).oid}, older_than_s=60)
    assert is_whole(root, 1, 2)


def test_what_lies_on_a_lost_base_is_named_and_so_are_its_objects(root: Path) -> None:
    keep(root, 1)
    (first,) = pack_files(root)
    with LocalStore(root) as store:
        store.add(chunk_of(some_bytes(2), depth=1, base=name(1)))
        store.add(chunk_of(some_bytes(3), depth=2, base=name(2)))
        manifest = manifest_of([some_bytes(3)])
        store.add_manifest(manifest)
        store.sync()
    first.unlink()
    with LocalStore(root) as store:
        named = {problem.subject: problem.message for problem in store.verify()}
    assert named.keys() == {name(2).hex, name(3).hex, str(manifest.oid)}
    assert str(name(1)) in named[name(3).hex]
