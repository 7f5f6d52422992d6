from __future__ import annotations

import numpy
import pytest

from git_lepton.format.coding.difference.numbers import (
    CONVERSIONS,
    NAMES,
    NUMBERS,
    UNSIGNED,
    apply_differences,
    base_words,
    comparable,
    differences,
    exponents,
)
from git_lepton.format.elements import ELEMENTS, FIELDS, element_of
from tests.format.sources import noise

ALL_16 = numpy.arange(65536).astype("<u2")
EDGES = numpy.array(
    [0, 1, 0x80000000, 0x00400000, 0x33000000, 0x33000001, 0x32FFFFFF, 0x387FC000, 0x387FE000, 0x387FF000, 0x38800000]
    + [0x477FE000, 0x477FEFFF, 0x477FF000, 0x47800000, 0x7F7FFFFF, 0x7F7F8000, 0x7F800000, 0xFF800000]
    + [0x3F808000, 0x3F818000, 0x3F807FFF, 0x3F808001],
    "<u4",
)
MANY_32 = numpy.concatenate([EDGES, numpy.frombuffer(noise(400_000), "<u4")])
NANS = numpy.array([0x7F800001, 0x7FC00000, 0xFF800001, 0xFFFFFFFF, 0x7F802000], "<u4")


def test_there_is_a_number_for_every_dtype_and_no_code_twice() -> None:
    assert set(NUMBERS) == {*ELEMENTS, *FIELDS}
    assert len(NAMES) == len(NUMBERS)
    assert all(NUMBERS[name].word == element_of(name).word for name in NUMBERS)
    assert [NUMBERS[name].code for name in FIELDS] == list(range(32, 32 + len(FIELDS)))


def test_rounding_to_half_is_that_of_ieee_754() -> None:
    words = MANY_32[(MANY_32 & 0x7FFFFFFF) <= 0x7F800000]
    with numpy.errstate(over="ignore"):
        expected = words.view("<f4").astype("<f2").view("<u2")
    assert (CONVERSIONS["F32", "F16"](words) == expected).all()


def test_rounding_to_bfloat16_is_to_nearest_even() -> None:
    words = MANY_32[(MANY_32 & 0x7FFFFFFF) <= 0x7F7F7FFF]
    rounded = CONVERSIONS["F32", "BF16"](words).astype("<u4") << 16
    below, above = words & 0xFFFF0000, (words & 0xFFFF0000) + 0x10000
    values = [part.view("<f4").astype(numpy.float64) for part in (words, rounded, below, above)]
    down, up = abs(values[2] - values[0]), abs(values[3] - values[0])
    nearest = numpy.where(down < up, values[2], values[3])
    nearest = numpy.where(down == up, numpy.where(below & 0x10000, values[3], values[2]), nearest)
    assert (values[1] == nearest).all()


@pytest.mark.parametrize("half", ["F16", "BF16"])
def test_infinities_and_nans_stay_what_they_are(half: str) -> None:
    infinity = {"F16": 0x7C00, "BF16": 0x7F80}[half]
    to_half, back = CONVERSIONS["F32", half], CONVERSIONS[half, "F32"]
    assert to_half(numpy.array([0x7F800000, 0xFF800000, 0x7F7FFFFF], "<u4")).tolist() == [infinity, infinity | 0x8000, infinity]
    assert ((to_half(NANS) & 0x7FFF) > infinity).all()
    assert ((to_half(NANS) >> 15) == (NANS >> 31)).all()
    assert numpy.isnan(back(to_half(NANS)).view("<f4")).all()


def test_widening_gives_the_same_numbers() -> None:
    with numpy.errstate(invalid="ignore"):
        assert (
            (CONVERSIONS["F16", "F32"](ALL_16).view("<f4") == ALL_16.view("<f2").astype("<f4")) | numpy.isnan(ALL_16.view("<f2"))
        ).all()
    assert (CONVERSIONS["BF16", "F32"](ALL_16) == ALL_16.astype("<u4") * 65536).all()
    for half in ("F16", "BF16"):
        wide = CONVERSIONS[half, "F32"](ALL_16)
        numbers = ~numpy.isnan(wide.view("<f4"))
        assert (CONVERSIONS["F32", half](wide)[numbers] == ALL_16[numbers]).all()


@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_differences_are_small_numbers_and_can_be_taken_back(size: int) -> None:
    base = numpy.array([5, 5, 5, 5, 5, 0], UNSIGNED[size])
    target = numpy.array([5, 4, 6, 3, 7, 2 ** (8 * size) - 1], UNSIGNED[size])
    found = numpy.empty_like(base)
    differences(target, base, found)
    assert found.tolist() == [0, 1, 2, 3, 4, 1]
    assert (apply_differences(found, base) == target).all()


@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_any_difference_can_be_taken_back(size: int) -> None:
    target, base = (numpy.frombuffer(noise(80_000)[part:][:40_000], UNSIGNED[size]) for part in (0, 40_000))
    found = numpy.empty_like(base)
    differences(target, base, found)
    assert (apply_differences(found, base) == target).all()


@pytest.mark.parametrize(("element", "one"), [("BF16", 0x3F80), ("F16", 0x3C00), ("F32", 0x3F800000), ("F8_E4M3", 0x38)])
def test_exponents(element: str, one: int) -> None:
    number = NUMBERS[element]
    step = 1 << number.low
    words = numpy.array([0, one, one + step, one - step, one | 1 << (8 * number.word - 1)], UNSIGNED[number.word])
    bias = one >> number.low
    assert exponents(words, number).tolist() == [0, bias, bias + 1, bias - 1, bias]


def test_exponents_of_doubles_are_told_apart_around_one_and_integers_have_one() -> None:
    values = numpy.array([0.0, 2.0**-127, 2.0**-126, 1.0, 2.0, 2.0**200])
    assert exponents(values.view("<u8"), NUMBERS["F64"]).tolist() == [0, 0, 1, 127, 128, 255]
    assert exponents(numpy.array([0, 200], "u1"), NUMBERS["I8"]).tolist() == [64, 64]


def test_missing_words_of_a_base_are_zeros() -> None:
    data = numpy.array([1, 2, 3], "<u2").tobytes() + b"!"
    assert base_words(memoryview(data), "BF16", "BF16", 5).tolist() == [1, 2, 3, 0, 0]
    assert base_words(memoryview(data), "BF16", "BF16", 2).tolist() == [1, 2]
    assert base_words(memoryview(data), "BF16", "F32", 5).tolist() == [0x10000, 0x20000, 0x30000, 0, 0]
    assert base_words(memoryview(b""), "F32", "F16", 1).tolist() == [0]


def test_what_can_be_compared() -> None:
    assert comparable("BF16", "BF16")
    assert comparable("F32", "BF16")
    assert comparable("BF16", "F16")
    assert comparable("GGUF_Q8_0", "GGUF_Q8_0")
    assert not comparable("GGUF_Q8_0", "GGUF_Q4_0")
    assert not comparable("", "")
    assert not comparable("NEW", "NEW")
