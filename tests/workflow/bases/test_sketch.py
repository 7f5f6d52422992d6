from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_lepton.format.elements import ELEMENTS
from git_lepton.workflow.bases.sketch import ELEMENTS as LONGEST
from git_lepton.workflow.bases.sketch import are_related, distance, elements_in, pieces_are_related, sketch
from tests.workflow.versions import bf16_bytes, tuned, weights

WEIGHTS = weights(1, 4096)
ONES = numpy.ones(700, numpy.float32)
AS: dict[str, Callable[[Any], bytes]] = {
    "BF16": bf16_bytes,
    "F16": lambda values: values.astype("<f2").tobytes(),
    "F32": lambda values: values.astype("<f4").tobytes(),
    "F64": lambda values: values.astype("<f8").tobytes(),
    "I8": lambda values: numpy.clip(values * 1000, -127, 127).astype("i1").tobytes(),
}


@pytest.mark.parametrize("element", AS)
@pytest.mark.parametrize("much", [1e-5, 1e-3, 5e-3])
def test_a_fine_tuned_piece_is_related(element: str, much: float) -> None:
    assert pieces_are_related(AS[element](tuned(WEIGHTS, much=much)), element, AS[element](WEIGHTS), element)


@pytest.mark.parametrize("element", AS)
def test_another_piece_is_not(element: str) -> None:
    assert not pieces_are_related(AS[element](weights(2, 4096)), element, AS[element](WEIGHTS), element)


@pytest.mark.parametrize("element", ["BF16", "F16", "F32", "F64"])
@pytest.mark.parametrize("other", ["BF16", "F16", "F32", "F64"])
def test_a_piece_is_related_to_itself_in_another_float(element: str, other: str) -> None:
    assert pieces_are_related(AS[element](WEIGHTS), element, AS[other](WEIGHTS), other)


def test_integers_and_floats_are_never_related() -> None:
    assert not pieces_are_related(bytes(512), "I8", bytes(512), "F32")
    assert not pieces_are_related(bytes(512), "I16", bytes(512), "BF16")


def test_what_is_nearly_constant_is_related_to_a_version_of_it_but_never_surely() -> None:
    one, other = (sketch(bf16_bytes(tuned(ONES, seed)), "BF16", 700) for seed in (1, 2))
    assert are_related(one, other)
    assert not are_related(one, other, surely=True)


def test_the_same_weights_are_surely_related_and_others_are_not() -> None:
    here = sketch(bf16_bytes(tuned(WEIGHTS)), "BF16", 4096)
    assert are_related(here, sketch(bf16_bytes(WEIGHTS), "BF16", 4096), surely=True)
    assert not are_related(here, sketch(bf16_bytes(weights(3, 4096)), "BF16", 4096), surely=True)


def test_a_shorter_piece_is_compared_as_far_as_it_goes() -> None:
    assert pieces_are_related(bf16_bytes(WEIGHTS), "BF16", bf16_bytes(WEIGHTS[:900]), "BF16")
    assert not pieces_are_related(bf16_bytes(WEIGHTS), "BF16", b"", "BF16")


@given(st.binary(max_size=5000), st.binary(max_size=5000), st.sampled_from(sorted(ELEMENTS)))
def test_any_bytes_can_be_sketched(one: bytes, other: bytes, element: str) -> None:
    count = min(elements_in(one, element), elements_in(other, element))
    here, there = sketch(one, element, count), sketch(other, element, count)
    assert len(here) == len(there) == min(count, LONGEST)
    assert distance(here, here) == 0
    assert 0 <= distance(here, there) <= 64
    pieces_are_related(one, element, other, element)
