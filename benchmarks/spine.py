"""add, push, clone, status: git-lepton beside git-lfs on the same files, in the same run, one after the other in each round."""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from pathlib import Path

from benchmarks import data
from benchmarks.contenders import Contender, Lepton, Lfs
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


def measure(scratch: Path, rounds: int) -> dict[tuple[str, str], Figure]:
    """(operation, contender) -> figure."""
    large, many = data.large_bf16(scratch / "data"), data.many_files(scratch / "data")
    figures: Figures = defaultdict(list)
    for _ in range(rounds):
        for kind in (Lfs, Lepton):
            _round(kind(scratch), large, many, figures)
    return {key: Figure(tuple(runs)) for key, runs in figures.items()}


def _round(contender: Contender, large: Path, many: list[Path], figures: Figures) -> None:
    """One round on a server that has nothing yet: what it knows would not have to travel."""
    contender.start()
    try:
        _large_file(contender, large, figures)
        _many_files(contender, many, figures)
    finally:
        contender.stop()


def _large_file(contender: Contender, large: Path, figures: Figures) -> None:
    place = contender.new_repository()
    model = place / "model.safetensors"
    shutil.copyfile(large, model)
    _read(model)
    figures["add of 1 GB", contender.name].append(contender.git(place, "add", "model.safetensors"))
    contender.git(place, "commit", "-qm", "model")
    os.utime(model)
    figures["status after touch", contender.name].append(contender.git(place, "status", "--porcelain"))
    figures["push of 1 GB", contender.name].append(contender.git(place, "push", "-q", "origin", "main"))
    clone = contender.folder / f"clone{contender.rounds}"
    figures["clone of 1 GB", contender.name].append(
        contender.git(contender.folder, "clone", "-q", contender.clone_url(), str(clone))
    )
    _same(model, clone / model.name)
    shutil.rmtree(clone)
    shutil.rmtree(place)


def _many_files(contender: Contender, many: list[Path], figures: Figures) -> None:
    place = contender.new_repository()
    for file in many:
        shutil.copyfile(file, place / file.name)
    figures["add of 200 x 1 MB", contender.name].append(contender.git(place, "add", "."))
    contender.git(place, "commit", "-qm", "files")
    figures["push of 200 x 1 MB", contender.name].append(contender.git(place, "push", "-q", "origin", "main"))
    clone = contender.folder / f"clone{contender.rounds}"
    figures["clone of 200 x 1 MB", contender.name].append(
        contender.git(contender.folder, "clone", "-q", contender.clone_url(), str(clone))
    )
    _same(many[-1], clone / many[-1].name)
    shutil.rmtree(clone)
    shutil.rmtree(place)


def _read(path: Path) -> None:
    with path.open("rb") as file:
        while file.read(1 << 24):
            pass


def _same(one: Path, other: Path) -> None:
    with one.open("rb") as left, other.open("rb") as right:
        while True:
            block = left.read(1 << 24)
            if block != right.read(1 << 24):
                raise RuntimeError(f"{other} differs from {one}")
            if not block:
                return
