"""Bytes that rot on the disk: what is lost is named, comes back when it is added or fetched again, and costs nothing else."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from git_lepton.errors import CorruptData
from git_lepton.format.coding.codec import encode
from git_lepton.format.coding.encoded import Base, EncodedChunk
from git_lepton.format.identifiers import ChunkId
from git_lepton.format.pack import HEADER_BYTES, PACK_HEAD
from git_lepton.store.chunk_store import BaseRefused
from git_lepton.store.compaction import clear_damage
from git_lepton.store.local_store import LocalStore
from tests.store.making import chunk_of, manifest_of, pack_files, some_bytes
from tests.support.fine_tuned import version


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


def test_prune_never_takes_the_only_sound_copy(root: Path, tmp_path: Path) -> None:
    keep(root, 1)
    keep(tmp_path / "other", 1, 2)
    for path in pack_files(tmp_path / "other"):  # two copies, as two processes make that add it at once
        path.rename(root / "packs" / path.name)
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


def version_name(number: int) -> ChunkId:
    return ChunkId.of(version(7, 5000, number))


def delta(number: int, on: int) -> EncodedChunk:
    """One version of some weights, coded against another."""
    base = Base(version_name(on), 0, version(7, 5000, on), "BF16")
    chunk = encode(version(7, 5000, number), "BF16", base=base)
    assert chunk.base == base.name
    return chunk


@pytest.fixture
def broken(root: Path) -> Path:
    """A store of two versions, of which the second lies on the first, which is damaged and known to be."""
    with LocalStore(root) as store:
        store.add(encode(version(7, 5000, 0), "BF16"))
        store.sync()
    (first,) = pack_files(root)
    with LocalStore(root) as store:
        store.add(delta(1, on=0))
        store.add_manifest(manifest_of([version(7, 5000, 1)]))
        store.sync()
    flip(first, len(PACK_HEAD) + HEADER_BYTES + 4)
    with LocalStore(root) as store, pytest.raises(CorruptData):
        store.read(version_name(1))
    return root


def test_what_lies_on_a_lost_base_is_missing_and_comes_back_with_it(broken: Path) -> None:
    with LocalStore(broken) as store:
        assert store.missing(map(version_name, (0, 1))) == {version_name(0), version_name(1)}
        with pytest.raises(BaseRefused):
            store.add(delta(0, on=1))  # they would lie on each other
        store.add(encode(version(7, 5000, 2), "BF16"))
        store.add(delta(0, on=2))  # now deeper than it was
        store.sync()
    with LocalStore(broken) as store:
        assert not store.missing(map(version_name, (0, 1)))
        assert store.read(version_name(1)) == version(7, 5000, 1)


def test_a_delta_whose_base_is_lost_can_be_added_anew(broken: Path) -> None:
    with LocalStore(broken) as store:
        store.add(encode(version(7, 5000, 2), "BF16"))
        store.add(delta(3, on=2))
        store.add(delta(1, on=3))  # deeper than the copy that is of no use any more
        assert store.read(version_name(1)) == version(7, 5000, 1)
        store.sync()
    with LocalStore(broken) as store:
        assert store.read(version_name(1)) == version(7, 5000, 1)
        assert store.missing([version_name(0)])


def test_prune_keeps_what_the_sound_copy_lies_on(root: Path, tmp_path: Path) -> None:
    with LocalStore(root) as store:
        store.add(encode(version(7, 5000, 1), "BF16"))
        store.add_manifest(manifest_of([version(7, 5000, 1)]))
        store.sync()
    (solo,) = pack_files(root)
    with LocalStore(tmp_path / "other") as store:  # two copies, as two processes make that add it at once
        store.add(encode(version(7, 5000, 0), "BF16"))
        store.add(delta(1, on=0))
        store.sync()
    for path in pack_files(tmp_path / "other"):
        path.rename(root / "packs" / path.name)
    flip(solo, len(PACK_HEAD) + HEADER_BYTES + 4)
    for path in pack_files(root):
        os.utime(path, (time.time() - 86400, time.time() - 86400))
    with LocalStore(root) as store:
        store.prune({manifest_of([version(7, 5000, 1)]).oid}, older_than_s=60)
    with LocalStore(root) as store:
        assert store.read(version_name(1)) == version(7, 5000, 1)


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


def test_a_damaged_pack_is_cleared_away_once_nothing_of_it_is_lost_any_more(root: Path) -> None:
    keep(root, 1, 2)
    (pack,) = pack_files(root)
    data = pack.read_bytes()
    at = len(PACK_HEAD) + 2 * HEADER_BYTES + 2000
    pack.write_bytes(data[:at] + b"ABCDEFG" + data[at:])
    with LocalStore(root) as store:
        assert list(store.verify())
        assert clear_damage(store) == []
        assert pack.exists()
    keep(root, 1, 2)  # what comes again lies in another pack
    with LocalStore(root) as store:
        assert list(store.verify())
        assert clear_damage(store) == [pack.name]
        assert list(store.verify()) == []
        assert clear_damage(store) == []
    assert is_whole(root, 1, 2)
    assert not pack.exists()
