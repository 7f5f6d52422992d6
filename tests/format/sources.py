"""Sources for the chunker, and safetensors files made by hand."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator
from typing import Any


class Dribble:
    """Hands out `data` in bits of these sizes, over and over; counts what it gave and how much was asked for at most."""

    def __init__(self, data: bytes, sizes: Iterable[int] = (1 << 30,)) -> None:
        self._data = memoryview(data)
        self._sizes = list(sizes)
        self._turn = 0
        self.given = 0
        self.largest_request = 0

    def readinto(self, buffer: memoryview, /) -> int:
        self.largest_request = max(self.largest_request, len(buffer))
        count = min(len(buffer), self._sizes[self._turn % len(self._sizes)], len(self._data) - self.given)
        self._turn += 1
        buffer[:count] = self._data[self.given : self.given + count]
        self.given += count
        return count


class Endless:
    """Begins with `head` and then gives zeros for ever."""

    def __init__(self, head: bytes) -> None:
        self._head = head
        self.given = 0

    def readinto(self, buffer: memoryview, /) -> int:
        start = self._head[: len(buffer)]
        buffer[: len(start)] = start
        buffer[len(start) :] = bytes(len(buffer) - len(start))
        self._head = self._head[len(start) :]
        self.given += len(buffer)
        return len(buffer)


def with_length(header: bytes) -> bytes:
    return struct.pack("<Q", len(header)) + header


def header_of(tensors: Iterable[tuple[str, str, list[int], int]], metadata: dict[str, str] | None = None) -> bytes:
    """A header, its length included, for tensors given as name, dtype, shape and bytes, in this order without holes."""
    entries: dict[str, Any] = {} if metadata is None else {"__metadata__": metadata}
    position = 0
    for name, dtype, shape, size in tensors:
        entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": [position, position + size]}
        position += size
    text = json.dumps(entries).encode()
    return with_length(text + b" " * (-len(text) % 8))


def noise(size: int, seed: int = 1) -> bytes:
    """Bytes without order, the same on every machine."""
    words = _noise_words(seed)
    return b"".join(next(words) for _ in range(-(-size // 32)))[:size]


def _noise_words(seed: int) -> Iterator[bytes]:
    from hashlib import sha256

    number = seed << 40
    while True:
        yield sha256(number.to_bytes(8, "little")).digest()
        number += 1
