from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from git_lepton.format.identifiers import ObjectId
from git_lepton.store.local_store import LocalStore
from git_lepton.workflow.upkeep.reclaim import LEAST_LIMIT, reclaim
from tests.store.making import chunk_of, manifest_of, pack_files, some_bytes

KIB = 1024


def status(root: Path, seed: int, kib: int = 100, age_s: float = 0) -> ObjectId:
    """What `git status` of a rewritten file leaves: another version in a pack of its own."""
    with LocalStore(root) as store:
        before = set(pack_files(root))
        data = some_bytes(seed, kib * KIB)
        store.add(chunk_of(data))
        store.add_manifest(manifest_of([data]))
        store.sync()
    (path,) = set(pack_files(root)) - before
    os.utime(path, (time.time() - age_s, time.time() - age_s))
    return manifest_of([data]).oid


def objects(root: Path) -> set[ObjectId]:
    return {manifest.oid for manifest in LocalStore(root).manifests()}


def never() -> set[ObjectId]:
    raise AssertionError("asked for references without need")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "lepton"


def test_below_the_limit_nothing_is_looked_at(root: Path) -> None:
    status(root, 1)
    assert reclaim(LocalStore(root), never, 101 * KIB) is None
    assert reclaim(LocalStore(root), never) is None


def test_the_longest_unused_go_until_the_rest_fits(root: Path) -> None:
    named = status(root, 0, age_s=9000)
    versions = [status(root, n, age_s=5000 - n) for n in range(1, 8)]
    pruned = reclaim(LocalStore(root), lambda: {named}, 320 * KIB)
    assert pruned and pruned.objects == 4
    assert objects(root) == {named, *versions[4:]}
    assert not list(LocalStore(root).verify())


def test_the_young_stay_above_the_limit_too(root: Path) -> None:
    old, young = status(root, 1, age_s=400), [status(root, n, age_s=200) for n in (2, 3)]
    reclaim(LocalStore(root), set, 10 * KIB)
    assert objects(root) == set(young) and old not in objects(root)


def test_what_a_living_process_added_stays(root: Path) -> None:
    adding = LocalStore(root)
    data = some_bytes(1, 200 * KIB)
    adding.add(chunk_of(data))
    adding.add_manifest(manifest_of([data]))
    adding.sync()
    for path in pack_files(root):
        os.utime(path, (1, 1))
    reclaim(LocalStore(root), set, 10 * KIB)
    assert objects(root) == {manifest_of([data]).oid}
    adding.close()


def test_after_a_survey_only_growth_asks_for_another(root: Path) -> None:
    named = [status(root, n, age_s=900) for n in range(4)]
    assert reclaim(LocalStore(root), lambda: set(named), 300 * KIB)
    assert reclaim(LocalStore(root), never, 300 * KIB, pause_s=0) is None
    status(root, 9)
    assert reclaim(LocalStore(root), never, 300 * KIB, pause_s=0) is None
    for n in (10, 11):
        status(root, n)
    assert reclaim(LocalStore(root), lambda: set(named), 300 * KIB) is None, "not twice in a minute"
    assert reclaim(LocalStore(root), lambda: set(named), 300 * KIB, pause_s=0, spared_s=0)
    assert len(objects(root)) == 6


def test_while_others_store_it_is_put_off(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("git_lepton.store.compaction._PATIENCE_S", 0.02)
    status(root, 1, age_s=900)
    with LocalStore(root).pinned():
        assert reclaim(LocalStore(root), set, 10 * KIB) is None
    assert objects(root)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"{}", b'{"stored": "x"}', b"\xff"])
def test_a_survey_that_makes_no_sense_is_made_again(root: Path, text: bytes) -> None:
    status(root, 1, age_s=900)
    (root / "survey.json").write_bytes(text)
    assert reclaim(LocalStore(root), set, 10 * KIB)
    assert not objects(root)


def test_the_usual_limit_is_a_gibibyte_or_twice_the_largest(root: Path) -> None:
    status(root, 1, age_s=900)
    assert LEAST_LIMIT == KIB**3
    (root / "survey.json").write_text('{"stored": 0, "unreferenced": 2000000000, "largest": 5000000000, "taken_at": 0}')
    assert reclaim(LocalStore(root), never) is None
    (root / "survey.json").write_text('{"stored": 0, "unreferenced": 2000000000, "largest": 5000, "taken_at": 0}')
    pruned = reclaim(LocalStore(root), set)
    assert pruned and not pruned.objects, "a close look finds that there is room after all"
