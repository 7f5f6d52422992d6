"""What happens to a model besides training: another container, another order, a new row, a new name, a merge, an export."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks import data

_RANK, _LORA_GAIN = 8, 8.0
EMBEDDING = "embeddings.word_embeddings.weight"
_RENAMED = "encoder.layer.2.intermediate.dense.weight"
Arrays = Mapping[str, np.ndarray]
Tagged = dict[str, tuple[str, np.ndarray]]


def tagged(arrays: Arrays, dtype: str = "BF16") -> Tagged:
    """Arrays with the dtype that they have in a safetensors file."""
    return {name: (dtype, array) for name, array in arrays.items()}


def as_torch(arrays: Arrays, path: Path) -> Path:
    """The same bf16 tensors as a file of torch.save."""
    import torch

    part = path.with_suffix(".part")
    torch.save({name: torch.from_numpy(array.view(np.int16).copy()).view(torch.bfloat16) for name, array in arrays.items()}, part)
    return part.replace(path)


def as_shards(arrays: Arrays, folder: Path, count: int = 3) -> dict[str, Path]:
    """The same tensors in `count` safetensors files of about one size, and the index.json that says which is where; path by file name."""
    total, done, place = sum(array.nbytes for array in arrays.values()), 0, {}
    for name, array in arrays.items():
        place[name] = min(done * count // total, count - 1) + 1
        done += array.nbytes
    names = {name: f"model-{shard:05}-of-{count:05}.safetensors" for name, shard in place.items()}
    for file in set(names.values()):
        data.write_safetensors(folder / file, tagged({name: array for name, array in arrays.items() if names[name] == file}))
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": total}, "weight_map": names}, indent=2))
    return {file.name: file for file in (*sorted(folder.glob("model-*-of-*.safetensors")), index)}


def appended_row(arrays: Arrays) -> dict[str, np.ndarray]:
    """One more word: the embedding's rows' average at its end, as bf16."""
    table = data.from_bf16(arrays[EMBEDDING])
    return {**arrays, EMBEDDING: np.vstack([arrays[EMBEDDING], data.to_bf16(table.mean(0, keepdims=True))])}


def renamed(arrays: Arrays) -> dict[str, np.ndarray]:
    """One large tensor under another name, in its place."""
    return {"renamed." + name if name == _RENAMED else name: array for name, array in arrays.items()}


def reordered(arrays: Arrays) -> dict[str, np.ndarray]:
    """All tensors the other way round."""
    return dict(reversed(list(arrays.items())))


def lora_merged(base: Arrays, tuned: Arrays) -> dict[str, np.ndarray]:
    """fp32: attention's matrices plus a step of rank 8, the rest untouched. The step is the best rank-8 part of the real fine-tune's,
    and larger, as LoRA's rates are."""
    merged = dict(base)
    for name in base:
        if ".attention." in name and base[name].ndim == 2:
            left, values, right = np.linalg.svd(tuned[name] - base[name], full_matrices=False)
            merged[name] = base[name] + np.float32(_LORA_GAIN) * (left[:, :_RANK] * values[:_RANK]) @ right[:_RANK]
    return merged


def int8_export(arrays: Arrays) -> Tagged:
    """fp32 matrices as int8 with a scale a row, the rest as bf16."""
    out: Tagged = {}
    for name, array in arrays.items():
        if array.ndim != 2:
            out[name] = ("BF16", data.to_bf16(array))
            continue
        scale = np.maximum(np.abs(array).max(1, keepdims=True) / 127, np.float32(1e-12)).astype(np.float32)
        out[name] = ("I8", np.rint(array / scale).astype(np.int8))
        out[f"{name}_scale"] = ("F32", scale)
    return out
