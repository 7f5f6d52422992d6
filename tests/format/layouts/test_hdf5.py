from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import pytest

from git_lepton.format.layout import Region
from git_lepton.format.layouts import hdf5 as reader
from tests.format.layouts.cutting import cut, regions_of, tensor_names
from tests.format.sources import noise
from tests.support.containers import Weights, hdf5, hdf5_header, stored
from tests.support.tiny_models import safetensors

A = Weights("F32", (40, 50), noise(8000))
B = Weights("F16", (600,), noise(1200, 2))
SMALL = Weights("F32", (4,), noise(16, 3))
C = Weights("I64", (2, 100), noise(1600, 4))
MODEL = [A, SMALL, B, C]


def found(data: bytes) -> list[tuple[str, tuple[int, ...], bytes]]:
    return [(p.element, p.region.shape, bytes(p.data)) for p in cut(data) if p.region.piece]


ALL = [("F32", (40, 50), A.data), ("F16", (600,), B.data), ("I64", (2, 100), C.data)]


@pytest.mark.parametrize("headers_first", [False, True])
def test_datasets_are_regions(headers_first: bool) -> None:
    assert found(hdf5(MODEL, headers_first)) == ALL


def test_they_are_named_by_their_place() -> None:
    assert [region.name for region in regions_of(hdf5([A, A, SMALL, A])) if region.piece] == [
        "dataset 0",
        "dataset 1",
        "dataset 2",
    ]


def test_a_file_of_h5py() -> None:
    data = (Path(__file__).parents[2] / "fuzz" / "corpus" / "file" / "seed-hdf5.h5").read_bytes()
    assert [(element, shape) for element, shape, _ in found(data)] == [("F32", (16, 24)), ("F32", (300,))]


def test_datasets_inside_a_keras_file() -> None:
    data = stored({"metadata.json": b"{}", "model.weights.h5": hdf5(MODEL), "other.npy": b"no array"})
    assert found(data) == ALL


def test_a_file_that_claims_to_go_on_after_its_member_is_cut_there() -> None:
    inner = hdf5([A])
    data = stored({"model.weights.h5": inner[:-100], "next": noise(5000, 9)})
    assert found(data) == []
    assert sum(region.length for region in regions_of(data)[:2]) == 30 + len("model.weights.h5") + len(inner) - 100


@pytest.mark.parametrize("dtype", ["F16", "BF16", "F32"])
def test_datasets_have_the_chunks_that_they_have_in_safetensors(dtype: str) -> None:
    size = 9 * 2**20
    count = size // (4 if dtype == "F32" else 2)
    big = Weights(dtype, (count,), noise(32) * (size // 32 - 1) + noise(32, 2))
    there = tensor_names(safetensors({"w": (dtype, [count], big.data)}))
    assert len(there) >= 2
    assert tensor_names(hdf5([A, big])) >= there


def test_version_4_of_the_place() -> None:
    assert found(hdf5(MODEL, version=4)) == ALL


@pytest.mark.parametrize(
    "data",
    [
        hdf5([A._replace(dtype="F32 high byte first")]),
        hdf5([A._replace(dtype="text")]),
        hdf5([A._replace(shape=(40, 51))]),
        hdf5([A], version=2),
        hdf5([A], kind=2),
        hdf5([A], stated=2**63),
        hdf5([A]).replace(b"\x08\x08\x00\x04", b"\x04\x08\x00\x04"),
        hdf5([A])[:8] + b"\2" + hdf5([A])[9:],
        hdf5([A])[:95],
        reader.MAGIC,
        reader.MAGIC + bytes(200),
    ],
    ids=["order", "text", "shape", "version", "chunked", "2^63", "addresses", "superblock 2", "cut", "magic", "zeros"],
)
def test_doubt_leaves_the_file_to_its_content(data: bytes) -> None:
    assert found(data) == []
    assert len(regions_of(data)) == 1


def test_a_file_that_ends_early_is_cut_as_far_as_it_goes() -> None:
    data = hdf5(MODEL)
    for kept in range(0, len(data), 97):
        assert sum(len(piece.data) for piece in cut(data[:kept])) == kept


def test_datasets_that_overlap_are_not_cut_twice() -> None:
    data = bytearray(hdf5([A, B]))
    data[96 : 96 + 272] = hdf5_header(Weights("F32", (2300,), bytes(9200)), 96 + 272)
    assert sum(len(piece.data) for piece in cut(bytes(data))) == len(data)


def test_after_a_megabyte_without_one_the_rest_is_left_to_its_content() -> None:
    data = hdf5([A, Weights("text", (3_000_000,), bytes(3_000_000)), B])
    assert [element for element, _, _ in found(data)] == ["F32"]
    assert regions_of(data)[-1].length == Region(2**63 - 1).length


def test_headers_without_end_are_taken_up_to_a_bound() -> None:
    header = hdf5_header(Weights("F32", (2**20,), b""), 2**30, stated=2**22)
    data = hdf5([A])[:40] + (2**40).to_bytes(8, "little") + bytes(48) + header * 40_000
    tracemalloc.start()
    started = time.process_time()
    assert regions_of(data)[0].length == 2**30
    spent, peak = time.process_time() - started, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * len(data) + 20_000_000  # two cuts, whose pieces are kept
    assert spent < 10
