from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Iterable

import pytest

from git_lepton.format.chunking import pieces
from git_lepton.format.layouts import onnx as reader
from tests.format.layouts.cutting import cut, regions_of, tensor_names, tensors
from tests.format.sources import Dribble, noise
from tests.support.containers import Weights, field, onnx, onnx_graph, onnx_tensor, varint
from tests.support.tiny_models import safetensors

F32 = Weights("F32", (32, 20), noise(2560))
HALF = Weights("F16", (50, 30), noise(3000, 2))
IDS = Weights("I64", (400,), noise(3200, 3))
SMALL = Weights("F32", (4,), noise(16, 4))
MODEL = {"encoder.weight": F32, "small": SMALL, "ids": IDS}
FOUND = {"encoder.weight": ("F32", (32, 20), F32.data), "ids": ("I64", (400,), IDS.data)}


def test_initializers_with_names_and_shapes() -> None:
    assert tensors(onnx(MODEL)) == FOUND


def test_sizes_packed_into_one_field() -> None:
    assert tensors(onnx(MODEL, packed=True)) == FOUND


def test_values_of_constants_and_graphs_within_graphs() -> None:
    inner = onnx_graph({"inner": HALF})
    branch = field(1, field(4, "If") + field(5, field(1, "then_branch") + field(6, inner) + field(20, 5)))
    graph = branch + onnx_graph(MODEL, {"constant": IDS._replace(data=noise(3200, 9))})
    found = tensors(field(1, 8) + field(2, "pytorch") + field(7, graph))
    assert found == {**FOUND, "inner": ("F16", (50, 30), HALF.data), "constant": ("I64", (400,), noise(3200, 9))}


def test_values_in_functions_after_the_graph() -> None:
    function = field(1, "f") + field(7, field(5, field(5, onnx_tensor("inside", HALF))))
    assert tensors(onnx(MODEL) + field(25, function)) == {**FOUND, "inside": ("F16", (50, 30), HALF.data)}


def test_sparse_initializers() -> None:
    sparse = field(15, field(1, onnx_tensor("values", HALF)) + field(2, onnx_tensor("indices", IDS)) + field(3, 9000))
    assert set(tensors(field(1, 8) + field(7, sparse))) == {"values", "indices"}


def test_floats_and_doubles_that_are_no_raw_data() -> None:
    float_data = field(1, 640) + field(2, 1) + field(4, noise(2560)) + field(8, "w")
    double_data = field(1, 320) + field(2, 11) + field(8, "d") + field(10, noise(2560, 2))
    found = tensors(field(1, 8) + field(7, field(5, float_data) + field(5, double_data)))
    assert found == {"message 2": ("F32", (640,), noise(2560)), "d": ("F64", (320,), noise(2560, 2))}


def test_data_before_what_it_is_are_bytes() -> None:
    found = tensors(onnx({"v": HALF, "w": F32}, info_first=False))
    assert found == {"message 2": ("", (), HALF.data), "message 3": ("", (), F32.data)}


@pytest.mark.parametrize("weights", [F32._replace(shape=(32, 21)), F32._replace(dtype="NEW"), F32._replace(shape=(2**62, 2**62))])
def test_a_shape_or_type_that_does_not_fit_the_data_are_bytes(weights: Weights) -> None:
    assert tensors(onnx({"w": weights})) == {"w": ("", (), F32.data)}


def test_tensors_have_the_chunks_that_they_have_in_safetensors() -> None:
    big = Weights("F32", (9 * 2**18,), noise(32) * (9 * 2**20 // 32))
    there = tensor_names(safetensors({"w": ("F32", [9 * 2**18], big.data)}))
    assert len(there) == 2
    assert tensor_names(onnx({"first": F32, "w": big})) >= there


def test_a_tensor_keeps_its_chunks_when_others_are_put_before_it() -> None:
    assert tensor_names(onnx(MODEL)) < tensor_names(onnx({"new": HALF, **MODEL}))


HEAD = field(1, 8) + field(2, "pytorch")
UNSOUND = {
    "no version": field(7, onnx_graph(MODEL)),
    "version 0": field(1, 0) + field(7, onnx_graph(MODEL)),
    "version 300": field(1, 300) + field(7, onnx_graph(MODEL)),
    "field 0": HEAD + b"\x02\x00" + field(7, onnx_graph(MODEL)),
    "a group": HEAD + b"\x0b" + field(7, onnx_graph(MODEL)),
    "a number without end": HEAD + b"\xff" * 30 + field(7, onnx_graph(MODEL)),
    "100 KB before the graph": HEAD + field(6, "x" * 100_000) + field(7, onnx_graph(MODEL)),
    "a tensor longer than its graph": HEAD + field(7, field(5, onnx_tensor("w", F32))[:-1]),
    "a node longer than its graph": HEAD + field(7, b"\x0a\xff\xff\x7f") + bytes(3000),
    "only the version": b"\x08",
}


@pytest.mark.parametrize("data", UNSOUND.values(), ids=UNSOUND)
def test_doubt_leaves_the_file_to_its_content(data: bytes) -> None:
    assert len(regions_of(data)) == 1
    assert tensors(data) == {}


def test_messages_within_messages_are_left_at_a_depth() -> None:
    graph = onnx_graph(MODEL)
    for _ in range(60):
        graph = field(1, field(5, field(6, graph)))
    assert tensors(HEAD + field(7, graph)) == {}


def test_a_file_that_ends_early_is_cut_as_far_as_it_goes() -> None:
    data = onnx(MODEL, {"constant": HALF})
    for kept in range(0, len(data), 97):
        assert sum(len(piece.data) for piece in cut(data[:kept])) == kept
    assert set(tensors(data[:-200])) == {"constant", "encoder.weight", "ids"}


class Fields:
    """A source of one field after the other, for ever."""

    def __init__(self, head: bytes, one: bytes) -> None:
        self._parts: Iterable[bytes] = itertools.chain([head], itertools.repeat(one * 1000))
        self._rest = b""
        self.given = 0

    def readinto(self, buffer: memoryview, /) -> int:
        while not self._rest:
            self._rest = next(iter(self._parts))
        part, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(part)] = part
        self.given += len(part)
        return len(part)


def test_fields_without_end_are_walked_up_to_a_bound() -> None:
    graph = HEAD + varint(7 << 3 | 2) + varint(2**62)
    regions = set()
    for piece in pieces(Fields(graph, field(2, ""))):
        regions.add(piece.region)
        if piece.region.length == 2**63 - 1:
            break
    assert len(regions) <= 3 * reader.MAX_FIELDS * 2 // 2**20 + 3


def test_long_fields_are_not_looked_over() -> None:
    texts = b"".join(field(10, bytes([number]) * 3_000_000) for number in range(8))
    source = Dribble(HEAD + field(7, texts + field(5, onnx_tensor("w", F32))))
    tracemalloc.start()
    found = [piece.region.name for piece in pieces(source) if piece.region.piece]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == ["w"]
    assert peak < 12_000_000
