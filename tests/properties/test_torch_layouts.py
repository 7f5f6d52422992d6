"""Damaged files of torch.save: never an error, always their own bytes."""

from __future__ import annotations

import argparse
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from git_lepton.format.chunking import pieces
from git_lepton.format.layout import Doubt
from git_lepton.format.layouts.torch_tensors import TorchPickle
from tests.format.layouts.torch_files import entries, saved, zipped
from tests.format.sources import Dribble
from tests.properties.mutation import damaged


@pytest.fixture(autouse=True, scope="module")
def loaded_torch() -> None:
    """It takes seconds to load, and is loaded where these tests run, not wherever tests are collected."""
    global torch
    import torch


@cache
def files() -> list[bytes]:
    torch.manual_seed(1)
    flat = torch.randn(600)
    value = {
        "a": {"w": torch.randn(20, 30)},
        "b": flat[:200],
        "c": flat[200:],
        "s": torch.ones(1),
        "n": argparse.Namespace(r=[1, 0.5]),
    }
    module = torch.nn.Sequential(torch.nn.Linear(20, 30))
    return [
        saved(value),
        saved(value, pickle_protocol=4),
        saved(module),
        zipped(entries(saved(value)), streamed=False),
        saved(value, _use_new_zipfile_serialization=False),
    ]


@cache
def programs() -> list[bytes]:
    return [entries(data)[0][1] for data in files()[:3]]


FILES = st.deferred(lambda: st.sampled_from(files()))
PROGRAMS = st.deferred(lambda: st.sampled_from(programs()))


@settings(max_examples=300)
@given(FILES.flatmap(damaged).filter(len).flatmap(damaged), st.lists(st.integers(1, 9000), min_size=1, max_size=3))
def test_a_damaged_file_is_cut_into_its_bytes(data: bytes, sizes: list[int]) -> None:
    found = list(pieces(Dribble(data)))
    assert b"".join(piece.data for piece in found) == data
    assert list(pieces(Dribble(data, [*sizes, 4096]))) == found


@settings(max_examples=300)
@given(PROGRAMS.flatmap(damaged) | PROGRAMS.flatmap(damaged).filter(len).flatmap(damaged) | st.binary(max_size=60))
def test_a_damaged_pickle_is_followed_or_doubted(program: bytes) -> None:
    data = zipped([("a/data.pkl", program), ("a/data/0", bytes(2400)), ("a/data/1", bytes(2400))])
    assert b"".join(piece.data for piece in pieces(Dribble(data))) == data
    pickle = TorchPickle()
    try:
        end = pickle.scan(memoryview(program))
    except Doubt:
        return
    assert end <= len(program)
    for storage in pickle.storages.values():
        assert sum(region.length for region in pickle.regions(storage)) == storage.length
