from __future__ import annotations

import struct
import time
import tracemalloc

import pytest

from git_lepton.format.elements import FIELDS
from git_lepton.format.layout import PIECE_ELEMENTS
from git_lepton.format.layouts import gguf as reader
from tests.format.layouts.cutting import cut, regions_of, tensor_names, tensors
from tests.format.sources import noise
from tests.support.containers import GGML, Weights, gguf, gguf_info, gguf_pair, gguf_text
from tests.support.tiny_models import safetensors

F32 = Weights("F32", (3, 8), noise(96))
HALF = Weights("F16", (5, 7), noise(70, 2))
Q8 = Weights("Q8_0", (4, 64), noise(4 * 2 * 34, 3))
MODEL = {"token_embd.weight": Q8, "blk.0.attn_norm.weight": HALF, "output.weight": F32}
PAIRS = {"tokenizer.ggml.tokens": ["a", "", "<unk>"] * 50, "tokenizer.ggml.scores": [1.5, 2.0], "general.name": "tiny"}


@pytest.mark.parametrize("version", [2, 3])
def test_each_tensor_with_its_name_and_row_major_shape(version: int) -> None:
    found = tensors(gguf(MODEL, PAIRS, version))
    assert found == {
        "token_embd.weight": ("GGUF_Q8_0", (4, 64), Q8.data),
        "blk.0.attn_norm.weight": ("F16", (5, 7), HALF.data),
        "output.weight": ("F32", (3, 8), F32.data),
    }


def test_what_lies_between_tensors_is_apart_from_them() -> None:
    found = regions_of(gguf(MODEL, PAIRS))
    assert [(region.length, region.piece > 0) for region in found[1:]] == [
        (272, True),
        (16, False),
        (70, True),
        (26, False),
        (96, True),
    ]


def test_another_alignment() -> None:
    data = gguf(MODEL, {"general.alignment": 128})
    assert tensors(data)["output.weight"] == ("F32", (3, 8), F32.data)
    assert (regions_of(data)[0].length) % 128 == 0


def test_the_data_may_lie_in_another_order_than_the_infos() -> None:
    head = b"GGUF" + struct.pack("<IQQ", 3, 2, 0)
    head += gguf_info("second", "F32", [8], 32) + gguf_info("first", "F16", [16], 0)
    data = head + bytes(-len(head) % 32) + noise(64)
    assert {name: len(content) for name, (_, _, content) in tensors(data).items()} == {"first": 32, "second": 32}


@pytest.mark.parametrize("dtype", ["F16", "F32", "BF16"])
def test_plain_tensors_have_the_chunks_that_they_have_in_safetensors(dtype: str) -> None:
    rows = 2 * PIECE_ELEMENTS // 512 + 3
    size = rows * 512 * (4 if dtype == "F32" else 2)
    big = Weights(dtype, (rows, 512), noise(32) * (size // 32))
    big = big._replace(data=b"%08d" % 7 + big.data[8:])
    there = tensor_names(safetensors({"w": (dtype, [rows, 512], big.data)}))
    assert len(there) == 3
    assert tensor_names(gguf({"other": HALF, "w": big})) >= there


@pytest.mark.parametrize(("dtype", "block", "size"), [("Q8_0", 32, 34), ("Q4_0", 32, 18), ("Q4_K", 256, 144)])
def test_quantized_tensors_are_cut_at_whole_blocks(dtype: str, block: int, size: int) -> None:
    count = PIECE_ELEMENTS + 2 * 4096
    weights = Weights(dtype, (count // 4096, 4096), bytes(count // block * size))
    pieces = [piece for piece in cut(gguf({"w": weights})) if piece.region.piece]
    assert [len(piece.data) for piece in pieces] == [PIECE_ELEMENTS // block * size, 2 * 4096 // block * size]
    assert {piece.element for piece in pieces} == {f"GGUF_{dtype}"}


def test_a_tensor_of_an_unknown_type_goes_up_to_the_next() -> None:
    found = tensors(gguf({"new": Weights("NEW", (5, 3), noise(64)), "w": F32}))
    assert found == {"new": ("", (5, 3), noise(64)), "w": ("F32", (3, 8), F32.data)}


def test_and_as_the_last_it_is_cut_by_content() -> None:
    data = gguf({"w": F32, "new": Weights("NEW", (5, 3), noise(64))})
    assert tensors(data) == {"w": ("F32", (3, 8), F32.data)}


def test_a_file_that_ends_early_is_cut_as_far_as_it_goes() -> None:
    data = gguf(MODEL, PAIRS)
    for kept in (0, 1, 3, 4, 24, 100, len(data) - 97, len(data) - 60, len(data) - 1):
        assert sum(len(piece.data) for piece in cut(data[:kept])) == kept


def test_a_file_without_tensors() -> None:
    assert regions_of(gguf({}, PAIRS))[0].length % 32 == 0
    assert tensors(gguf({}, PAIRS)) == {}


def test_an_empty_tensor_and_one_number() -> None:
    assert tensors(gguf({"none": Weights("F32", (0, 4), b""), "one": Weights("F32", (), b"abcd"), "w": F32})) == {
        "one": ("F32", (), b"abcd"),
        "w": ("F32", (3, 8), F32.data),
    }


def header(tensors: int, pairs: int, rest: bytes, version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, pairs) + rest + bytes(64)


W = gguf_info("w", "F32", [8], 0)
UNSOUND = {
    "version 1": header(1, 0, W, version=1),
    "high byte first": b"GGUF" + struct.pack(">IQQ", 3, 1, 0) + W + bytes(64),
    "more tensors than any model": header(2**15 + 1, 0, W),
    "2^64 pairs": header(1, 2**64 - 1, W),
    "2^64 texts": header(0, 1, gguf_text(b"k") + struct.pack("<IIQ", 9, 8, 2**64 - 1)),
    "2^62 numbers": header(0, 1, gguf_text(b"k") + struct.pack("<IIQ", 9, 12, 2**62)),
    "an array of arrays": header(0, 1, gguf_text(b"k") + struct.pack("<IIQ", 9, 9, 1)),
    "a long text": header(0, 1, gguf_text(b"k") + struct.pack("<IQ", 8, 2**63)),
    "a long key": header(0, 1, struct.pack("<Q", 2**60)),
    "an unknown kind of value": header(0, 1, gguf_text(b"k") + struct.pack("<I", 77)),
    "a name that is no text": header(1, 0, W.replace(b"w", b"\xff")),
    "a long name": header(1, 0, gguf_info("n" * 1025, "F32", [8], 0)),
    "two of one name": header(2, 0, W + gguf_info("w", "F32", [8], 32)),
    "overlap": header(2, 0, W + gguf_info("v", "F32", [8], 0)),
    "overlap of unknown types": header(2, 0, gguf_info("v", "F32", [16], 0) + gguf_info("x", "NEW", [16], 32)),
    "an odd offset": header(1, 0, gguf_info("w", "F32", [8], 8)),
    "an offset of 2^64 - 32": header(1, 0, gguf_info("w", "F32", [8], 2**64 - 32)),
    "five sizes": header(1, 0, gguf_info("w", "F32", [1, 2, 3, 4, 5], 0)),
    "a product that is too large": header(1, 0, gguf_info("w", "F32", [2**40, 2**40], 0)),
    "half a block": header(1, 0, gguf_info("w", "Q8_0", [16], 0)),
    "blocks across rows": header(1, 0, gguf_info("w", "Q8_0", [2, 16], 0)),
    "alignment 0": header(1, 1, gguf_pair("general.alignment", 0) + W),
    "alignment 33": header(1, 1, gguf_pair("general.alignment", 33) + W),
    "alignment 2^31": header(1, 1, gguf_pair("general.alignment", 2**31) + W),
    "two alignments": header(1, 2, gguf_pair("general.alignment", 32) * 2 + W),
    "an alignment in words": header(1, 1, gguf_pair("general.alignment", "32") + W),
}


@pytest.mark.parametrize("data", UNSOUND.values(), ids=UNSOUND)
def test_doubt_leaves_the_file_to_its_content(data: bytes) -> None:
    assert len(regions_of(data)) == 1
    assert tensors(data) == {}


def test_the_sound_twin_of_these_is_read() -> None:
    assert set(tensors(header(1, 0, W))) == {"w"}
    assert set(tensors(header(1, 1, gguf_pair("general.alignment", 64) + W))) == {"w"}


def test_a_large_header_costs_its_bytes_and_little_time() -> None:
    texts = [f"token {number}" for number in range(400_000)]
    data = gguf(MODEL, {"tokens": texts})
    tracemalloc.start()
    started = time.process_time()
    found = list(reader.regions(Whole(data)))
    spent, peak = time.process_time() - started, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found) == 6
    assert peak < 1_000_000
    assert spent < 20


def test_most_tensors_that_a_header_may_have_cost_a_bounded_memory() -> None:
    infos = b"".join(gguf_info(f"{number:x}", "F32", [1, 1, 1, 1], 32 * number) for number in range(2**15))
    data = header(2**15, 0, infos)
    tracemalloc.start()
    found = sum(1 for _ in reader.regions(Whole(data)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == 2 * 2**15
    assert peak < 20_000_000


class Whole:
    """Shows a file from its beginning, whatever is taken."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)

    def peek(self, count: int, /) -> memoryview:
        return self._data[:count]


def test_every_type_of_the_writer_is_known_but_one() -> None:
    assert {name for name, number in GGML.items() if number not in reader.KINDS} == {"NEW"}


def test_blocks_have_the_bytes_of_the_fields_that_they_are_coded_as() -> None:
    sizes = {kind.element: kind.size for kind in reader.KINDS.values() if kind.block > 1}
    assert FIELDS.keys() <= sizes.keys()
    assert {name: sum(fields) for name, fields in FIELDS.items()} == {name: sizes[name] for name in FIELDS}
