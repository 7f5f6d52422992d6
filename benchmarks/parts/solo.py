"""A model without a base: its share on the server's disk, and the speed of coding on one core, beside zipnn."""

from __future__ import annotations

import importlib.util

import numpy as np

from benchmarks import codec_speed, data, float_planes, pairs
from benchmarks.bench import Bench, Result, table
from benchmarks.stores import LeptonStore

_DTYPES = ("bf16", "fp32")
_GOALS = "Asked: at most 0.666 (bf16) and 0.820 (fp32) of raw; at least 1.5 times as fast as zipnn in, and 1.0 times out."


def measure(bench: Bench) -> Result:
    made = pairs.made(bench.scratch)
    result: Result = {}
    for dtype in _DTYPES:
        path = made / f"base-{dtype}.safetensors"
        bench.say(f"solo: {dtype}")
        with LeptonStore(bench.place("solo")) as store:
            stored = store.keep({"model.safetensors": path})
        speeds = {"git-lepton": codec_speed.ours(path)}
        if importlib.util.find_spec("zipnn"):
            speeds["zipnn, input overwritten"], speeds["zipnn, input copied"] = codec_speed.zipnn(path)
        together = np.concatenate([float_planes.whole(array) for array in data.tensors(path).values()])
        speeds["planes + zstd-1"] = codec_speed.xor_planes(together)
        result[dtype] = {"raw": path.stat().st_size, "stored": stored, "speeds": speeds}
    return result


def report(result: Result) -> str:
    rows = []
    for dtype, found in result.items():
        ours = found["speeds"]["git-lepton"]
        for name, (into, out, size) in found["speeds"].items():
            stored = found["stored"] if name == "git-lepton" else size
            times = [f"{ours[0] / into:.2f}", f"{ours[1] / out:.2f}"] if name != "git-lepton" else ["", ""]
            rows.append([dtype, name, f"{stored / found['raw']:.4f}", f"{into:.2f}", f"{out:.2f}", *times])
    head = ["MiniLM", "coder", "of raw", "encode GB/s", "decode GB/s", "git-lepton encodes, times as fast", "decodes"]
    missing = "" if any("zipnn" in name for found in result.values() for name in found["speeds"]) else " zipnn is not installed."
    return f"{table(head, rows)}\n\n{_GOALS}{missing}"
