"""Order-0 entropies of the difference between two versions: what a coder that knows frequencies alone would reach, tables not counted.

Floats are mapped to integers in the same order, subtracted and zig-zagged. 16-bit differences count as one symbol; wider ones byte by byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from benchmarks.float_planes import whole

_EXPONENT = {2: (7, 0xFF), 4: (23, 0xFF)}  # bits below it, its mask: bf16 and fp32


class Entropy(NamedTuple):
    """Bytes: by the difference's frequencies alone, and by those among weights whose base has the same exponent."""

    plain: float
    given_exponent: float


def of_difference(second: Mapping[str, np.ndarray], base: Mapping[str, np.ndarray]) -> Entropy:
    """Of all tensors that both versions have, as bf16 (uint16 arrays) or fp32."""
    shared = [name for name in second if name in base and second[name].shape == base[name].shape]
    new = np.concatenate([whole(second[name]) for name in shared])
    old = np.concatenate([whole(base[name]) for name in shared])
    shift, mask = _EXPONENT[new.itemsize]
    exponent = (old >> shift) & mask
    symbols = _zigzag(_ordered(new) - _ordered(old))
    parts = [symbols] if symbols.itemsize == 2 else [symbols.view(np.uint8)[place::4] for place in range(4)]
    return Entropy(sum(_bytes(part) for part in parts), sum(_bytes(part, exponent) for part in parts))


def _ordered(bits: np.ndarray) -> np.ndarray:
    top = bits.dtype.type(1 << (8 * bits.itemsize - 1))
    return np.where(bits & top, ~bits, bits | top)


def _zigzag(difference: np.ndarray) -> np.ndarray:
    signed = difference.view(f"<i{difference.itemsize}")
    return ((signed << 1) ^ (signed >> (8 * signed.itemsize - 1))).view(difference.dtype)


def _bytes(symbols: np.ndarray, group: np.ndarray | None = None) -> float:
    """Bytes for the symbols, each coded by the frequencies of its group's symbols."""
    width = 8 * symbols.itemsize
    keys = symbols.astype(np.uint32) if group is None else (group.astype(np.uint32) << width) | symbols
    counts = np.bincount(keys)
    seen = counts[counts > 0]
    of_group = _log_sum(np.bincount(group)) if group is not None else _log_sum(np.array([symbols.size]))
    return float(of_group - _log_sum(seen)) / 8


def _log_sum(counts: np.ndarray) -> float:
    there = counts[counts > 0].astype(np.float64)
    return float((there * np.log2(there)).sum())
