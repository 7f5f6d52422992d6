"""The same weights cost once: in whatever container, under whatever names, in whatever order they come (issue 3, e and f)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from git_lepton.format.coding.encoded import RELEASED
from git_lepton.format.identifiers import ObjectId
from git_lepton.format.pointer import parse_pointer
from git_lepton.store.local_store import LocalStore
from git_lepton.workflow.bases.candidates import BasePlaces
from git_lepton.workflow.bases.finder import BaseFinder
from git_lepton.workflow.clean import clean

if TYPE_CHECKING:
    import torch


@pytest.fixture(autouse=True, scope="module")
def loaded_torch() -> None:
    """It takes seconds to load, and is loaded where these tests run, not wherever tests are collected."""
    global torch
    import torch


pytestmark = pytest.mark.thorough

Weights = dict[str, "torch.Tensor"]


class Stored:
    """A local store that says how much it grew by each file. A file's base is the one that was added before it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._store = folder / "lepton"
        self._last: list[ObjectId] = []

    def of(self, path: str) -> Iterator[Sequence[ObjectId]]:
        """As BasePlaces gives them."""
        yield self._last

    def file(self, name: str) -> Path:
        return self._folder / name

    def add(self, file: Path) -> int:
        """Bytes on disk that this file brought."""
        before = self._bytes()
        with LocalStore(self._store) as store, file.open("rb", buffering=0) as source:
            bases = BaseFinder(store, cast(BasePlaces, self)).of(file.name)
            self._last = [parse_pointer(clean(source, store, RELEASED, bases)).oid]
        return self._bytes() - before

    def _bytes(self) -> int:
        return sum(path.stat().st_size for path in self._store.rglob("*") if path.is_file())

    def safetensors(self, weights: Weights, name: str = "model.safetensors", **metadata: str) -> int:
        from safetensors.torch import save_file

        save_file(weights, self.file(name), metadata=metadata or None)
        return self.add(self.file(name))

    def torch(self, value: object, name: str = "model.pt", *, zipped: bool = True) -> int:
        torch.save(value, self.file(name), _use_new_zipfile_serialization=zipped)
        return self.add(self.file(name))


@pytest.fixture
def stored(tmp_path: Path) -> Stored:
    return Stored(tmp_path)


@pytest.fixture(scope="module")
def weights() -> Weights:
    """Some 14 MB, in layers as a transformer has them, among them one that is cut in several pieces."""
    torch.manual_seed(1)
    found = {"embedding.weight": torch.randn(6000, 384)}
    for layer in range(8):
        found[f"layers.{layer}.attention.weight"] = torch.randn(384, 384)
        found[f"layers.{layer}.norm.weight"] = torch.randn(384)
        found[f"layers.{layer}.norm.bias"] = torch.zeros(384)
    return {name: tensor.to(torch.bfloat16) if "attention" in name else tensor for name, tensor in found.items()}


def shards(weights: Weights) -> list[Weights]:
    names = list(weights)
    return [{name: weights[name] for name in part} for part in (names[:9], names[9:])]


def test_three_containers_cost_one(stored: Stored, weights: Weights) -> None:
    first = stored.safetensors(weights)
    assert stored.torch(weights) < first / 100
    one, two = shards(weights)
    assert stored.safetensors(one, "model-1.safetensors") + stored.safetensors(two, "model-2.safetensors") < first / 100
    assert stored.torch(weights, "old.bin", zipped=False) < first / 100
    assert stored.torch({"state_dict": weights, "epoch": 3}, "model.ckpt") < first / 100


def test_nor_does_it_matter_which_comes_first(stored: Stored, weights: Weights) -> None:
    one, two = shards(weights)
    first = stored.torch(one, "model-1.bin") + stored.torch(two, "model-2.bin")
    assert stored.safetensors(weights) < first / 100


@pytest.mark.parametrize("kind", ["safetensors", "torch"])
def test_changes_that_leave_tensors_as_they_are_cost_little(stored: Stored, weights: Weights, kind: str) -> None:
    add = getattr(stored, kind)
    first = add(weights)
    renamed = OrderedDict((name.replace("layers.3.", "blocks.3."), tensor) for name, tensor in weights.items())
    assert add(renamed, "renamed") < first / 100
    assert add(OrderedDict(reversed(weights.items())), "ordered") < first / 100
    if kind == "safetensors":
        assert stored.safetensors(weights, "noted", step="1000", note="a second training") < first / 100


@pytest.mark.parametrize("kind", ["safetensors", "torch"])
def test_appended_rows_cost_what_they_are(stored: Stored, weights: Weights, kind: str) -> None:
    add = getattr(stored, kind)
    first = add(weights)
    rows = torch.randn(3, 384)
    longer = {**weights, "embedding.weight": torch.cat([weights["embedding.weight"], rows])}
    assert add(longer) < first / 100 + rows.numel() * rows.itemsize
