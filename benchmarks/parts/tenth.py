"""A tenth of a 1 GB file's weights changed: how much is coded, how much travels, and the time of add, push and pull beside git-lfs."""

from __future__ import annotations

import shutil
import subprocess
from collections import defaultdict
from pathlib import Path
from statistics import median

from benchmarks import data, large
from benchmarks.bench import Bench, Result, share, table
from benchmarks.contenders import Contender, Lepton, Lfs
from benchmarks.shaped_link import ShapedLink
from benchmarks.timing import Run
from git_lepton.format.pointer import parse_pointer
from git_lepton.store.local_store import LocalStore

_UNSHAPED = 1e6  # Mbit/s: the link only counts
_CODED, _TRAVELLED, _TIME = 0.11, 0.08, 0.6
_MODEL = "model.safetensors"


def measure(bench: Bench) -> Result:
    base, tenth = data.large_bf16(bench.scratch / "data", bench.tiles), large.tenth_changed(bench.scratch, bench.tiles)
    times: dict[str, list[list[float]]] = defaultdict(list)
    found: Result = {"raw": tenth.stat().st_size}
    for number in range(bench.rounds):
        for kind in (Lfs, Lepton):
            bench.say(f"tenth: round {number + 1}, {kind.name}")
            with kind(bench.place("tenth")) as contender:
                times[kind.name].append([run.wall for run in _round(contender, base, tenth)])
                if kind is Lepton and number == 0:
                    found["coded"] = _coded(contender.folder / "work1")
            shutil.rmtree(contender.folder)
    bench.say("tenth: bytes that travel, through a counting link")
    found["travelled"] = {kind.name: _travelled(bench, kind, base, tenth) for kind in (Lfs, Lepton)}
    return found | {"times": times}


def _round(contender: Contender, base: Path, tenth: Path) -> list[Run]:
    place = _with_base(contender, base)
    clone = contender.folder / "clone"
    contender.git(contender.folder, "clone", "-q", contender.clone_url(), str(clone))
    shutil.copyfile(tenth, place / _MODEL)
    added = contender.git(place, "add", _MODEL)
    contender.git(place, "commit", "-qm", "a tenth")
    pushed = contender.git(place, "push", "-q", "origin", "main")
    pulled = contender.git(clone, "pull", "-q")
    same(clone / _MODEL, tenth)
    return [added, pushed, pulled]


def _with_base(contender: Contender, base: Path) -> Path:
    place = contender.new_repository()
    shutil.copyfile(base, place / _MODEL)
    contender.git(place, "add", _MODEL)
    contender.git(place, "commit", "-qm", "base")
    contender.git(place, "push", "-q", "origin", "main")
    return place


def _coded(place: Path) -> int:
    """Raw bytes of the pieces that the newest version has and the one before it has not."""
    store = LocalStore(place / ".git" / "lepton")
    versions = []
    for revision in ("HEAD", "HEAD~1"):
        text = subprocess.run(
            ["git", "-C", str(place), "cat-file", "blob", f"{revision}:{_MODEL}"], capture_output=True, check=True
        ).stdout
        manifest = store.manifest(parse_pointer(text).oid)
        assert manifest
        versions.append({entry.chunk: entry.length for entry in manifest.entries})
    return sum(length for chunk, length in versions[0].items() if chunk not in versions[1])


def _travelled(bench: Bench, kind: type[Contender], base: Path, tenth: Path) -> int:
    with kind(bench.place("tenth")) as contender:
        place = _with_base(contender, base)
        with ShapedLink(contender.port, _UNSHAPED) as link:
            contender.behind(link.url)
            contender.reconnect(place)
            shutil.copyfile(tenth, place / _MODEL)
            for command in (("add", _MODEL), ("commit", "-qm", "a tenth"), ("push", "-q", "origin", "main")):
                contender.git(place, *command)
    shutil.rmtree(contender.folder)
    return link.sent + link.received


def same(one: Path, other: Path) -> None:
    """Raises RuntimeError where two files differ."""
    with one.open("rb") as left, other.open("rb") as right:
        while True:
            block = left.read(1 << 24)
            if block != right.read(1 << 24):
                raise RuntimeError(f"{one} differs from {other}")
            if not block:
                return


def report(result: Result) -> str:
    raw = result["raw"]
    middle = {name: [median(step) for step in zip(*rounds, strict=True)] for name, rounds in result["times"].items()}
    theirs, ours = middle["git-lfs"], middle["git-lepton"]
    rows = [
        [step, f"{theirs[at]:.2f} s", f"{ours[at]:.2f} s", f"{ours[at] / theirs[at]:.2f}", "-"]
        for at, step in enumerate(("add", "push", "pull"))
    ]
    rows.append(["sum", f"{sum(theirs):.2f} s", f"{sum(ours):.2f} s", f"{sum(ours) / sum(theirs):.2f}", str(_TIME)])
    rows.append(["raw bytes coded", "-", share(result["coded"], raw), "-", share(_CODED, 1)])
    travelled = result["travelled"]
    rows.append(
        [
            "bytes over the link in push",
            share(travelled["git-lfs"], raw),
            share(travelled["git-lepton"], raw),
            "-",
            share(_TRAVELLED, 1),
        ]
    )
    return table(["a tenth of 1 GB", "git-lfs", "git-lepton", "ratio", "at most"], rows)
