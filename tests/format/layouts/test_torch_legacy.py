from __future__ import annotations

import pickle
import re
from typing import Any

import pytest

from tests.format.layouts.cutting import regions_of, tensors
from tests.format.layouts.torch_files import saved, state_dict
from tests.format.sources import noise


@pytest.fixture(autouse=True, scope="module")
def loaded_torch() -> None:
    """It takes seconds to load, and is loaded where these tests run, not wherever tests are collected."""
    global torch
    import torch


def old(value: Any, **options: Any) -> bytes:
    return saved(value, _use_new_zipfile_serialization=False, **options)


@pytest.mark.thorough
def test_it_shows_the_same_tensors_as_a_zip_file() -> None:
    assert tensors(old(state_dict())) == tensors(saved(state_dict()))
    assert len(tensors(old(state_dict()))) == 4


def test_a_checkpoint_with_small_shared_and_other_things() -> None:
    flat = torch.randn(1000)
    value = {"a": flat[:300], "b": flat[300:], "step": torch.tensor(3.0), "empty": torch.empty(0), "e": {"x": torch.ones(900)}}
    assert tensors(old(value)) == tensors(saved(value))
    assert sorted(tensors(old(value))) == ["a", "b", "e.x"]


def test_a_pickle_longer_than_the_first_look() -> None:
    value = {**state_dict(), "log": noise(300_000).hex()}
    assert tensors(old(value)) == tensors(old(state_dict()))


def test_what_is_not_as_it_should_be_is_bytes() -> None:
    data = old(state_dict())
    big_endian = re.sub(b"(little_endianq.)\x88", b"\\1\x89", data)
    assert big_endian != data and not tensors(big_endian)
    assert not tensors(data[:300])
    assert not tensors(pickle.dumps({"a": 1}, 2))
    assert not tensors(data[:15] + pickle.dumps(1002, 2) + data[20:])


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_a_wrong_number_of_elements_ends_the_layout(number: int) -> None:
    data = old(state_dict())
    whole = [region for region in regions_of(data) if region.piece]
    at = data.index(tensors(data)[whole[number].name][2])
    found = regions_of(data[: at - 8] + (7).to_bytes(8, "little") + data[at:])
    assert [region for region in found if region.piece] == whole[:number]
