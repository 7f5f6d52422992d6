from __future__ import annotations

import numpy
import pytest

from git_lepton.format.coding.samples import entropies, entropy, looks_like_noise, looks_repetitive, sample, shares
from tests.format.sources import noise

NOISE = numpy.frombuffer(noise(100_000), numpy.uint8)


def test_a_sample_is_spread_from_the_first_value_to_the_last() -> None:
    values = numpy.arange(1_000_000)
    taken = sample(values)
    assert len(taken) == 4096
    assert taken[0] == 0
    assert taken[-1] > 990_000
    assert sorted(set(numpy.diff(taken).tolist()))[0] == 1
    assert (numpy.diff(taken) > 0).all()


@pytest.mark.parametrize("count", [0, 1, 4095, 4096, 4097, 4111, 5000])
def test_a_sample_of_few_values_has_no_more_than_there_are(count: int) -> None:
    taken = sample(numpy.arange(count))
    assert len(taken) == min(count, 4096)
    assert set(taken.tolist()) <= set(range(count))


def test_entropy_is_that_of_shannon() -> None:
    assert entropy(shares(numpy.array([0, 1, 2, 3], "u1"))) == pytest.approx(2)
    assert entropy(shares(numpy.array([0, 0, 0, 1], "u1"))) == pytest.approx(0.8112781)
    assert entropy(shares(numpy.zeros(10, "u1"))) == 0


def test_entropies_are_those_of_each_row() -> None:
    counts = numpy.stack(
        [numpy.bincount(values, minlength=256) for values in (NOISE, NOISE >> numpy.uint8(4), NOISE & numpy.uint8(0))]
    )
    assert entropies(counts).tolist() == pytest.approx([entropy(row / row.sum()) for row in counts])


def test_noise_is_told_from_symbols() -> None:
    assert looks_like_noise(NOISE)
    assert not looks_like_noise(NOISE >> numpy.uint8(1))
    assert not looks_like_noise(numpy.zeros(100_000, numpy.uint8))
    assert not looks_like_noise(numpy.frombuffer(b"a", numpy.uint8))


def test_columns_of_a_matrix_do_not_mislead() -> None:
    matrix = numpy.frombuffer(noise(512 * 4096), numpy.uint8).reshape(4096, 512).copy()
    matrix[:, 0] = 0  # what every 512th value is says nothing of the others
    assert looks_like_noise(matrix.reshape(-1))


def test_repetition_is_told_from_chance() -> None:
    assert not looks_repetitive(NOISE)
    assert not looks_repetitive(NOISE & numpy.uint8(7))
    assert looks_repetitive(numpy.repeat(NOISE, 3))
    assert looks_repetitive(numpy.where(NOISE < 100, NOISE, 0).astype("u1"))
    assert looks_repetitive(numpy.zeros(1, "u1"))
