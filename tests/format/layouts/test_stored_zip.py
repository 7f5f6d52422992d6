from __future__ import annotations

import io
import struct
import zipfile
from typing import Any

import numpy
import pytest

from git_lepton.format.layouts import stored_zip as reader
from tests.format.layouts.cutting import cut, names, regions_of, tensor_names, tensors
from tests.format.sources import noise
from tests.support.containers import npy, npz, stored
from tests.support.tiny_models import safetensors

ARRAYS: dict[str, numpy.ndarray[Any, Any]] = {
    "weight": numpy.frombuffer(noise(40_000), numpy.float32).reshape(100, 100),
    "layer/bias": numpy.arange(150, dtype=numpy.int64),
    "none": numpy.zeros((0, 3), numpy.float32),
    "texts": numpy.array(["a", "bc"]),
}


def test_arrays_of_an_npz_file() -> None:
    assert tensors(npz(ARRAYS)) == {
        "weight": ("F32", (100, 100), ARRAYS["weight"].tobytes()),
        "layer/bias": ("I64", (150,), ARRAYS["layer/bias"].tobytes()),
    }


def test_they_have_the_chunks_that_they_have_in_safetensors() -> None:
    weight = ARRAYS["weight"].tobytes()
    assert tensor_names(npz(ARRAYS)) >= tensor_names(safetensors({"w": ("F32", [100, 100], weight)}))


def test_an_array_keeps_its_chunks_when_others_are_added_before_it() -> None:
    more = npz({"first": numpy.arange(1000), **ARRAYS})
    assert tensor_names(npz(ARRAYS)) < tensor_names(more)


def test_each_member_of_a_keras_file_is_apart() -> None:
    weights = noise(300_000)
    a = stored({"metadata.json": b'{"date": 1}' * 500, "config.json": b"{}", "model.weights.h5": weights})
    b = stored({"metadata.json": b'{"date": 22}' * 500, "config.json": b"{}", "model.weights.h5": weights})
    changed = set(names(b)) - set(names(a))
    assert [len(piece.data) for piece in cut(b) if piece.region.length == len(weights)]
    assert sum(len(piece.data) for piece, name in zip(cut(b), names(b), strict=True) if name in changed) < 10_000


def test_members_that_are_compressed_are_apart_but_not_looked_into() -> None:
    data = npz(ARRAYS, compressed=True)
    assert tensors(data) == {}
    assert len(regions_of(data)) == 3


def test_a_member_larger_than_its_header_can_say() -> None:
    content = noise(5000)
    extra = struct.pack("<HHI", 0x4242, 4, 0) + struct.pack("<HHQQ", 1, 16, len(content), len(content))
    head = struct.pack("<4s5H3I2H", b"PK\x03\x04", 45, 0, 0, 0, 0, 0, 2**32 - 1, 2**32 - 1, 1, len(extra)) + b"a" + extra
    assert [region.length for region in regions_of(head + content + b"PK\x01\x02")[:2]] == [len(head), len(content)]


class Pipe(io.RawIOBase):
    """A file that can't seek: zipfile then writes lengths after the data."""

    def __init__(self) -> None:
        self.content = b""

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.content += bytes(data)
        return len(data)


def test_members_whose_length_follows_are_left_to_their_content() -> None:
    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w") as archive:
        archive.writestr("a.npy", npy(ARRAYS["weight"]))
    assert len(regions_of(pipe.content)) == 1


def member(flags: int = 0, length: int = 100, name_length: int = 5, extra: bytes = b"") -> bytes:
    head = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, flags, 0, 0, 0, 0, length, length, name_length, len(extra))
    return head + b"a.npy" + extra + npy(numpy.zeros(2000, dtype=numpy.int8))


@pytest.mark.parametrize(
    "data",
    [
        member(flags=1),
        member(name_length=60_000),
        member(length=2**32 - 1),
        member(length=2**32 - 1, extra=struct.pack("<HHQ", 1, 8, 100)),
        member(length=2**32 - 1, extra=struct.pack("<HHQQ", 1, 16, 2**64 - 1, 2**64 - 1)),
        member(length=2**32 - 1, extra=struct.pack("<HHQQ", 7, 16, 1, 1)),
        member()[:29],
        b"PK\x03\x04",
    ],
    ids=["encrypted", "name", "no zip64", "half a zip64", "2^64", "other field", "cut short", "magic only"],
)
def test_doubt_leaves_the_file_to_its_content(data: bytes) -> None:
    assert len(regions_of(data)) == 1


@pytest.mark.parametrize("length", [0, 1, 2127, 2129, 2**31])
def test_an_array_that_does_not_fill_its_member_is_not_believed(length: int) -> None:
    assert tensors(member(length=length)) == {}


def test_one_that_does_is() -> None:
    assert set(tensors(member(length=2128))) == {"a"}


def test_a_file_that_ends_early_is_cut_as_far_as_it_goes() -> None:
    data = npz(ARRAYS)
    for kept in range(0, len(data), 997):
        assert sum(len(piece.data) for piece in cut(data[:kept])) == kept


def test_small_members_are_no_regions() -> None:
    data = stored({f"{number}.txt": b"x" * 90 for number in range(2000)} | {"large": noise(5000)})
    lengths = [region.length for region in regions_of(data)]
    assert lengths[-2] == 5000
    assert all(reader.MAX_SMALL_BYTES <= length < reader.MAX_SMALL_BYTES + reader.SMALL_BYTES for length in lengths[:-3])
    assert len(lengths) == 6


@pytest.mark.parametrize(("length", "most"), [(0, 40), (1100, 2 * reader.MAX_MEMBERS)])
def test_members_without_end_are_read_up_to_a_bound(length: int, most: int) -> None:
    head = struct.pack("<4s5H3I2H", reader.MAGIC, 20, 0, 0, 0, 0, 0, length, length, 0, 0) + bytes(length)

    class Endless:
        members = head * 3000

        def peek(self, count: int, /) -> memoryview:
            return memoryview(self.members)[:count]

    assert 1 < sum(1 for _ in reader.regions(Endless())) <= most
