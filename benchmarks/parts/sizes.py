"""Bytes of a second version in every store, by its own disk, and by the published codings beside them."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping

import numpy as np

from benchmarks import entropy, float_planes, zipnn_peer
from benchmarks.bench import Bench, Result, megabytes, share, table
from benchmarks.model_pairs import Pair, all_pairs
from benchmarks.stores import STORES

XOR_1, XOR_3, ZIPNN, XOR_ZIPNN = "XOR + planes + zstd-1", "XOR + planes + zstd-3", "zipnn", "XOR + zipnn"
_STAND_INS = (XOR_1, XOR_3, XOR_ZIPNN, ZIPNN)


def measure(bench: Bench) -> Result:
    missing = {kind.name: kind.lacks() for kind in STORES if kind.lacks()}
    if not importlib.util.find_spec("zipnn"):
        missing[ZIPNN] = missing[XOR_ZIPNN] = "zipnn is not installed"
    for name, reason in missing.items():
        bench.say(f"sizes: left out {name}: {reason}")
    return {"missing": missing, "rows": [_row(bench, pair, missing) for pair in all_pairs(bench)]}


def _row(bench: Bench, pair: Pair, missing: Mapping[str, str]) -> Result:
    bench.say(f"sizes: {pair.name}")
    cells = {}
    for kind in STORES:
        if kind.name not in missing:
            with kind(bench.place("sizes")) as store:
                store.keep({pair.file_name: pair.first})
                cells[kind.name] = store.keep({pair.file_name: pair.second})
    first, second = pair.arrays()
    cells |= _stand_ins(pair, first, second, missing)
    found = entropy.of_difference(second, first) if pair.floats and pair.goal else None
    return {"pair": pair.name, "raw": pair.second.stat().st_size, "cells": cells, "entropy": found, "goal": pair.goal}


def _stand_ins(
    pair: Pair, first: Mapping[str, np.ndarray], second: Mapping[str, np.ndarray], missing: Mapping[str, str]
) -> dict[str, int]:
    found = {XOR_1: float_planes.stored_bytes(second, first, 1), XOR_3: float_planes.stored_bytes(second, first, 3)}
    if pair.floats and ZIPNN not in missing:
        found[XOR_ZIPNN] = sum(map(zipnn_peer.size, float_planes.differences(second, first)))
        found[ZIPNN] = sum(map(zipnn_peer.size, float_planes.differences(second, {})))
    return found


def report(result: Result) -> str:
    columns = [*(kind.name for kind in STORES), *_STAND_INS]
    head = ["second version", "raw MB", *(f"{name} MB" for name in columns)]
    rows = [
        [
            row["pair"],
            megabytes(row["raw"]),
            *(megabytes(row["cells"][name]) if name in row["cells"] else "-" for name in columns),
        ]
        for row in result["rows"]
    ]
    left_out = "".join(f"\n\nLeft out: {name}: {reason}." for name, reason in result["missing"].items())
    return table(head, rows) + left_out + "\n\n" + _goals(result)


def _goals(result: Result) -> str:
    head = ["second version", "of raw", f"of {XOR_1}", "at most", "entropy of the difference", "given the base's exponent"]
    rows = []
    for row in result["rows"]:
        ours, theirs = row["cells"]["git-lepton"], row["cells"][XOR_1]
        bounds = [f"{value / theirs:.3f}" for value in row["entropy"]] if row["entropy"] else ["-", "-"]
        rows.append(
            [row["pair"], share(ours, row["raw"]), f"{ours / theirs:.3f}", f"{row['goal']:.2f}" if row["goal"] else "-", *bounds]
        )
    return table(head, rows)
