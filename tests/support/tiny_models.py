"""Small files that look like models: safetensors with given tensors, made from a seed."""

from __future__ import annotations

import json
import struct

import numpy as np


def safetensors(tensors: dict[str, tuple[str, list[int], bytes]], metadata: dict[str, str] | None = None) -> bytes:
    """The bytes of a safetensors file with these tensors: name -> (dtype, shape, raw bytes), in this order."""
    header: dict[str, object] = {"__metadata__": metadata} if metadata else {}
    offset = 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(data for _, _, data in tensors.values())


def model(seed: int, rows: int = 64, layers: int = 3, changed: int | None = None) -> bytes:
    """A model of `layers` fp32 matrices of shape (rows, 256). Two models of one seed that differ in `changed` differ in their last
    layer only."""
    tensors = {}
    for layer in range(layers):
        last = layer == layers - 1 and changed is not None
        rng = np.random.default_rng([seed, layer, changed or 0] if last else [seed, layer])
        values = (rng.standard_normal((rows, 256)) * 0.02).astype("<f4")
        tensors[f"layer.{layer}.weight"] = ("F32", [rows, 256], values.tobytes())
    return safetensors(tensors, {"format": "pt"})
