"""Samples: what few of many values say of all, at a small part of the price of looking at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[numpy.uint8]

_RUNS, _RUN = 16, 256
_NOISE_BITS = 7.8  # of 8, for each byte
_FREQUENT = 0.5  # a Huffman code spends a whole bit on such a value, a match on many of them next to nothing
_MORE_THAN_CHANCE, _MARGIN = 1.25, 0.02


def sample(values: NDArray[Any]) -> NDArray[Any]:
    """Up to 4096 of the values: neighbours in 16 runs, spread evenly."""
    if len(values) <= _RUNS * _RUN:
        return values
    gap = (len(values) - _RUN) // (_RUNS - 1)
    return numpy.concatenate([values[start : start + _RUN] for start in range(0, gap * _RUNS, gap)])


def shares(values: Bytes) -> NDArray[numpy.float64]:
    """How large a part of `values` each of the 256 byte values is."""
    return numpy.bincount(values, minlength=256) / len(values)


def entropy(parts: NDArray[numpy.float64]) -> float:
    """Bits that a value takes on average when each of them is coded for itself."""
    present = parts[parts > 0]
    return float(-(present * numpy.log2(present)).sum())


def entropies(counts: NDArray[numpy.intp]) -> NDArray[numpy.float64]:
    """The entropy of each row of counts; shape (rows,)."""
    totals = counts.sum(axis=1)
    bits: NDArray[numpy.float64] = numpy.log2(totals) - (counts * numpy.log2(numpy.maximum(counts, 1))).sum(axis=1) / totals
    return bits


def looks_like_noise(values: Bytes) -> bool:
    """Whether the values are so evenly frequent that coding each on its own would save almost nothing."""
    return entropy(shares(sample(values))) > _NOISE_BITS


def looks_repetitive(values: Bytes) -> bool:
    """Whether one value fills more than half, or neighbours are equal more often than by chance."""
    seen = sample(values)
    parts = shares(seen)
    equal = float((seen[1:] == seen[:-1]).mean()) if len(seen) > 1 else 0.0
    return bool(parts.max() > _FREQUENT or equal > _MORE_THAN_CHANCE * float((parts**2).sum()) + _MARGIN)
