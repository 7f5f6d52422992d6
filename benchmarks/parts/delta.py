"""Speed of coding a version against its base on one core, beside XOR + planes + zstd-1."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks import codec_speed, data, float_planes, pairs
from benchmarks.bench import Bench, Result, table
from benchmarks.codec_clock import Speed
from benchmarks.parts.sizes import XOR_1

_PAIRS = {"ft-bf16": 0.72, "last2-bf16": 0.70, "noise-bf16": 0.45, "ft-fp32": 0.85}
_ENCODE_AT_LEAST, _DECODE_AT_LEAST = 0.20, 0.30


def measure(bench: Bench) -> Result:
    made = pairs.made(bench.scratch)
    result = {}
    for name in _PAIRS:
        bench.say(f"delta: {name}")
        second, first = made / f"{name}.safetensors", made / f"base-{name.split('-')[1]}.safetensors"
        result[name] = {"git-lepton": codec_speed.ours(second, first), XOR_1: _stand_in(second, first)}
    return result


def _stand_in(second: Path, first: Path) -> Speed:
    new, old = data.tensors(second), data.tensors(first)
    changed = [name for name in new if not np.array_equal(new[name], old[name])]
    sides = [np.concatenate([float_planes.whole(arrays[name]) for name in changed]) for arrays in (new, old)]
    return codec_speed.xor_planes(sides[0], sides[1])


def report(result: Result) -> str:
    head = [
        "second version of MiniLM",
        "coder",
        f"bytes: of {XOR_1}",
        "at most",
        "encode GB/s",
        "at least",
        "decode GB/s",
        "at least",
    ]
    rows = []
    for name, found in result.items():
        for coder, (into, out, size) in found.items():
            ours = coder == "git-lepton"
            goals = [f"{_PAIRS[name]:.2f}", f"{_ENCODE_AT_LEAST:.2f}", f"{_DECODE_AT_LEAST:.2f}"] if ours else ["-", "-", "-"]
            rows.append([name, coder, f"{size / found[XOR_1][2]:.3f}", goals[0], f"{into:.2f}", goals[1], f"{out:.2f}", goals[2]])
    return table(head, rows)
