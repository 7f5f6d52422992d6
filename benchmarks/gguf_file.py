"""Writes the part of GGUF version 3 that an export of a model needs: F32, F16 and Q8_0 tensors, as llama.cpp lays them out."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

_ALIGNMENT, _BLOCK = 32, 32
_STRING = 8


class Stored(NamedTuple):
    """A tensor as GGUF keeps it: the number of its type, its shape (slowest dimension first), its bytes."""

    kind: int
    shape: tuple[int, ...]
    data: np.ndarray


def f32(array: np.ndarray) -> Stored:
    return Stored(0, array.shape, array.astype("<f4").reshape(-1).view(np.uint8))


def f16(array: np.ndarray) -> Stored:
    return Stored(1, array.shape, array.astype("<f2").reshape(-1).view(np.uint8))


def q8_0(array: np.ndarray) -> Stored:
    """Blocks of 32 weights along a row: the scale as a half float, then 32 signed bytes."""
    blocks = array.astype(np.float32).reshape(-1, _BLOCK)
    scale = np.abs(blocks).max(1, keepdims=True) / 127
    inverse = np.divide(1, scale, out=np.zeros_like(scale), where=scale > 0)
    packed = np.empty((len(blocks), 2 + _BLOCK), np.uint8)
    packed[:, :2] = scale.astype("<f2").view(np.uint8)
    packed[:, 2:] = np.rint(blocks * inverse).astype(np.int8).view(np.uint8)
    return Stored(8, array.shape, packed.reshape(-1))


def export(arrays: Mapping[str, np.ndarray], quantized: bool) -> dict[str, Stored]:
    """Matrices as Q8_0 or F16, all else as F32."""
    matrix = q8_0 if quantized else f16
    return {
        name: matrix(array) if array.ndim == 2 and array.shape[1] % _BLOCK == 0 else f32(array) for name, array in arrays.items()
    }


def write(path: Path, tensors: Mapping[str, Stored]) -> Path:
    """The file with these tensors, in order; it has its name only when it is whole."""
    infos, offset = b"", 0
    for name, (kind, shape, data) in tensors.items():
        dimensions = struct.pack(f"<I{len(shape)}Q", len(shape), *reversed(shape))
        infos += _text(name) + dimensions + struct.pack("<IQ", kind, offset)
        offset += len(data) + _gap(len(data))
    values = _text("general.architecture") + struct.pack("<I", _STRING) + _text("bert")
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), 1) + values + infos
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.write(head + bytes(_gap(len(head))))
        for stored in tensors.values():
            file.write(stored.data.tobytes() + bytes(_gap(len(stored.data))))
    return part.replace(path)


def _text(words: str) -> bytes:
    return struct.pack("<Q", len(words)) + words.encode()


def _gap(length: int) -> int:
    return -length % _ALIGNMENT
