"""The published way to store a fine-tune, as a stand-in for BitX: XOR with the base's tensor, byte planes, one zstd frame a plane."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import zstandard

Arrays = Mapping[str, np.ndarray]


def planes(data: np.ndarray) -> Sequence[bytes]:
    """The byte planes of a flat array of unsigned integers, lowest first; each is contiguous, as zstd wants it."""
    return [np.ascontiguousarray(data.view(np.uint8)[place :: data.itemsize]).tobytes() for place in range(data.itemsize)]


def coded(data: np.ndarray, level: int) -> Sequence[bytes]:
    """A zstd frame for each plane."""
    return [zstandard.ZstdCompressor(level=level).compress(plane) for plane in planes(data)]


def restored(frames: Sequence[bytes], dtype: np.dtype[np.generic]) -> np.ndarray:
    """What `coded` was given."""
    parts = [np.frombuffer(zstandard.ZstdDecompressor().decompress(frame), np.uint8) for frame in frames]
    out = np.empty((len(parts[0]), len(parts)), np.uint8)
    for place, part in enumerate(parts):
        out[:, place] = part
    return out.reshape(-1).view(dtype)


def stored_bytes(second: Arrays, base: Arrays, level: int) -> int:
    """What a second version costs beside its base: all tensors of one dtype together, XORed where the base has the name and shape."""
    return sum(sum(map(len, coded(together, level))) for together in differences(second, base))


def differences(second: Arrays, base: Arrays) -> Sequence[np.ndarray]:
    """One flat array of unsigned integers a dtype: the tensors in file order, each XORed with the base's where there is one."""
    by_dtype: dict[str, list[np.ndarray]] = defaultdict(list)
    for name, array in second.items():
        known = base.get(name)
        alike = known is not None and known.shape == array.shape and known.dtype == array.dtype
        by_dtype[array.dtype.str].append(whole(array) ^ whole(known) if alike and known is not None else whole(array))
    return [np.concatenate(parts) for parts in by_dtype.values()]


def whole(array: np.ndarray) -> np.ndarray:
    """An array's bits as a flat array of unsigned integers of the same width."""
    return np.ascontiguousarray(array).reshape(-1).view(f"<u{array.itemsize}")
