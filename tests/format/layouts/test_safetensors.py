from __future__ import annotations

import json
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy
import pytest
from safetensors.numpy import save_file

from git_lepton.format.elements import ELEMENTS
from git_lepton.format.layout import Region, piece_bytes
from git_lepton.format.layouts import safetensors
from git_lepton.format.layouts.safetensors import header_length
from tests.format.sources import header_of, with_length

ENTRY = b'{"dtype":"F32","shape":[2],"data_offsets":[0,8]}'


def tensor_regions(header: bytes) -> list[Region] | None:
    found = safetensors.tensor_regions(header)
    return None if found is None else list(found)


def regions(text: bytes) -> list[Region] | None:
    return tensor_regions(with_length(text))


def region(length: int, dtype: str, name: str = "a", *shape: int) -> Region:
    return Region(length, dtype, piece_bytes(dtype), name, shape)


def one(entry: str) -> list[Region] | None:
    return regions(b'{"a":' + entry.encode() + b"}")


def tensor(dtype: str = "F32", shape: str = "[2]", offsets: str = "[0,8]") -> list[Region] | None:
    return one(f'{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}')


def test_a_file_of_the_reference_writer(tmp_path: Path) -> None:
    tensors: dict[str, numpy.ndarray[Any, Any]] = {
        "weight": numpy.zeros((3, 5), numpy.float32),
        "ids": numpy.arange(7),
        "half": numpy.ones(3, numpy.float16),
        "none": numpy.zeros((0, 4), numpy.uint8),
        'a "quoted" näme\n': numpy.ones((), numpy.float64),
    }
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "np", "note": '{"nested": "text}"}'})
    data = (tmp_path / "model.safetensors").read_bytes()
    length = header_length(data[:8])
    assert length is not None
    found = tensor_regions(data[: 8 + length])
    assert found is not None
    assert sorted(found) == sorted(
        [
            region(60, "F32", "weight", 3, 5),
            region(56, "I64", "ids", 7),
            region(6, "F16", "half", 3),
            region(8, "F64", 'a "quoted" näme\n'),
            region(0, "U8", "none", 0, 4),
        ]
    )
    assert 8 + length + sum(region.length for region in found) == len(data)


@pytest.mark.parametrize("dtype", ELEMENTS)
def test_every_dtype_has_its_length(dtype: str) -> None:
    size = 8 * ELEMENTS[dtype].bits // 8
    assert tensor_regions(header_of([("a", dtype, [2, 4], size)])) == [region(size, dtype, "a", 2, 4)]
    assert tensor_regions(header_of([("a", dtype, [2, 4], size + 1)])) is None


def test_bits_must_fill_bytes() -> None:
    assert tensor("F4", "[3]", "[0,2]") is None
    assert tensor("F4", "[3]", "[0,1]") is None
    assert tensor("F6_E2M3", "[4]", "[0,3]") == [region(3, "F6_E2M3", "a", 4)]


def test_scalars_empty_tensors_and_space() -> None:
    assert tensor(shape="[]", offsets="[0,4]") == [region(4, "F32")]
    assert tensor(shape="[0,9223372036854775807,9223372036854775807]", offsets="[0,0]") == [
        region(0, "F32", "a", 0, 2**63 - 1, 2**63 - 1)
    ]
    assert regions(b' {"a":' + ENTRY + b"}") is None  # must begin with {
    assert regions(b'{ "a" :\n' + ENTRY.replace(b",", b" ,\t") + b"\r}  \n") == [region(8, "F32", "a", 2)]
    assert regions(b"{}") == regions(b"{ }") == regions(b'{"__metadata__":{}}') == []


def test_an_unknown_dtype_has_the_length_of_its_offsets() -> None:
    assert tensor("F2_NEW", "[1000]", "[0,77]") == [Region(77, "", 4 * 2**20, "a", (1000,))]


def test_escaped_names_are_compared_as_what_they_mean() -> None:
    two = ENTRY.replace(b"[0,8]", b"[8,16]")
    assert regions(b'{"a":' + ENTRY + b',"\\u0062":' + two + b"}") == [
        region(8, "F32", "a", 2),
        region(8, "F32", "b", 2),
    ]
    assert regions(b'{"a":' + ENTRY + b',"\\u0061":' + two + b"}") is None
    assert regions(b'{"\\ud800":' + ENTRY + b"}") == [region(8, "F32", "\ud800", 2)]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"{} x",
        b"{}{}",
        b'{"a"}',
        b'{"a":}',
        b'{"a":1}',
        b'{"a":[]}',
        b'{"a":' + ENTRY,
        b'{"a":' + ENTRY + b",}",
        b'{"a":' + ENTRY + b',"a":' + ENTRY.replace(b"[0,8]", b"[8,16]") + b"}",
        b'{"a":' + ENTRY + b' "b":' + ENTRY + b"}",
        b"{'a':" + ENTRY + b"}",
        b'{"a\n":' + ENTRY + b"}",
        b'{"a\\x":' + ENTRY + b"}",
        b'{"\xff":' + ENTRY + b"}",
        b'{"\xed\xa0\x80":' + ENTRY + b"}",
        b'{"a":' + ENTRY + b"}\0",
        b'{"__metadata__":{"a":1}}',
        b'{"__metadata__":{"a":"b","a":"c"}}',
        b'{"__metadata__":"text"}',
        b'{"__metadata__":{},"__metadata__":{}}',
        b'{"__metadata__":{"a":"\xc3"}}',
        b"{" * 100_000,
        b'{"a":' * 100_000,
        b'{"a":' + b"[" * 100_000,
        b'{"a":{"dtype":' + b"[" * 60_000 + b"}}",
        '{"a":1}'.encode("utf-16"),
    ],
)
def test_what_is_not_exactly_such_an_object_is_unsound(text: bytes) -> None:
    assert regions(text) is None


@pytest.mark.parametrize(
    "entry",
    [
        "{}",
        '{"dtype":"F32","shape":[2]}',
        '{"dtype":"F32","shape":[2],"data_offsets":[0,8],"more":1}',
        '{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}',
        '{"dtype":32,"shape":[2],"data_offsets":[0,8]}',
        '{"dtype":null,"shape":[2],"data_offsets":[0,8]}',
        '{"dtype":["F32"],"shape":[2],"data_offsets":[0,8]}',
    ],
)
def test_an_entry_has_exactly_its_three_keys(entry: str) -> None:
    assert one(entry) is None


@pytest.mark.parametrize(
    "shape",
    [
        *("2", "null", '"2"', "[2.0]", "[true,true]", "[-2]", "[[2]]", '["2"]', "[2,null]", "[2e0]", "[NaN]", "[Infinity]"),
        *("[02]", "[18446744073709551618]", "[4294967296,4294967296,2]", "[" + "9" * 5000 + "]", "[" + "9" * 4000 + ",0]"),
    ],
)
def test_a_shape_is_a_list_of_sizes(shape: str) -> None:
    assert tensor(shape=shape) is None


@pytest.mark.parametrize(
    "offsets",
    ["[0]", "[0,8,8]", "[]", "[8,0]", "[0,8.0]", "[-8,0]", "[0,9]", "[0,7]", "[1,9]", "8", '["0","8"]', "[false,8]"],
)
def test_offsets_are_two_integers_that_fit(offsets: str) -> None:
    assert tensor(offsets=offsets) is None


@pytest.mark.parametrize("second", ["[4,12]", "[0,8]", "[9,17]", "[16,24]"])
def test_overlaps_and_holes_are_unsound(second: str) -> None:
    assert regions(b'{"a":' + ENTRY + b',"b":' + ENTRY.replace(b"[0,8]", second.encode()) + b"}") is None


def test_the_data_begins_at_0() -> None:
    assert regions(b'{"a":' + ENTRY.replace(b"[0,8]", b"[8,16]") + b"}") is None


def test_lengths_that_can_be_those_of_a_header() -> None:
    assert header_length((2).to_bytes(8, "little")) == 2
    assert header_length((100_000_000).to_bytes(8, "little")) == 100_000_000
    for length in (0, 1, 100_000_001, 2**60, 2**64 - 1):
        assert header_length(length.to_bytes(8, "little")) is None
    assert header_length(b"\x02") is None


def test_too_many_or_too_long_names_are_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safetensors, "MAX_KEYS", 3)
    assert tensor_regions(header_of([(name, "U8", [1], 1) for name in "abc"])) is not None
    assert tensor_regions(header_of([(name, "U8", [1], 1) for name in "abcd"])) is None
    assert tensor_regions(header_of([(name, "U8", [1], 1) for name in "ab"], {"k": "v", "l": "w"})) is None
    assert tensor_regions(header_of([("n" * 65_000, "U8", [1], 1)])) is not None
    assert tensor_regions(header_of([("n" * 66_000, "U8", [1], 1)])) is None


@pytest.mark.parametrize(
    "bomb",
    [
        b'{"a":[' + b"[]," * 2_000_000 + b"[]]}",
        b'{"a":{"dtype":[' + b"{}," * 2_000_000 + b"]}}",
        b'{"__metadata__":{"a":"' + b"x" * 6_000_000 + b'"}}',
        b'{"__metadata__":{"a":"' + b"\\u0061" * 1_000_000 + b'"}}',
        b'{"' + b"\\n" * 3_000_000 + b'":{}}',
        b"{" + b",".join(b'"%d":{}' % number for number in range(100_000)) + b"}",
        b'{"__metadata__":{' + b",".join(b'"%d":""' % number for number in range(100_000)) + b"}}",
    ],
    ids=["lists", "objects", "text", "escapes", "name", "names", "metadata"],
)
def test_a_bomb_costs_no_more_than_a_few_times_its_bytes(bomb: bytes) -> None:
    header = with_length(bomb)
    tracemalloc.start()
    tensor_regions(header)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64_000_000


def test_shapes_of_thousands_of_large_sizes_are_not_multiplied_out() -> None:
    large = ",".join(["9223372036854775807"] * 3000)
    started = time.process_time()
    for _ in range(100):
        assert tensor(shape=f"[{large}]", offsets="[0,0]") is None
        assert tensor(shape=f"[{large},0]", offsets="[0,0]") == [region(0, "F32")]
    assert time.process_time() - started < 3


def test_a_large_sound_header_is_read() -> None:
    tensors = [(f"model.layers.{number}.weight", "BF16", [4, 4], 32) for number in range(20_000)]
    assert tensor_regions(header_of(tensors, {"config": json.dumps({"a": ["}", "{"]})})) == [
        region(32, "BF16", name, 4, 4) for name, *_ in tensors
    ]


def test_a_shape_of_too_many_dimensions_is_not_told() -> None:
    assert tensor(shape="[" + ",".join(["1"] * 64 + ["2"]) + "]") == [region(8, "F32")]


def test_small_neighbours_of_one_dtype_share_a_region() -> None:
    tensors = [("a", "F32", [4], 16), ("b", "F32", [], 4), ("c", "BF16", [8], 16), ("d", "F32", [64], 256), ("e", "F32", [4], 16)]
    tensors += [("f", "F32", [63], 252), ("g", "F32", [64], 256), ("h", "F32", [0], 0), ("i", "F32", [1], 4)]
    header = header_of(tensors)
    file = header + bytes(sum(length for *_, length in tensors))
    assert list(safetensors.regions(_Whole(file))) == [
        Region(len(header)),
        Region(20, "F32", 8 * 1024 * 1024, "a", tensors=2),
        region(16, "BF16", "c", 8),
        region(256, "F32", "d", 64),
        Region(268, "F32", 8 * 1024 * 1024, "e", tensors=2),
        region(256, "F32", "g", 64),
        Region(4, "F32", 8 * 1024 * 1024, "h", tensors=2),
    ]


class _Whole:
    """A file that is looked at and never taken from: the reader of this format has seen all it needs in the header."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def peek(self, count: int, /) -> memoryview:
        return memoryview(self._data)[:count]
