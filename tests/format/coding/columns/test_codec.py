from __future__ import annotations

import struct
from contextlib import suppress

import numpy
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from git_lepton.errors import CorruptData
from git_lepton.format.coding.columns.codec import decode_columns, encode_columns
from git_lepton.format.coding.columns.layout import BadColumns, Kept, Layout, element_of_layout, parse_layout
from git_lepton.format.elements import ELEMENTS, FIELDS
from tests.format.coding import reference_columns
from tests.format.sources import noise

RNG = numpy.random.default_rng(7)
WEIGHTS = (RNG.normal(size=40_000) * 0.02).astype("<f4")
BF16 = (WEIGHTS.view("<u4") >> 16).astype("<u2")
SPARSE = numpy.where(RNG.random(len(WEIGHTS)) < 0.9, 0, WEIGHTS)


def encoded(data: bytes, element: str) -> tuple[bytes, Layout]:
    payload = encode_columns(memoryview(data), element)
    assert payload is not None
    assert reference_columns.decode(payload, len(data)) == data
    assert decode_columns(memoryview(payload), len(data)) == data
    assert element_of_layout(memoryview(payload)) == element
    return payload, parse_layout(memoryview(payload), len(data))


def shape(layout: Layout) -> list[tuple[int, str]]:
    return [(column.width, column.how.name) for column in layout.columns]


def test_a_payload_is_laid_out_as_specified() -> None:
    payload, _ = encoded(WEIGHTS.tobytes() + b"xyz", "F32")
    count = len(WEIGHTS)
    assert payload[:7] == struct.pack("<BBBHH", 1, 3, 3, 4, 0)
    assert payload[7:10] == b"F32"
    (low, how, size), (width, _, _), (top, coded, frame) = struct.iter_unpack("<HBI", payload[10:31])
    assert (low, how, size, width, top, coded) == (2, 0, 2 * count, 1, 1, 1)
    words = WEIGHTS.view("<u4")
    assert payload[31 : 31 + 2 * count] == words.astype("<u2").tobytes()
    exponents = zstandard.decompress(payload[31 + 3 * count : 31 + 3 * count + frame])
    assert exponents == (words >> 23 & 0xFF).astype("u1").tobytes()
    assert payload[-3:] == b"xyz"


@pytest.mark.parametrize(
    ("data", "element", "share", "columns"),
    [
        (WEIGHTS, "F32", 0.84, [(2, "RAW"), (1, "RAW"), (1, "FRAME")]),
        (BF16, "BF16", 0.67, [(1, "RAW"), (1, "FRAME")]),
        (WEIGHTS.astype("<f2"), "F16", 0.86, [(1, "RAW"), (1, "FRAME")]),
        (RNG.normal(size=9000), "F64", 0.89, [(4, "RAW"), (2, "RAW"), (1, "FRAME"), (1, "FRAME")]),
        (BF16.astype("<u4") << 16, "F32", 0.335, [(2, "CONSTANT"), (1, "RAW"), (1, "FRAME")]),
        (RNG.integers(0, 30_000, 9000).astype("<i8"), "I64", 0.24, [(1, "RAW"), (1, "FRAME"), (2, "CONSTANT"), (4, "CONSTANT")]),
        ((WEIGHTS * 1000).astype("i1"), "I8", 0.82, [(1, "FRAME")]),
        (numpy.ones(9000, "?"), "BOOL", 0.01, [(1, "CONSTANT")]),
        (SPARSE, "F32", 0.11, [(2, "RAW"), (1, "RAW"), (1, "FRAME")]),
        ((SPARSE * 1000).astype("i1"), "I8", 0.15, [(1, "FRAME")]),
    ],
)
def test_columns_follow_what_the_data_is_like(
    data: numpy.ndarray, element: str, share: float, columns: list[tuple[int, str]]
) -> None:
    payload, layout = encoded(data.tobytes(), element)
    assert len(payload) < share * data.nbytes
    assert shape(layout) == columns


def test_many_zeros_are_left_out() -> None:
    _, layout = encoded(SPARSE.tobytes(), "F32")
    assert layout.full is not None
    assert len(layout.columns[0].data) == 2 * numpy.count_nonzero(SPARSE)
    _, layout = encoded(WEIGHTS.tobytes(), "F32")
    assert layout.full is None


@pytest.mark.parametrize("phase", range(9))
@pytest.mark.parametrize(("values", "word"), [(WEIGHTS, 4), (BF16, 2), (RNG.normal(size=9000), 8)])
def test_floats_are_found_where_nobody_says_so(values: numpy.ndarray, word: int, phase: int) -> None:
    data = noise(phase) + values.tobytes()
    payload, layout = encoded(data, "")
    assert (layout.record, len(layout.before)) == (word, phase % word)
    known = encode_columns(memoryview(values.tobytes()), {2: "BF16", 4: "F32", 8: "F64"}[word])
    assert known is not None
    assert len(payload) < 1.01 * len(known)


@pytest.mark.parametrize(
    "data",
    [noise(100_000), b'{"model.layers.0.weight": [1, 2, 3]}' * 3000, bytes(100_000), (BF16 % 95 + 32).astype("u1").tobytes()],
    ids=["noise", "text", "zeros", "letters"],
)
def test_what_has_no_words_has_no_columns(data: bytes) -> None:
    assert encode_columns(memoryview(data), "") is None


def test_words_that_repeat_are_left_to_a_search_for_repeats() -> None:
    assert encode_columns(memoryview((WEIGHTS * 1000).astype("<i4").tobytes()), "I32") is None


@pytest.mark.parametrize("element", FIELDS)
def test_fields_of_quantized_blocks_stand_together(element: str) -> None:
    size = sum(FIELDS[element])
    rows = RNG.integers(0, 256, (500, size)).astype("u1")
    rows[:, 0] &= 3
    _, layout = encoded(rows.tobytes() + b"!" * (size - 1), element)
    assert tuple(column.width for column in layout.columns) == FIELDS[element]
    assert layout.columns[0].how is (Kept.FRAME if FIELDS[element][0] == 1 else Kept.RAW)


@pytest.mark.parametrize("element", ["F64", "GGUF_Q8_0", "F32"])
def test_less_than_a_record_has_no_columns(element: str) -> None:
    assert encode_columns(memoryview(b"abc"), element) is None


@given(
    st.sampled_from(["", "X9", *ELEMENTS, *FIELDS]),
    st.binary(max_size=300)
    | st.builds(lambda unit, times: unit * times, st.binary(min_size=1, max_size=40), st.integers(1, 900)),
    st.sampled_from([b"", WEIGHTS[:5000].tobytes(), SPARSE[:5000].tobytes(), noise(20_000)]),
)
def test_any_data_comes_back_if_it_is_coded(element: str, ends: bytes, middle: bytes) -> None:
    data = ends[: len(ends) // 2] + middle + ends[len(ends) // 2 :]
    payload = encode_columns(memoryview(data), element)
    if payload is not None:
        assert reference_columns.decode(payload, len(data)) == data
        assert decode_columns(memoryview(payload), len(data)) == data
        assert len(payload) <= len(data) + 300


Entry = tuple[int, int, bytes]


def made(
    flags: int, record: int, before: bytes, entries: list[Entry], after: bytes = b"", name: bytes = b"", lie: int = 0
) -> bytes:
    head = struct.pack("<BBBHH", flags, len(entries) - (flags >> 1 & 1), len(name), record, len(before)) + name
    table = b"".join(struct.pack("<HBI", width, how, len(data) + lie) for width, how, data in entries)
    return head + table + before + b"".join(data for _, _, data in entries) + after


FRAME = zstandard.compress(b"abcd")
RAW, COUNTED, ONE = (1, 0, b"ABCD"), (1, 1, FRAME), (1, 2, b"z")


@pytest.mark.parametrize(
    ("payload", "data"),
    [
        (made(0, 1, b"", [RAW]), b"ABCD"),
        (made(0, 3, b"xy", [RAW, COUNTED, ONE], b"!!"), b"xyAazBbzCczDdz!!"),
        (made(0, 3, b"", [(3, 0, b"ABCabc")]), b"ABCabc"),
        (made(0, 3, b"", [(2, 0, b"ABCD"), (1, 2, b"-")]), b"AB-CD-"),
        (made(0, 8, b"", [(8, 0, b"ABCDEFGH")]), b"ABCDEFGH"),
        (made(0, 4, b"", [(1, 2, b"A"), (2, 2, b"BC"), (1, 2, b"D")]), b"ABCDABCD"),
        (made(0, 4, b"", [(2, 2, b"AB"), (2, 2, b"CD")], b"-", b"NEW"), b"ABCDABCD-"),
        (made(2, 2, b"", [(1, 0, b"\xf5"), (1, 0, b"AB"), (1, 2, b"-")]), b"A-\0\0B-"),
        (made(2, 3, b"", [(1, 0, b"\x02"), (3, 0, b"ABC")]), b"\0\0\0ABC"),
        (made(2, 1, b"", [(1, 0, b"\x00"), (1, 0, b"")]), bytes(5)),
        (made(1, 2, b"", [(1, 0, b"\x81\x01"), (1, 2, b"\x80")]), b"\x01\xc0\x01\x40"),
        (made(1, 4, b"", [(2, 2, b"\0\0"), (1, 2, b"\x80"), (1, 2, b"\x7f")]), struct.pack("<ff", -1, -1)),
    ],
)
def test_what_a_reader_must_take(payload: bytes, data: bytes) -> None:
    assert reference_columns.decode(payload, len(data)) == data
    assert decode_columns(memoryview(payload), len(data)) == data


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        bytes(6),
        bytes(7),
        bytes(100),
        made(4, 2, b"", [RAW, RAW]),
        made(0, 0, b"", [RAW]),
        made(0, 2, b"xy", [RAW, RAW]),
        made(0, 3, b"", [RAW, RAW]),
        made(0, 1, b"", [RAW, RAW]),
        made(0, 2, b"", [RAW, RAW, (0, 2, b"")]),
        made(0, 4097, b"", [(4097, 2, b"x" * 4097)]),
        made(0, 33, b"", [(1, 2, b"x")] * 33),
        made(0, 9, b"", [(9, 2, b"x" * 9)]),
        made(0, 2, b"", [RAW, RAW], b"x"),
        made(0, 2, b"", [RAW, RAW])[:-1],
        made(0, 2, b"", [RAW, RAW], lie=1),
        made(0, 2, b"", [RAW, RAW], lie=2**32 - 5),
        made(0, 2, b"", [RAW, (1, 3, b"ABCD")]),
        made(0, 2, b"", [RAW, (1, 0, b"ABC")]),
        made(0, 2, b"", [RAW, (1, 2, b"AB")]),
        made(0, 2, b"", [RAW, (1, 2, b"")]),
        made(0, 2, b"", [RAW, (1, 1, b"ABCD")]),
        made(0, 2, b"", [RAW, (1, 1, zstandard.compress(b"abc"))]),
        made(0, 2, b"", [RAW, (1, 1, FRAME + b"x")]),
        made(0, 2, b"", [RAW, (1, 1, zstandard.compress(bytes(2**24)))]),
        made(0, 2, b"", [RAW, RAW], name=b"F\xff"),
        made(0, 2, b"", [RAW, RAW], name=b"F" * 33),
        made(1, 1, b"", [(1, 0, b"ABCDEFGH")]),
        made(1, 2, b"", [(2, 0, b"ABCDEFGH")]),
        made(1, 4, b"", [(1, 0, b"AB"), (1, 0, b"AB"), (2, 0, b"ABCD")]),
        made(1, 4, b"", [(1, 2, b"A"), (2, 2, b"AB"), (1, 2, b"B")]),
        made(1, 3, b"xy", [ONE, ONE, ONE]),
        made(2, 2, b"", [(1, 2, b"\x0f"), RAW, RAW]),
        made(2, 2, b"", [(2, 0, b"\x0f"), RAW, RAW]),
        made(2, 2, b"", [(1, 0, b"\x0f\x0f"), RAW, RAW]),
        made(2, 2, b"", [(1, 0, b"\x07"), RAW, RAW]),
        made(2, 2, b"", [(1, 0, b"\x0f"), RAW, (1, 0, b"A")]),
    ],
)
def test_what_breaks_the_rules_is_refused(payload: bytes) -> None:
    with pytest.raises(CorruptData):
        decode_columns(memoryview(payload), 8)


def test_a_payload_is_not_one_of_another_length() -> None:
    payload, _ = encoded(BF16.tobytes(), "BF16")
    for length in (1, 79_999, 80_001, 80_002, 16 * 2**20):
        with pytest.raises(CorruptData):
            decode_columns(memoryview(payload), length)


@given(st.data())
def test_a_damaged_payload_is_refused_or_gives_as_many_bytes(data: st.DataObject) -> None:
    original = bytearray(data.draw(st.sampled_from(DAMAGED)))
    for _ in range(data.draw(st.integers(1, 4))):
        original[data.draw(st.integers(0, min(len(original) - 1, 80)) | st.integers(0, len(original) - 1))] = data.draw(
            st.integers(0, 255)
        )
    cut = data.draw(st.none() | st.integers(0, len(original)))
    with suppress(CorruptData):
        assert len(decode_columns(memoryview(original)[:cut], 4003)) == 4003


DAMAGED = [
    made(0, 3, b"xy", [(1, 2, b"A"), (1, 0, b"B" * 1333), (1, 1, zstandard.compress(bytes(1333)))], b"!!"),
    bytes(encode_columns(memoryview(SPARSE.tobytes()[:4003]), "F32") or b""),
    bytes(encode_columns(memoryview(BF16.tobytes()[:4003]), "BF16") or b""),
    bytes(encode_columns(memoryview(RNG.integers(0, 99, 4003).astype("u1").tobytes()), "GGUF_Q8_0") or b""),
]


def test_a_name_that_no_writer_gives_is_refused() -> None:
    with pytest.raises(BadColumns):
        element_of_layout(memoryview(b"\0\0\5\0\0\0\0ab"))


def test_a_dtype_that_we_do_not_know_is_guessed_and_not_named() -> None:
    payload = encode_columns(memoryview(WEIGHTS.tobytes()), "größer als alles, was in einem Kopf steht")
    assert payload is not None
    assert element_of_layout(memoryview(payload)) == ""
    assert decode_columns(memoryview(payload), WEIGHTS.nbytes) == WEIGHTS.tobytes()
