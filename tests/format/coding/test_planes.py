from __future__ import annotations

import struct

import numpy
import pytest
import zstandard

from git_lepton.errors import CorruptData
from git_lepton.format.coding.planes import decode_planes, encode_planes
from git_lepton.format.elements import ELEMENTS
from tests.format.sources import noise


def normal(dtype: str, count: int) -> bytes:
    return numpy.random.default_rng(1).normal(size=count).astype(dtype).tobytes()


def bfloat16(count: int) -> bytes:
    return (numpy.frombuffer(normal("<f4", count), "<u4") >> 16).astype("<u2").tobytes()


def parts(payload: bytes) -> tuple[int, list[tuple[int, int]]]:
    """First byte, and how each plane is kept with its length."""
    word = payload[0] & 0x7F
    return payload[0], list(struct.iter_unpack("<BI", payload[1 : 1 + 5 * word]))


def test_a_bfloat16_payload_is_laid_out_as_specified() -> None:
    data = bfloat16(10_000) + b"!"
    payload = encode_planes(memoryview(data), "BF16")
    assert payload is not None
    first, ((low_kept, low_length), (high_kept, high_length)) = parts(payload)
    assert (first, low_kept, low_length, high_kept) == (0x82, 0, 10_000, 1)
    words = numpy.frombuffer(data, "<u2", 10_000)
    assert payload[11:10_011] == ((words & 0x7F) | (words >> 15 << 7)).astype(numpy.uint8).tobytes()
    exponents = zstandard.decompress(payload[10_011 : 10_011 + high_length])
    assert exponents == (words >> 7 & 0xFF).astype(numpy.uint8).tobytes()
    assert payload[10_011 + high_length :] == b"!"
    assert decode_planes(memoryview(payload), len(data)) == data


def test_equal_bytes_are_kept_once() -> None:
    payload = encode_planes(memoryview(struct.pack("<q", 77) * 1000), "I64")
    assert payload is not None
    assert parts(payload) == (8, [(2, 1)] * 8)
    assert payload[41:] == struct.pack("<q", 77)
    assert decode_planes(memoryview(payload), 8000) == struct.pack("<q", 77) * 1000


@pytest.mark.parametrize(("dtype", "element", "share"), [("<f4", "F32", 0.86), ("<f2", "F16", 0.95), ("<f8", "F64", 0.96)])
def test_floats_become_shorter(dtype: str, element: str, share: float) -> None:
    data = normal(dtype, 100_000)
    payload = encode_planes(memoryview(data), element)
    assert payload is not None
    assert len(payload) < share * len(data)
    assert decode_planes(memoryview(payload), len(data)) == data


def test_ids_become_very_short() -> None:
    data = numpy.arange(100_000, dtype="<i8").tobytes()
    payload = encode_planes(memoryview(data), "I64")
    assert payload is not None
    assert len(payload) < len(data) // 100


@pytest.mark.parametrize("element", ["", "X7", *(name for name, element in ELEMENTS.items() if element.word == 1)])
def test_words_of_one_byte_have_no_planes(element: str) -> None:
    assert encode_planes(memoryview(bytes(100)), element) is None


def test_less_than_a_word_has_no_planes() -> None:
    assert encode_planes(memoryview(bytes(7)), "F64") is None
    assert encode_planes(memoryview(bytes(8)), "F64") is not None


def payload_of(first: int, planes: list[tuple[int, bytes]], rest: bytes = b"", lengths: list[int] | None = None) -> bytes:
    sizes = lengths or [len(data) for _, data in planes]
    table = b"".join(struct.pack("<BI", kept, size) for (kept, _), size in zip(planes, sizes, strict=True))
    return bytes([first]) + table + b"".join(data for _, data in planes) + rest


RAW = (0, bytes(range(4)))
ONE = (2, b"\x07")
FRAME = (1, zstandard.compress(b"abcd"))


@pytest.mark.parametrize(("plane", "low"), [(RAW, 3), (ONE, 7), (FRAME, ord("d"))])
def test_what_a_reader_must_take(plane: tuple[int, bytes], low: int) -> None:
    assert decode_planes(memoryview(payload_of(2, [plane, ONE], b"z")), 9)[-3:] == bytes([low, 7]) + b"z"


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x02",
        bytes([2]) + bytes(9),
        payload_of(0, []),
        payload_of(1, [RAW]),
        payload_of(3, [RAW] * 3),
        payload_of(0x42, [RAW, RAW]),
        payload_of(16, [RAW] * 16),
        payload_of(0x7F, [RAW, RAW]),
        payload_of(2, [RAW, RAW], b"z"),
        payload_of(2, [RAW, RAW])[:-1],
        payload_of(2, [RAW, (3, b"abcd")]),
        payload_of(2, [RAW, (0, b"abc")]),
        payload_of(2, [RAW, (0, b"abcde")]),
        payload_of(2, [RAW, (2, b"ab")]),
        payload_of(2, [RAW, (2, b"")]),
        payload_of(2, [RAW, (1, b"abcd")]),
        payload_of(2, [RAW, (1, zstandard.compress(b"abc"))]),
        payload_of(2, [RAW, (1, zstandard.compress(b"abcd") + b"x")]),
        payload_of(2, [RAW, (1, zstandard.compress(bytes(2**24)))]),
        payload_of(2, [RAW, RAW], lengths=[4, 2**32 - 1]),
        payload_of(2, [RAW, RAW], lengths=[2**32 - 1, 4]),
    ],
)
def test_what_breaks_the_rules_is_refused(payload: bytes) -> None:
    with pytest.raises(CorruptData):
        decode_planes(memoryview(payload), 8)


def test_a_payload_is_not_one_of_another_length() -> None:
    payload = encode_planes(memoryview(bfloat16(100)), "BF16")
    assert payload is not None
    for length in (1, 199, 201, 202, 16 * 2**20):
        with pytest.raises(CorruptData):
            decode_planes(memoryview(payload), length)


def test_noise_is_kept_as_it_is() -> None:
    payload = encode_planes(memoryview(noise(200_000)), "F32")
    assert payload is not None
    assert parts(payload) == (0x84, [(0, 50_000)] * 4)
