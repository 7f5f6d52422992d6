from __future__ import annotations

import argparse
import enum
import struct
import tracemalloc
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy
import pytest

from git_lepton.format.chunking import pieces
from git_lepton.format.layout import REST, Region, piece_bytes, regions
from tests.format.layouts.cutting import regions_of, tensors
from tests.format.layouts.torch_files import entries, raw, saved, state_dict, zipped
from tests.format.sources import Endless

if TYPE_CHECKING:
    import torch


@pytest.fixture(autouse=True, scope="module")
def loaded_torch() -> None:
    """It takes seconds to load, and is loaded where these tests run, not wherever tests are collected."""
    global torch, Tagged
    import torch

    Tagged = type("Tagged", (torch.Tensor,), {"__module__": __name__})


Found = dict[str, tuple[str, tuple[int, ...], bytes]]


def expected(**named: tuple[str, torch.Tensor]) -> Found:
    return {name: (element, tuple(tensor.shape), raw(tensor)) for name, (element, tensor) in named.items()}


def is_opaque(data: bytes) -> bool:
    return not tensors(data)


def test_a_state_dict() -> None:
    weights = state_dict()
    elements = {"embedding.weight": "F32", "layer.weight": "BF16", "layer.bias": "F16", "ids": "I64"}
    assert tensors(saved(weights)) == expected(**{name: (elements[name], weights[name]) for name in weights})


@pytest.mark.parametrize("options", [{"pickle_protocol": protocol} for protocol in (2, 3, 4, 5)])
def test_every_protocol_of_pickles(options: dict[str, Any]) -> None:
    assert tensors(saved(state_dict(), **options)) == tensors(saved(state_dict()))


DTYPES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "complex128": "F64",
    "complex64": "C64",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint8": "U8",
    "uint16": "U16",
    "uint32": "U32",
    "uint64": "U64",
    "bool": "BOOL",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
    "float8_e4m3fnuz": "F8_E4M3FNUZ",
    "float8_e5m2fnuz": "F8_E5M2FNUZ",
    "float8_e8m0fnu": "F8_E8M0",
}


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype(dtype: str) -> None:
    tensor = torch.randint(0, 2, (600,), dtype=torch.uint8).to(getattr(torch, dtype))
    assert tensors(saved({"a": tensor})) == expected(a=(DTYPES[dtype], tensor))


def test_a_checkpoint_of_a_training_step() -> None:
    torch.manual_seed(1)
    model = torch.nn.Sequential(torch.nn.Linear(30, 40), torch.nn.ReLU(), torch.nn.Linear(40, 20))
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.randn(5, 30)).sum().backward()
    optimizer.step()
    checkpoint: dict[str, Any] = {
        "epoch": 3,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "arguments": argparse.Namespace(rate=0.1, name="run"),
        "loss": numpy.float64(0.5),
        "random": torch.get_rng_state(),
        "big": 10**40,
    }
    found = tensors(saved(checkpoint))
    steps = optimizer.state_dict()["state"]
    want = {f"model.{name}": ("F32", value) for name, value in model.state_dict().items() if value.numel() >= 128}
    for index, state in steps.items():
        for part in ("exp_avg", "exp_avg_sq"):
            if state[part].numel() >= 128:
                want[f"optimizer.state.{index}.{part}"] = ("F32", state[part])
    assert found == expected(**want, random=("U8", checkpoint["random"]))


def test_a_whole_module_has_the_names_of_its_state_dict() -> None:
    model = torch.nn.Sequential(OrderedDict(first=torch.nn.Linear(30, 40), second=torch.nn.BatchNorm1d(200)))
    assert tensors(saved(model)) == tensors(saved(model.state_dict()))
    assert "second.running_mean" in tensors(saved(model))


def test_tied_weights_are_one_region() -> None:
    weight = torch.nn.Parameter(torch.randn(30, 40))
    for tied in ({"a": weight, "b": weight}, {"a": weight.data, "b": weight.data.view(30, 40)}):
        assert tensors(saved(tied)) == expected(a=("F32", weight))


def test_views_are_cut_where_they_lie_beside_each_other() -> None:
    flat = torch.randn(1000)
    assert tensors(saved({"a": flat[:300].view(30, 10), "b": flat[300:]})) == expected(
        a=("F32", flat[:300].view(30, 10)), b=("F32", flat[300:])
    )
    assert regions_of(saved({"b": flat[500:800]}))[1:4] == [
        Region(2000, "F32", piece_bytes("F32")),
        Region(1200, "F32", piece_bytes("F32"), "b", (300,)),
        Region(800, "F32", piece_bytes("F32")),
    ]


def test_a_part_of_a_tensor_is_no_border() -> None:
    whole = torch.randn(30, 40)
    assert tensors(saved({"part": whole[2:5], "whole": whole})) == expected(whole=("F32", whole))


def test_where_views_overlap_their_storage_is_one_region() -> None:
    flat = torch.randn(1000)
    assert tensors(saved({"a": flat[:600], "b": flat[400:]})) == {"": ("F32", (), raw(flat))}


def test_a_tensor_in_another_order_of_memory() -> None:
    base = torch.randn(30, 40)
    assert tensors(saved({"t": base.t()})) == expected(t=("F32", base))
    images = torch.randn(2, 3, 8, 10).to(memory_format=torch.channels_last)
    assert tensors(saved({"i": images}))["i"][1] == (2, 8, 10, 3)
    assert tensors(saved({"holes": base[:, ::2]})) == {"": ("F32", (), raw(base))}
    assert tensors(saved({"wide": torch.randn(200).expand(50, 200)}))[""][0] == "F32"


def test_small_and_empty_tensors_stay_among_the_bytes_around_them() -> None:
    small = {f"s{number}": torch.tensor(float(number)) for number in range(50)}
    value = {"empty": torch.empty(0, 3), **small, "a": torch.randn(500), "end": torch.ones(3)}
    found = regions_of(saved(value))
    assert [region.name for region in found] == ["", "a", ""]


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
def test_quantized_and_sparse_tensors() -> None:
    quantized = torch.quantize_per_tensor(torch.randn(600), 0.1, 3, torch.qint8)
    found = tensors(saved({"q": quantized}))
    assert found == {"q": ("I8", (600,), quantized.int_repr().numpy().tobytes())}
    indices = torch.arange(400).reshape(1, 400)
    sparse = torch.sparse_coo_tensor(indices, torch.randn(indices.shape[1]), (900,), check_invariants=True)
    assert {element for element, _, _ in tensors(saved({"s": sparse})).values()} == {"F32", "I64"}


class Colour(enum.Enum):
    RED = 1


def test_what_the_pickle_makes_besides_is_never_made() -> None:
    found = tensors(saved({"c": Colour.RED, "s": {1, 2}, "b": b"\xff" * 2000, "n": numpy.arange(9), "x": torch.ones(400)}))
    assert found == expected(x=("F32", torch.ones(400)))
    tagged = torch.ones(400).as_subclass(Tagged)  # torch saves it by _rebuild_from_type_v2
    assert tensors(saved({"x": tagged})) == found


class Hostile:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("executed",)


def test_nothing_is_executed(capsys: pytest.CaptureFixture[str]) -> None:
    found = tensors(saved({"h": Hostile(), "x": torch.ones(400)}))
    assert found == expected(x=("F32", torch.ones(400)))
    assert capsys.readouterr().out == ""


def test_a_parameter_with_state_and_a_module_of_one() -> None:
    parameter = torch.nn.Parameter(torch.randn(400))
    parameter.extra = {"note": 1}  # type: ignore[attr-defined]
    assert tensors(saved(parameter)) == {"": ("F32", (400,), raw(parameter))}


# the zip file


def rewritten(change: Callable[[list[tuple[str, bytes]]], list[tuple[str, bytes]]], **options: bool) -> bytes:
    return zipped(change(entries(saved(state_dict()))), **options)


def same(members: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    return members


@pytest.mark.parametrize("options", [{}, {"wide": True}, {"streamed": False}, {"streamed": False, "wide": True}], ids=str)
def test_lengths_before_and_after_the_data_and_of_64_bits(options: dict[str, bool]) -> None:
    assert tensors(rewritten(same, **options)) == tensors(saved(state_dict()))


def test_entries_may_come_in_any_order_after_the_pickle() -> None:
    assert tensors(rewritten(lambda members: [members[0], *reversed(members[1:])])) == tensors(saved(state_dict()))


def test_a_file_of_torch_1_6_has_no_entries_but_pickle_storages_and_version() -> None:
    assert tensors(
        rewritten(lambda members: [one for one in members if one[0].count(".") <= 1 and "byteorder" not in one[0]])
    ) == (tensors(saved(state_dict())))


def test_a_file_of_a_big_endian_machine_is_bytes() -> None:
    def swapped(members: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
        return [(name, b"big" if name.endswith("byteorder") else data) for name, data in members]

    assert is_opaque(rewritten(swapped))


def test_packed_and_other_zip_files_are_bytes() -> None:
    data = saved(state_dict())
    packed = bytearray(data)
    packed[8] = 8
    assert is_opaque(bytes(packed))
    assert is_opaque(zipped([("a/other.txt", b"x" * 900)]))
    assert is_opaque(zipped([("a/data.pkl", b"not a pickle")]))
    assert is_opaque(data[: data.index(b"PK\x07\x08")])
    assert is_opaque(data[:40])


def test_a_storage_of_another_length_ends_the_layout() -> None:
    def longer(members: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
        return [(name, data + b"x" if name.endswith("data/1") else data) for name, data in members]

    for streamed in (True, False):
        names = [region.name for region in regions_of(rewritten(longer, streamed=streamed))]
        assert "embedding.weight" in names and "layer.bias" not in names


def test_a_file_cut_short_is_cut_as_far_as_it_goes() -> None:
    data = saved(state_dict())
    whole = regions_of(data)
    for length in range(1, len(data), 1777):
        found = regions_of(data[:length])
        assert found[1:] == whole[1 : len(found)] or found[-1] == REST
        assert found[1:-1] == whole[1 : len(found) - 1]
    assert regions_of(data[: 20 * 1024])[1].name == "embedding.weight"


class _Skipping:
    """A file of which only the parts between large storages exist: they are never looked at."""

    def __init__(self, parts: dict[int, bytes]) -> None:
        self._parts, self.position = parts, 0

    def peek(self, count: int, /) -> memoryview:
        start, part = max((at, part) for at, part in self._parts.items() if at <= self.position)
        return memoryview(part)[self.position - start :][:count]


def test_a_storage_of_more_than_4_gib() -> None:
    size = 5 * 2**30
    pickle = saved({"a": torch.ones(300), "b": torch.ones(400)}, pickle_protocol=2)
    members = dict(entries(pickle))
    name, program = next(iter(members.items()))
    program = program.replace(b"M,\x01", b"\x8a\x05" + (size // 4).to_bytes(5, "little"))  # 300 elements become many
    begin = zipped([(name, program)])[:-46]
    folder = name.removesuffix("data.pkl").encode()
    local = struct.pack("<4s2xHH8xIIHH", b"PK\x03\x04", 2056, 0, 0, 0, len(folder) + 6, 20)
    extra = struct.pack("<HHQQ", 1, 16, size, size)
    first = begin + local + folder + b"data/0" + extra
    second = struct.pack("<4s4xQQ", b"PK\x07\x08", size, size) + local + folder + b"data/1" + extra
    end = struct.pack("<4s4xQQ", b"PK\x07\x08", 1600, 1600) + b"PK\x01\x02" + bytes(42)
    ahead = _Skipping({0: first, len(first) + size: second, len(first) + size + len(second) + 1600: end})
    found = []
    for region in regions(ahead):
        found.append(region)
        ahead.position += region.length
    assert [(region.length, region.name, region.shape) for region in found] == [
        (len(first), "", ()),
        (size, "a", (size // 4,)),
        (len(second), "", ()),
        (1600, "b", (400,)),
        (REST.length, "", ()),
    ]


def test_an_endless_pickle_costs_no_more_than_what_is_looked_ahead() -> None:
    head = struct.pack("<4s2xHH8xIIHH", b"PK\x03\x04", 8, 0, 0, 0, 10, 0) + b"a/data.pkl"
    source = Endless(head + b"\x80\x02")
    tracemalloc.start()
    first = next(iter(pieces(source)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert first.region == REST
    assert source.given < 70 * 2**20 and peak < 220 * 2**20
