"""Many versions of one model, one after the other: chains stay short, and no version costs much more than the first ones did."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from git_lepton.format.coding.encoded import RELEASED
from git_lepton.format.identifiers import ObjectId
from git_lepton.format.pointer import parse_pointer
from git_lepton.store.local_store import LocalStore
from git_lepton.workflow.bases.candidates import BasePlaces
from git_lepton.workflow.bases.finder import BaseFinder
from git_lepton.workflow.clean import clean
from tests.workflow.objects import MemorySource
from tests.workflow.versions import Tensors, all_tuned, bf16, chunks_of, content, model

VERSIONS = 40


class Previous:
    """The previous version is what HEAD has."""

    def __init__(self) -> None:
        self.oid: ObjectId | None = None

    def of(self, path: str) -> Iterator[list[ObjectId]]:
        yield [self.oid] if self.oid else []


def grown_by(store: LocalStore, previous: Previous, tensors: Tensors) -> int:
    """Add a version in a process of its own, as it were; by how many bytes the store grew."""
    before = store.usage().stored_bytes
    bases = BaseFinder(store, cast(BasePlaces, previous)).of("a")
    data = bf16(tensors)
    previous.oid = parse_pointer(clean(MemorySource(data), store, RELEASED, bases)).oid
    return store.usage().stored_bytes - before


@pytest.mark.parametrize(("much", "share"), [(1e-5, 0.25), (1e-4, 0.5)])
def test_sizes_and_depths_stay_as_they_were(tmp_path: Path, much: float, share: float) -> None:
    tensors, previous, costs, deepest = model(layers=2), Previous(), [], 0
    with LocalStore(tmp_path / "lepton") as store:
        for number in range(VERSIONS):
            costs.append(grown_by(store, previous, tensors))
            assert previous.oid is not None
            deepest = max(deepest, *(depth for _, _, depth in chunks_of(store, previous.oid)))
            data, tensors = bf16(tensors), all_tuned(tensors, 100 * number, much)
        assert previous.oid is not None
        assert content(store, previous.oid) == data
    first, early, late = costs[0], costs[1:10], costs[-20:]
    assert deepest == 3
    assert sum(late) / len(late) < 1.3 * sum(early) / len(early)
    assert max(late) < share * first * 1.5
    assert sum(costs[1:]) / (VERSIONS - 1) < share * first


def test_where_every_version_is_another_model_each_stands_alone(tmp_path: Path) -> None:
    previous = Previous()
    with LocalStore(tmp_path / "lepton") as store:
        for seed in range(5):
            grown_by(store, previous, model(seed=seed))
            assert previous.oid is not None
            assert {depth for _, _, depth in chunks_of(store, previous.oid)} == {0}
