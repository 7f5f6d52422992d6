"""Versions of the 1 GB file: fine-tuned throughout as the real model was, and with a tenth of its tensors changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks import data, pairs

_SHARE, _SEED = 0.0995, 10


def fine_tuned(scratch: Path, tiles: int) -> Path:
    """Every tensor of every tile stepped as the same tensor of MiniLM in its fine-tune."""
    target = scratch / "data" / f"large-ft-{tiles}.safetensors"
    if not target.exists():
        made = pairs.made(scratch)
        base, tuned = (data.tensors(made / f"{name}-fp32.safetensors") for name in ("base", "ft"))
        data.write_safetensors(target, data.tiled(base, tiles, tuned))
    return target


def tenth_changed(scratch: Path, tiles: int) -> Path:
    """A tenth of the weights from the fine-tuned file, in whole tensors, small ones rather than large ones; all else as in the base."""
    target = scratch / "data" / f"large-tenth-{tiles}.safetensors"
    if not target.exists():
        base = data.tensors(data.large_bf16(scratch / "data", tiles))
        tuned = data.tensors(fine_tuned(scratch, tiles))
        changed = _tenth(base)
        data.write_safetensors(
            target, {name: ("BF16", tuned[name] if name in changed else array) for name, array in base.items()}
        )
    return target


def _tenth(arrays: dict[str, np.ndarray]) -> set[str]:
    rng = np.random.default_rng(_SEED)
    left = _SHARE * sum(array.size for array in arrays.values())
    changed = set()
    for _, name in sorted((rng.random() * array.size**0.5, name) for name, array in arrays.items()):
        if arrays[name].size <= left:
            changed.add(name)
            left -= arrays[name].size
    return changed
