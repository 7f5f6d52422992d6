"""A model without a base: its share on the server's disk, and the speed of coding on one core, beside zipnn."""

from __future__ import annotations

import importlib.util

import numpy as np

from benchmarks import codec_speed, data, float_planes, pairs
from benchmarks.bench import Bench, Result, table
from benchmarks.stores import LeptonStore

_LIMITS = {"bf16": 0.666, "fp32": 0.820}
_ENCODE_AT_LEAST, _DECODE_AT_LEAST = 1.5, 1.0


def measure(bench: Bench) -> Result:
    made = pairs.made(bench.scratch)
    result = {}
    for dtype in _LIMITS:
        path = made / f"base-{dtype}.safetensors"
        bench.say(f"solo: {dtype}")
        with LeptonStore(bench.place("solo")) as store:
            stored = store.keep({"model.safetensors": path})
        together = np.concatenate([float_planes.whole(array) for array in data.tensors(path).values()])
        zipnn = codec_speed.zipnn(path) if importlib.util.find_spec("zipnn") else None
        result[dtype] = {
            "raw": path.stat().st_size,
            "stored": stored,
            "git-lepton": codec_speed.ours(path),
            "zipnn": zipnn,
            "planes + zstd-1": codec_speed.xor_planes(together),
        }
    return result


def report(result: Result) -> str:
    head = [
        "MiniLM",
        "coder",
        "of raw",
        "at most",
        "encode GB/s",
        "decode GB/s",
        "encode: of zipnn's",
        "at least",
        "decode: of zipnn's",
        "at least",
    ]
    rows = []
    for dtype, found in result.items():
        zipnn = found["zipnn"]
        for name in ("git-lepton", "zipnn", "planes + zstd-1"):
            if found[name] is None:
                rows.append([dtype, name, "not installed", *["-"] * 7])
                continue
            into, out, size = found[name]
            size = found["stored"] if name == "git-lepton" else size
            ratios = [f"{into / zipnn[0]:.2f}", f"{out / zipnn[1]:.2f}"] if zipnn else ["-", "-"]
            goals = (
                [f"{_LIMITS[dtype]:.3f}", str(_ENCODE_AT_LEAST), str(_DECODE_AT_LEAST)]
                if name == "git-lepton"
                else ["-", "-", "-"]
            )
            rows.append(
                [
                    dtype,
                    name,
                    f"{size / found['raw']:.4f}",
                    goals[0],
                    f"{into:.2f}",
                    f"{out:.2f}",
                    ratios[0],
                    goals[1],
                    ratios[1],
                    goals[2],
                ]
            )
    return table(head, rows)
