"""The same weights again, in another container or with a small change: what the store grows by, next to the first file's bytes."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from benchmarks import data, pairs, variants
from benchmarks.bench import Bench, Result, megabytes, share, table
from benchmarks.stores import STORES

Arrays = Mapping[str, np.ndarray]
Files = Mapping[str, Path]
_LIMIT = 0.01


def measure(bench: Bench) -> Result:
    place = bench.place("containers")
    arrays = data.tensors(pairs.made(bench.scratch) / "base-bf16.safetensors")
    steps = {name: make() for name, make in _steps(arrays, place / "files").items()}
    rows: dict[str, dict[str, int]] = {name: {} for name in steps}
    missing = {kind.name: kind.lacks() for kind in STORES if kind.lacks()}
    for kind in STORES:
        if kind.name not in missing:
            bench.say(f"containers: {kind.name}")
            with kind(place / "stores") as store:
                for name, files in steps.items():
                    rows[name][kind.name] = store.keep(files)
    row_bytes = arrays[variants.EMBEDDING].itemsize * arrays[variants.EMBEDDING].shape[1]
    shutil.rmtree(place)
    return {"missing": missing, "rows": rows, "row_bytes": row_bytes}


def _steps(arrays: Arrays, folder: Path) -> Mapping[str, Callable[[], Files]]:
    """Each step's files, one after the other in one repository; "model.safetensors" goes from version to version."""
    folder.mkdir(parents=True)

    def saved(name: str, changed: Arrays, metadata: Mapping[str, str] | None = None) -> Files:
        return {"model.safetensors": data.write_safetensors(folder / f"{name}.safetensors", variants.tagged(changed), metadata)}

    (folder / "shards").mkdir()
    return {
        "model.safetensors, bf16, first": lambda: saved("first", arrays, {"format": "pt"}),
        "the same as .pt": lambda: {"model.pt": variants.as_torch(arrays, folder / "model.pt")},
        "the same as 3 shards with index.json": lambda: variants.as_shards(arrays, folder / "shards"),
        "other metadata": lambda: saved("metadata", arrays, {"format": "pt", "step": "150", "note": "said again"}),
        "a tensor renamed": lambda: saved("renamed", variants.renamed(arrays), {"format": "pt"}),
        "tensors in the opposite order": lambda: saved("reordered", variants.reordered(arrays), {"format": "pt"}),
        "a row appended to the vocabulary": lambda: saved("row", variants.appended_row(arrays), {"format": "pt"}),
    }


def report(result: Result) -> str:
    names = [kind.name for kind in STORES if kind.name not in result["missing"]]
    first = next(iter(result["rows"].values()))
    rows = []
    for title, cells in result["rows"].items():
        grew = [f"{megabytes(cells[name])} ({share(cells[name], first[name])})" for name in names]
        rows.append([title, *grew, "-" if cells is first else f"{100 * _LIMIT:.0f} %"])
    words = f"\n\nIn brackets: of the same store's first file. The new row itself has {result['row_bytes']} bytes."
    return table(["what is added", *(f"{name} MB" for name in names), "git-lepton at most"], rows) + words
