"""add + commit + push of a fine-tuned 1 GB version over a link of 1 Gbit/s and of 100 Mbit/s, beside git-lfs."""

from __future__ import annotations

import shutil
from pathlib import Path
from statistics import median

from benchmarks import data, large
from benchmarks.bench import Bench, Result, megabytes, table
from benchmarks.contenders import Contender, Lepton, Lfs
from benchmarks.shaped_link import ShapedLink
from benchmarks.timing import Run

_TIMES_FASTER = {1000: 1.5, 100: 6.0}  # by Mbit/s: at least so many times faster
_MODEL = "model.safetensors"
_STEPS = ("add", "commit", "push")


def measure(bench: Bench) -> Result:
    base, tuned = data.large_bf16(bench.scratch / "data", bench.tiles), large.fine_tuned(bench.scratch, bench.tiles)
    result: Result = {"raw": tuned.stat().st_size, "links": {}}
    for rate in _TIMES_FASTER:
        runs: dict[str, list[Result]] = {kind.name: [] for kind in (Lfs, Lepton)}
        for number in range(bench.rounds):
            for kind in (Lfs, Lepton):
                bench.say(f"network: {rate} Mbit/s, round {number + 1}, {kind.name}")
                runs[kind.name].append(_run(bench, kind, rate, base, tuned))
        result["links"][str(rate)] = runs
    return result


def _run(bench: Bench, kind: type[Contender], rate: int, base: Path, tuned: Path) -> Result:
    """Seconds of each step and bytes that travelled; the base was pushed before, on an unshaped way."""
    with kind(bench.place("network")) as contender:
        place = contender.new_repository()
        _commit(contender, place, base)
        contender.git(place, "push", "-q", "origin", "main")
        with ShapedLink(contender.port, rate) as link:
            contender.behind(link.url)
            contender.reconnect(place)
            steps = [*_commit(contender, place, tuned), contender.git(place, "push", "-q", "origin", "main")]
    shutil.rmtree(contender.folder)
    return {
        "walls": [step.wall for step in steps],
        "cpu": sum(step.cpu for step in steps),
        "bytes": link.sent + link.received,
        "relay": link.cpu,
    }


def _commit(contender: Contender, place: Path, version: Path) -> list[Run]:
    shutil.copyfile(version, place / _MODEL)
    return [contender.git(place, "add", _MODEL), contender.git(place, "commit", "-qm", "version")]


def report(result: Result) -> str:
    rows = []
    for rate, runs in result["links"].items():
        sums = {}
        for name, found in runs.items():
            walls = [median(step) for step in zip(*(run["walls"] for run in found), strict=True)]
            sums[name] = median(sum(run["walls"]) for run in found)
            travelled = megabytes(median(run["bytes"] for run in found))
            cpu = [f"{median(run[who] for run in found):.2f}" for who in ("cpu", "relay")]
            seconds = [f"{wall:.2f}" for wall in (*walls, sums[name])]
            rows.append([f"{rate} Mbit/s", name, *seconds, travelled, *cpu, "", ""])
        rows[-1][-2:] = [f"{sums['git-lfs'] / sums['git-lepton']:.1f}", f"{_TIMES_FASTER[int(rate)]:.1f}"]
    seconds = [f"{step} s" for step in (*_STEPS, "sum")]
    return table(["link", "tool", *seconds, "MB travelled", "client's CPU s", "relay's", "times faster", "at least"], rows)
