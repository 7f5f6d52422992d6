"""The UCI digits (CC BY 4.0, see digits.NOTICE): images as float32 in 0..1, split into three parts that never mix."""

from __future__ import annotations

from importlib import resources
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
_FIRST, _SECOND = 600, 1347  # borders between the parts


class Digits(NamedTuple):
    """Images of shape (n, 64) and labels 0..9 of shape (n,)."""

    images: Floats
    labels: Labels


class DigitParts(NamedTuple):
    """What the first version learns from, what the second one gets in addition, and what both are measured on."""

    first: Digits
    second: Digits
    held_out: Digits


def load_digits() -> DigitParts:
    """The 1,797 digits in a fixed shuffled order: 600, 747 and 450 of them."""
    with resources.files(__package__).joinpath("digits.npz").open("rb") as file, np.load(file) as data:
        images, labels = data["images"].astype(np.float32) / 16, data["labels"].astype(np.int64)
    order = np.random.default_rng(1998).permutation(len(labels))
    parts = (order[:_FIRST], order[_FIRST:_SECOND], order[_SECOND:])
    return DigitParts(*(Digits(images[part], labels[part]) for part in parts))
