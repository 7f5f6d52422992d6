from __future__ import annotations

import numpy
import pytest

from git_lepton.format.coding.words import SIZES, UNSIGNED, merge, merge_columns, split, split_columns
from tests.format.sources import noise


def expected_planes(data: bytes, size: int, *, sign: bool) -> list[list[int]]:
    """The specification's words, one at a time."""
    top, low = 8 * size - 9, (1 << (8 * size - 9)) - 1
    words = [int.from_bytes(data[start : start + size], "little") for start in range(0, len(data), size)]
    if sign:
        words = [((word >> top & 0xFF) << (top + 1)) | (word >> (top + 8) << top) | (word & low) for word in words]
    return [[word >> (8 * plane) & 0xFF for word in words] for plane in range(size)]


@pytest.mark.parametrize("sign", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_planes_are_those_of_the_specification(size: int, sign: bool) -> None:
    data = noise(64 * size)
    assert split(memoryview(data), size, sign=sign).tolist() == expected_planes(data, size, sign=sign)


@pytest.mark.parametrize("sign", [False, True])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("count", [1, 2, 3, 1000, 262_145])
def test_merging_takes_splitting_back(count: int, size: int, sign: bool) -> None:
    data = noise(4096) * (count * size // 4096 + 1)
    data = data[: count * size]
    planes = split(memoryview(data), size, sign=sign).copy()
    result = bytearray(len(data))
    merge(list(planes), memoryview(result), sign=sign)
    assert result == data


@pytest.mark.parametrize("sign", [False, True])
def test_every_word_of_two_bytes_comes_back(sign: bool) -> None:
    data = numpy.arange(65536, dtype="<u2").tobytes()
    planes = split(memoryview(data), 2, sign=sign).copy()
    result = bytearray(len(data))
    merge(list(planes), memoryview(result), sign=sign)
    assert result == data


def test_the_exponent_of_a_bfloat16_has_a_plane_for_itself() -> None:
    values = numpy.array([1.0, -1.0, 1.5, -1.5], "<f4").view("<u4") >> 16
    planes = split(memoryview(values.astype("<u2").tobytes()), 2, sign=True)
    assert planes[1].tolist() == [127] * 4
    assert planes[0].tolist() == [0, 128, 64, 192]


def test_words_may_lie_anywhere_in_memory() -> None:
    data = noise(4001)
    planes = split(memoryview(data)[1:], 4, sign=True).copy()
    assert planes.tolist() == expected_planes(data[1:], 4, sign=True)
    result = bytearray(4001)
    merge(list(planes), memoryview(result)[1:], sign=True)
    assert result[1:] == data[1:]


def columns_of(planes: list[list[int]], widths: tuple[int, ...]) -> list[list[int]]:
    columns, start = [], 0
    for width in widths:
        rows = zip(*planes[start : start + width], strict=True)
        columns.append([int.from_bytes(bytes(row), "little") for row in rows])
        start += width
    return columns


@pytest.mark.parametrize(
    ("size", "sign", "widths"),
    [
        (2, False, (2,)),
        (2, True, (1, 1)),
        (4, True, (2, 1, 1)),
        (4, False, (1, 1, 2)),
        (4, False, (4,)),
        (8, True, (4, 2, 1, 1)),
        (8, True, (1, 1, 2, 2, 1, 1)),
        (8, False, (4, 4)),
        (8, False, (2, 2, 4)),
    ],
)
def test_columns_are_neighbouring_planes(size: int, sign: bool, widths: tuple[int, ...]) -> None:
    data = noise(300_000 * size if size == 2 else 100 * size)
    columns = [column.copy() for column in split_columns(numpy.frombuffer(data, UNSIGNED[size]), widths, sign=sign)]
    assert [column.dtype.itemsize for column in columns] == list(widths)
    part = expected_planes(data[: 100 * size], size, sign=sign)
    assert [column[:100].tolist() for column in columns] == columns_of(part, widths)
    back = numpy.empty(len(data) // size, UNSIGNED[size])
    merge_columns(columns, widths, back, sign=sign)
    assert back.tobytes() == data


@pytest.mark.parametrize("constant", range(1, 16))
def test_a_column_of_equal_parts_may_be_one_number(constant: int) -> None:
    widths, size = (4, 2, 1, 1), 8
    parts = [numpy.frombuffer(noise(50 * width, seed=width + place), UNSIGNED[width]) for place, width in enumerate(widths)]
    given = [int(part[0]) if constant >> place & 1 else part for place, part in enumerate(parts)]
    full = [
        numpy.full(50, part, UNSIGNED[width]) if isinstance(part, int) else part
        for part, width in zip(given, widths, strict=True)
    ]
    results = [numpy.empty(50, UNSIGNED[size]) for _ in range(2)]
    merge_columns(given, widths, results[0], sign=True)
    merge_columns(full, widths, results[1], sign=True)
    assert results[0].tolist() == results[1].tolist()
