"""Small model files in the formats that have no writer here of their own: GGUF, ONNX, .npy, .npz, .keras, byte by byte."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy

GGML = {"F32": 0, "F16": 1, "Q4_0": 2, "Q8_0": 8, "Q4_K": 12, "I8": 24, "I32": 26, "F64": 28, "BF16": 30, "NEW": 4000}
ONNX_TYPES = {
    "F32": 1,
    "U8": 2,
    "I8": 3,
    "I32": 6,
    "I64": 7,
    "BOOL": 9,
    "F16": 10,
    "F64": 11,
    "BF16": 16,
    "F8_E4M3": 17,
    "NEW": 99,
}


class Weights(NamedTuple):
    """A tensor for a file: its type as in the tables above, its shape (row-major) and its bytes."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes


# GGUF


def gguf_text(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


def gguf_pair(key: str, value: object) -> bytes:
    """A key and a value: a text, an integer (u32), a list of texts or of floats."""
    head = gguf_text(key.encode())
    if isinstance(value, str):
        return head + struct.pack("<I", 8) + gguf_text(value.encode())
    if isinstance(value, int):
        return head + struct.pack("<II", 4, value)
    assert isinstance(value, list)
    if value and isinstance(value[0], str):
        return head + struct.pack("<IIQ", 9, 8, len(value)) + b"".join(gguf_text(text.encode()) for text in value)
    return head + struct.pack("<IIQ", 9, 6, len(value)) + struct.pack(f"<{len(value)}f", *value)


def gguf_info(name: str, dtype: str, shape: Iterable[int], offset: int) -> bytes:
    dims = list(shape)[::-1]
    return gguf_text(name.encode()) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, GGML[dtype], offset)


def gguf(tensors: Mapping[str, Weights], pairs: Mapping[str, object] | None = None, version: int = 3) -> bytes:
    """A GGUF file; `general.alignment` among the pairs is followed."""
    pairs = {"general.architecture": "test", **(pairs or {})}
    alignment = pairs.get("general.alignment", 32)
    assert isinstance(alignment, int)
    infos, data = [], b""
    for name, (dtype, shape, content) in tensors.items():
        data += bytes(-len(data) % alignment)
        infos.append(gguf_info(name, dtype, shape, len(data)))
        data += content
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(pairs))
    head += b"".join(gguf_pair(key, value) for key, value in pairs.items()) + b"".join(infos)
    return head + bytes(-len(head) % alignment) + data + bytes(-len(data) % alignment)


# ONNX


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def field(number: int, value: int | bytes | str) -> bytes:
    """A field of a protobuf message: a varint, or bytes with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    content = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(content)) + content


def onnx_tensor(name: str, weights: Weights, packed: bool = False, info_first: bool = True) -> bytes:
    dims = field(1, b"".join(map(varint, weights.shape))) if packed else b"".join(field(1, size) for size in weights.shape)
    info = dims + field(2, ONNX_TYPES[weights.dtype]) + field(8, name)
    return info + field(9, weights.data) if info_first else field(9, weights.data) + info


def onnx_graph(initializers: Mapping[str, Weights], constants: Mapping[str, Weights] | None = None, **how: bool) -> bytes:
    """A GraphProto: a Constant node for each constant, then the initializers."""
    nodes = b""
    for name, weights in (constants or {}).items():
        attribute = field(1, "value") + field(5, onnx_tensor(name, weights, **how)) + field(20, 4)
        nodes += field(1, field(2, name) + field(4, "Constant") + field(5, attribute))
    tensors = b"".join(field(5, onnx_tensor(name, weights, **how)) for name, weights in initializers.items())
    return nodes + field(2, "main_graph") + tensors + field(11, field(1, "input"))


def onnx(initializers: Mapping[str, Weights], constants: Mapping[str, Weights] | None = None, **how: bool) -> bytes:
    """A ModelProto, written in the order of its field numbers."""
    head = field(1, 8) + field(2, "pytorch") + field(3, "2.13.0")
    return head + field(7, onnx_graph(initializers, constants, **how)) + field(8, field(2, 18))


# HDF5

HDF5_TYPES = {
    "F16": struct.pack("<B3BIHHBBBBI", 0x11, 0x20, 15, 0, 2, 0, 16, 10, 5, 0, 10, 15),
    "BF16": struct.pack("<B3BIHHBBBBI", 0x11, 0x20, 15, 0, 2, 0, 16, 7, 8, 0, 7, 127),
    "F32": struct.pack("<B3BIHHBBBBI", 0x11, 0x20, 31, 0, 4, 0, 32, 23, 8, 0, 23, 127),
    "F32 high byte first": struct.pack("<B3BIHHBBBBI", 0x11, 0x21, 31, 0, 4, 0, 32, 23, 8, 0, 23, 127),
    "I64": struct.pack("<B3BIHH4x", 0x10, 8, 0, 0, 8, 0, 64),
    "U8": struct.pack("<B3BIHH4x", 0x10, 0, 0, 0, 1, 0, 8),
    "text": struct.pack("<B3BI8x", 0x13, 0, 0, 0, 4),
}


def hdf5_header(weights: Weights, address: int, version: int = 3, kind: int = 1, stated: int | None = None) -> bytes:
    """A dataset's object header as h5py writes it, 272 bytes."""
    rank, length = len(weights.shape), len(weights.data) if stated is None else stated
    messages = [
        (1, struct.pack(f"<BBB5x{rank}Q", 1, rank, 0, *weights.shape)),
        (3, HDF5_TYPES[weights.dtype]),
        (5, bytes([2, 2, 2, 1, 0, 0, 0, 0])),
        (8, struct.pack("<BBQQ6x", version, kind, address, length)),
    ]
    body = b"".join(struct.pack("<HH4x", number, len(content)) + content for number, content in messages)
    body += struct.pack("<HH4x", 0, 248 - len(body)) + bytes(248 - len(body))
    return struct.pack("<BxHII4x", 1, 5, 1, len(body)) + body


def hdf5(datasets: Iterable[Weights], headers_first: bool = False, **how: int) -> bytes:
    """The superblock, and each dataset's header and data; without the groups that would give them names."""
    datasets = list(datasets)
    places, position = [], 96
    for weights in datasets:
        position += 0 if headers_first else 272
        places.append(position + (272 * len(datasets) if headers_first else 0))
        position += len(weights.data)
    headers = [hdf5_header(weights, place, **how) for weights, place in zip(datasets, places, strict=True)]
    if headers_first:
        parts = headers + [weights.data for weights in datasets]
    else:
        parts = [part for header, weights in zip(headers, datasets, strict=True) for part in (header, weights.data)]
    body = b"".join(parts)
    root = struct.pack("<QQII16x", 0, 96, 0, 0)
    places_of_all = 0, 2**64 - 1, 96 + len(body), 2**64 - 1  # base, free space, end, driver
    head = struct.pack("<8s5xBBxHHIQQQQ", b"\x89HDF\r\n\x1a\n", 8, 8, 4, 16, 0, *places_of_all)
    return head + root + body


# numpy and Keras


def npy(array: numpy.ndarray[Any, Any]) -> bytes:
    file = io.BytesIO()
    numpy.save(file, array, allow_pickle=False)
    return file.getvalue()


def npz(arrays: Mapping[str, numpy.ndarray[Any, Any]], compressed: bool = False) -> bytes:
    """Written by numpy, with the time of day that it gives to members."""
    file = io.BytesIO()
    (numpy.savez_compressed if compressed else numpy.savez)(file, allow_pickle=False, **arrays)
    return file.getvalue()


def stored(members: Mapping[str, bytes]) -> bytes:
    """A zip file that stores its members; with metadata.json, config.json and model.weights.h5 it is like a .keras file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return file.getvalue()
