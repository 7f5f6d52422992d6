"""Files to clean, and where they come from."""

from __future__ import annotations

import json
import struct

import numpy


class MemorySource:
    """Hands out `data`, at most `bite` bytes at a time; fails after `fails_after` bytes."""

    def __init__(self, data: bytes, bite: int = 65516, fails_after: int | None = None) -> None:
        self._data, self._bite, self._at, self._fails_after = memoryview(data), bite, 0, fails_after

    def readinto(self, buffer: memoryview, /) -> int:
        if self._fails_after is not None and self._at >= self._fails_after:
            raise BrokenPipeError(32, "the source broke")
        part = self._data[self._at : self._at + min(len(buffer), self._bite)]
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)


def safetensors(seed: int, elements: int, tensors: int = 1) -> bytes:
    """A safetensors file of bf16 tensors with values as weights have them."""
    values = numpy.random.default_rng(seed).standard_normal(elements * tensors, dtype=numpy.float32) * numpy.float32(0.02)
    data = (values.view(numpy.uint32) >> 16).astype("<u2").tobytes()
    size = 2 * elements
    entries = {
        f"layer.{n}": {"dtype": "BF16", "shape": [elements], "data_offsets": [n * size, (n + 1) * size]} for n in range(tensors)
    }
    header = json.dumps(entries).encode()
    return struct.pack("<Q", len(header)) + header + data
