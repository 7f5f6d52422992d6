"""Bytes of bf16 weights and of later versions of them, which change a little everywhere, as fine-tuning does."""

from __future__ import annotations

import numpy as np

from tests.support.tiny_models import safetensors


def weights(seed: int, count: int) -> bytes:
    """`count` bf16 values that look like a layer's."""
    return _bf16(_values(seed, count))


def version(seed: int, count: int, number: int) -> bytes:
    """The `number`th version of those weights: most values the same as in the one before, the others moved by a step or two."""
    words = np.frombuffer(weights(seed, count), "<u2").copy()
    for step in range(1, number + 1):
        rng = np.random.default_rng([seed, step, 77])
        words[rng.random(count) < 0.2] += 1
    return words.tobytes()


def model(number: int, seed: int = 1, tensors: int = 4, count: int = 1 << 18) -> bytes:
    """Version `number` of a safetensors model of so many tensors of `count` bf16 values."""
    return safetensors({f"layer.{n}": ("BF16", [count], version(seed * 100 + n, count, number)) for n in range(tensors)})


def _values(seed: int, count: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return (np.random.default_rng([seed, 5]).standard_normal(count) * 0.02).astype(np.float32)


def _bf16(values: np.ndarray[tuple[int], np.dtype[np.float32]]) -> bytes:
    return (values.view(np.uint32) >> 16).astype("<u2").tobytes()
