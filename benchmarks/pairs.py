"""Real versions of one model, fp32 and bf16: MiniLM as published, fine-tuned in all layers and in the last two, and with small dense noise.

`python -m benchmarks.pairs SCRATCH` makes what is missing in SCRATCH/pairs (some minutes, torch needed) and says each file's name.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks import data
from benchmarks.fine_tune import FineTune

NOISE, EARLIER_STEP, STEPS, LAST_STEPS = 1e-3, 100, 150, 60
_SEED, _THREADS = 3, 2
Arrays = Mapping[str, np.ndarray]


def made(scratch: Path) -> Path:
    """The folder with base, ft, last2, noise (each -fp32 and -bf16 .safetensors) and step100.pt, step150.pt: checkpoints of the fine-tune
    with AdamW's state. What is there already is kept."""
    folder = scratch / "pairs"
    folder.mkdir(parents=True, exist_ok=True)
    base = data.tensors(data.minilm(scratch / "data"))
    _keep(folder, "base", base)
    if not _there(folder, "noise"):
        data.write_safetensors(folder / "noise-fp32.safetensors", {key: ("F32", array) for key, array in noisy(base).items()})
        rounded = noisy(
            {key: data.from_bf16(data.to_bf16(array)) for key, array in base.items()}
        )  # As whoever trains in bf16 has it
        data.write_safetensors(
            folder / "noise-bf16.safetensors", {key: ("BF16", data.to_bf16(array)) for key, array in rounded.items()}
        )
    if not _there(folder, "last2"):
        _keep(folder, "last2", _last_two_layers(scratch, base))
    if not _there(folder, "ft"):
        _keep(folder, "ft", _all_layers(scratch, base))
    return folder


def noisy(base: Arrays, share: float = NOISE, seed: int = _SEED) -> dict[str, np.ndarray]:
    """Every tensor plus normal noise of `share` of its standard deviation."""
    rng = np.random.default_rng(seed)
    return {
        name: array + rng.standard_normal(array.shape, dtype=np.float32) * np.float32(share * array.std())
        for name, array in base.items()
    }


def _last_two_layers(scratch: Path, base: Arrays) -> dict[str, np.ndarray]:
    tuned = FineTune(
        base, data.vocabulary(scratch / "data"), lambda name: bool(re.match(r"encoder\.layer\.[45]\.", name)), _THREADS
    )
    _advance(tuned, LAST_STEPS)
    return tuned.arrays()


def _all_layers(scratch: Path, base: Arrays) -> dict[str, np.ndarray]:
    import torch

    tuned = FineTune(base, data.vocabulary(scratch / "data"), lambda _: True, _THREADS)
    for step in (EARLIER_STEP, STEPS):
        _advance(tuned, step)
        torch.save(tuned.checkpoint(), scratch / "pairs" / f"step{step}.pt")
    return tuned.arrays()


def _advance(tuned: FineTune, until: int) -> None:
    start = time.monotonic()
    while tuned.step < until:
        loss = tuned.advance()
        if tuned.step % 10 == 0:
            print(
                f"  fine-tune: step {tuned.step} of {until}, loss {loss:.2f}, {time.monotonic() - start:.0f} s",
                file=sys.stderr,
                flush=True,
            )


def _there(folder: Path, name: str) -> bool:
    return all((folder / f"{name}-{dtype}.safetensors").exists() for dtype in ("fp32", "bf16"))


def _keep(folder: Path, name: str, arrays: Arrays) -> None:
    if not _there(folder, name):
        data.write_safetensors(folder / f"{name}-fp32.safetensors", {key: ("F32", array) for key, array in arrays.items()})
        data.write_safetensors(
            folder / f"{name}-bf16.safetensors", {key: ("BF16", data.to_bf16(array)) for key, array in arrays.items()}
        )


def main() -> int:
    print(made(Path(sys.argv[1])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
