from __future__ import annotations

import io
import struct
from typing import Any

import numpy
import pytest

from tests.format.layouts.cutting import cut, regions_of, tensor_names, tensors
from tests.format.sources import noise
from tests.support.containers import npy
from tests.support.tiny_models import safetensors

DTYPES = {
    "<f2": "F16",
    "<f4": "F32",
    "<f8": "F64",
    "<c8": "C64",
    "|b1": "BOOL",
    "|i1": "I8",
    "|u1": "U8",
    "<i2": "I16",
    "<u2": "U16",
    "<i4": "I32",
    "<u4": "U32",
    "<i8": "I64",
    "<u8": "U64",
}
ARRAY = numpy.arange(600, dtype=numpy.float32).reshape(20, 30)


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_array_of_each_dtype(dtype: str) -> None:
    array = (numpy.arange(60) % 2).astype(dtype).reshape(4, 15)
    assert tensors(npy(array)) == {"": (DTYPES[dtype], (4, 15), array.tobytes())}


@pytest.mark.parametrize("shape", [(), (5,), (1, 1, 1, 3)])
def test_an_array_of_each_shape(shape: tuple[int, ...]) -> None:
    assert tensors(npy(numpy.ones(shape, numpy.float32)))[""][:2] == ("F32", shape)


def test_an_array_without_elements() -> None:
    assert tensors(npy(numpy.ones((3, 0), numpy.float32))) == {}


def test_a_transposed_array_has_the_shape_of_its_bytes() -> None:
    array = numpy.asfortranarray(ARRAY)
    assert tensors(npy(array)) == {"": ("F32", (30, 20), ARRAY.T.tobytes())}


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_all_versions(version: tuple[int, int]) -> None:
    file = io.BytesIO()
    numpy.lib.format.write_array(file, ARRAY, version)
    assert tensors(file.getvalue()) == {"": ("F32", (20, 30), ARRAY.tobytes())}


def test_the_elements_have_the_chunks_that_they_have_in_safetensors() -> None:
    array = numpy.frombuffer(noise(32) * (9 * 2**20 // 32) + noise(64, 2), numpy.float32)
    there = tensor_names(safetensors({"w": ("F32", [len(array)], array.tobytes())}))
    assert len(there) == 2
    assert tensor_names(npy(array)) == there


def with_header(text: bytes, version: bytes = b"\1\0", data: bytes = bytes(64)) -> bytes:
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text + data


SOUND = b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 8), }    \n"
OPAQUE: dict[str, bytes | numpy.ndarray[Any, Any]] = {
    "high byte first": ARRAY.astype(">f4"),
    "texts": numpy.array(["a", "bc"]),
    "times": numpy.array(["2026-11-20"], "datetime64[D]"),
    "records": numpy.zeros(3, [("a", "<f4"), ("b", "<i8")]),
    "objects": with_header(SOUND.replace(b"<f4", b"|O")),
    "version 4": with_header(SOUND, b"\4\0"),
    "version 1.1": with_header(SOUND, b"\1\1"),
    "code": with_header(b"{'descr': '<f4', 'fortran_order': False, 'shape': (__import__('os').abort(), ), }\n"),
    "a negative size": with_header(SOUND.replace(b"2,", b"-2,")),
    "sizes of 10^57": with_header(SOUND.replace(b"2,", b"9999999999999999999, 9999999999999999999, 9999999999999999999,")),
    "sixty-five sizes": with_header(SOUND.replace(b"2,", b"1, " * 64)),
    "a size of 5,000 digits": with_header(SOUND.replace(b"2,", b"1" * 5000 + b",")),
    "another order of keys": with_header(b"{'fortran_order': False, 'descr': '<f4', 'shape': (2, 8), }\n"),
    "a header cut short": with_header(SOUND)[:40],
    "nothing after the magic": b"\x93NUMPY",
    "a header of 4 GB": b"\x93NUMPY\2\0\xff\xff\xff\xff" + SOUND,
}


@pytest.mark.parametrize("content", OPAQUE.values(), ids=OPAQUE)
def test_doubt_leaves_the_file_to_its_content(content: bytes | numpy.ndarray[Any, Any]) -> None:
    data = content if isinstance(content, bytes) else npy(content)
    assert len(regions_of(data)) == 1
    assert tensors(data) == {}


def test_the_sound_twin_of_these_is_read() -> None:
    assert tensors(with_header(SOUND)) == {"": ("F32", (2, 8), bytes(64))}


def test_a_file_that_is_shorter_or_longer_than_its_array() -> None:
    data = npy(ARRAY)
    for kept in range(0, len(data), 37):
        assert sum(len(piece.data) for piece in cut(data[:kept])) == kept
    assert [region.piece > 0 for region in regions_of(data + b"more")] == [False, True, False]
