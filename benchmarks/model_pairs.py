"""A model and its next version, as files and as arrays: what the sizes are measured on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import data, gguf_file, pairs, variants
from benchmarks.bench import Bench

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Pair:
    """Two versions under one file name. `floats`: bf16 or fp32 where it is one; `goal`: at most that share of XOR + planes + zstd-1."""

    name: str
    first: Path
    second: Path
    arrays: Callable[[], tuple[Arrays, Arrays]]
    floats: str = ""
    goal: float = 0.0

    @property
    def file_name(self) -> str:
        return "model" + self.second.suffix


_GOALS = {"ft-bf16": 0.72, "last2-bf16": 0.70, "noise-bf16": 0.45, "ft-fp32": 0.85}
_TITLES = {"ft": "fine-tuned, all layers", "last2": "fine-tuned, last two layers", "noise": "small dense noise"}


def all_pairs(bench: Bench) -> Iterator[Pair]:
    """Makes what is missing; the real fine-tunes take some minutes the first time."""
    made, place = pairs.made(bench.scratch), bench.place("pairs")
    for dtype in ("bf16", "fp32"):
        for name, title in _TITLES.items():
            files = made / f"base-{dtype}.safetensors", made / f"{name}-{dtype}.safetensors"
            yield _of_files(f"{title}, {dtype}", files, dtype, _GOALS.get(f"{name}-{dtype}", 0.0))
    yield _of_files("rank-8 LoRA merged, bf16", _lora(made, place), "bf16")
    yield _checkpoints(*(made / f"step{step}.pt" for step in (pairs.EARLIER_STEP, pairs.STEPS)))
    base, tuned = (data.tensors(made / f"{name}-fp32.safetensors") for name in ("base", "ft"))
    exports = [
        data.write_safetensors(place / f"int8-{index}.safetensors", variants.int8_export(arrays))
        for index, arrays in enumerate((base, tuned))
    ]
    yield _of_files("int8 export of the fine-tune, scale a row", (exports[0], exports[1]))
    for quantized, kind in ((False, "F16"), (True, "Q8_0")):
        yield _gguf(
            f"GGUF {kind} export of the fine-tune",
            place / f"gguf-{kind}",
            gguf_file.export(base, quantized),
            gguf_file.export(tuned, quantized),
        )
    cast = made / "base-fp32.safetensors", made / "base-bf16.safetensors"
    yield _of_files("cast of the same weights, fp32 to bf16", cast, "bf16")


def _checkpoints(first: Path, second: Path) -> Pair:
    name = f"AdamW checkpoint, {pairs.STEPS - pairs.EARLIER_STEP} steps on, .pt fp32"
    return Pair(name, first, second, lambda: (_unpickled(first), _unpickled(second)), "fp32")


def _lora(made: Path, place: Path) -> tuple[Path, Path]:
    base, tuned = (data.tensors(made / f"{name}-fp32.safetensors") for name in ("base", "ft"))
    merged = {name: data.to_bf16(array) for name, array in variants.lora_merged(base, tuned).items()}
    return made / "base-bf16.safetensors", data.write_safetensors(place / "lora-bf16.safetensors", variants.tagged(merged))


def _of_files(name: str, files: tuple[Path, Path], floats: str = "", goal: float = 0.0) -> Pair:
    first, second = files
    return Pair(name, first, second, lambda: (data.tensors(first), data.tensors(second)), floats, goal)


def _gguf(name: str, place: Path, first: dict[str, gguf_file.Stored], second: dict[str, gguf_file.Stored]) -> Pair:
    paths = [gguf_file.write(place.with_suffix(f".{index}.gguf"), stored) for index, stored in enumerate((first, second))]

    def arrays() -> tuple[Arrays, Arrays]:
        both = [{key: stored.data.view(_WIDTHS[stored.kind]) for key, stored in side.items()} for side in (first, second)]
        return both[0], both[1]

    return Pair(name, paths[0], paths[1], arrays)


_WIDTHS = {0: "<u4", 1: "<u2", 8: "u1"}


def _unpickled(path: Path) -> Arrays:
    """The tensors of a checkpoint by the way to them, as numpy arrays."""
    import torch

    def tensors(place: str, node: Any) -> Iterator[tuple[str, np.ndarray]]:
        if isinstance(node, torch.Tensor):
            yield place, node.numpy()
        elif isinstance(node, Mapping):
            for key, value in node.items():
                yield from tensors(f"{place}/{key}", value)

    return dict(tensors("", torch.load(path, weights_only=True, map_location="cpu")))
