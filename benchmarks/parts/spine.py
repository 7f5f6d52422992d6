"""add, push, clone, status: git-lepton beside git-lfs on the same files, in the same run, one after the other in each round."""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from pathlib import Path

from benchmarks import data, figures
from benchmarks.bench import Bench, Result, table
from benchmarks.contenders import Contender, Lepton, Lfs
from benchmarks.parts.tenth import same
from benchmarks.timing import Figure, Run

# What git-lepton may take at most, as a share of git-lfs's time.
TARGETS = {
    "add of 1 GB": 0.5,
    "push of 1 GB": 1.5,
    "clone of 1 GB": 0.5,
    "status after touch": 0.5,
    "add of 200 x 1 MB": 1.5,
    "push of 200 x 1 MB": 0.0,
    "clone of 200 x 1 MB": 0.0,
}
Figures = dict[tuple[str, str], list[Run]]


def measure(bench: Bench) -> Result:
    """Each round on a server that has nothing yet: what it knows would not have to travel."""
    folder = bench.scratch / "data"
    large, many = data.large_bf16(folder, bench.tiles), data.many_files(folder)
    found: Figures = defaultdict(list)
    for number in range(bench.rounds):
        for kind in (Lfs, Lepton):
            bench.say(f"spine: round {number + 1}, {kind.name}")
            with kind(bench.place("spine")) as contender:
                _large_file(contender, large, found)
                _many_files(contender, many, found)
            shutil.rmtree(contender.folder)
    bench.say("spine: start-up and pointers")
    operations = {name: {kind.name: [tuple(run) for run in found[name, kind.name]] for kind in (Lfs, Lepton)} for name in TARGETS}
    return {"operations": operations, "start_up": figures.start_up(), "scan": figures.pointer_scan(bench.scratch)}


def report(result: Result) -> str:
    rows = []
    for operation, target in TARGETS.items():
        theirs, ours = (Figure(tuple(Run(*run) for run in result["operations"][operation][kind.name])) for kind in (Lfs, Lepton))
        ratio, goal = f"{ours.wall / theirs.wall:.2f}", f"{target:.1f}" if target else "-"
        rows.append([operation, theirs.spread, ours.spread, ratio, goal, f"{theirs.memory:.0f}", f"{ours.memory:.0f}"])
    head = ["operation", "git-lfs s", "git-lepton s", "ratio", "at most", "largest process, MiB: git-lfs", "git-lepton"]
    bare, greeted = result["start_up"]
    alone = [
        [
            f"filter answers git's greeting, beyond `python -c pass` ({1000 * bare:.0f} ms)",
            f"{1000 * (greeted - bare):.0f} ms",
            "60 ms",
        ],
        ["a push of one commit among 100,000 files finds its pointers", f"{result['scan']:.3f} s", "0.5 s"],
    ]
    return table(head, rows) + "\n\n" + table(["figure", "seen", "at most"], alone)


def _large_file(contender: Contender, large: Path, found: Figures) -> None:
    place = contender.new_repository()
    model = place / "model.safetensors"
    shutil.copyfile(large, model)
    _read(model)
    found["add of 1 GB", contender.name].append(contender.git(place, "add", "model.safetensors"))
    contender.git(place, "commit", "-qm", "model")
    os.utime(model)
    found["status after touch", contender.name].append(contender.git(place, "status", "--porcelain"))
    found["push of 1 GB", contender.name].append(contender.git(place, "push", "-q", "origin", "main"))
    clone = contender.folder / f"clone{contender.rounds}"
    found["clone of 1 GB", contender.name].append(
        contender.git(contender.folder, "clone", "-q", contender.clone_url(), str(clone))
    )
    same(model, clone / model.name)
    shutil.rmtree(clone)
    shutil.rmtree(place)


def _many_files(contender: Contender, many: list[Path], found: Figures) -> None:
    place = contender.new_repository()
    for file in many:
        shutil.copyfile(file, place / file.name)
    found["add of 200 x 1 MB", contender.name].append(contender.git(place, "add", "."))
    contender.git(place, "commit", "-qm", "files")
    found["push of 200 x 1 MB", contender.name].append(contender.git(place, "push", "-q", "origin", "main"))
    clone = contender.folder / f"clone{contender.rounds}"
    found["clone of 200 x 1 MB", contender.name].append(
        contender.git(contender.folder, "clone", "-q", contender.clone_url(), str(clone))
    )
    same(many[-1], clone / many[-1].name)
    shutil.rmtree(clone)
    shutil.rmtree(place)


def _read(path: Path) -> None:
    with path.open("rb") as file:
        while file.read(1 << 24):
            pass
