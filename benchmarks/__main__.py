"""`python -m benchmarks [--scratch DIR] [--rounds N]` prints a table for docs/benchmarks.md."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import figures as figures_alone
from benchmarks import spine


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()) / "git-lepton-benchmarks")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    options.scratch.mkdir(parents=True, exist_ok=True)
    figures = spine.measure(options.scratch, options.rounds)
    versions = ", ".join(_version(*command) for command in (("git",), ("git", "lfs")))
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {versions}"
    print(f"{machine}; median (min-max) of {options.rounds} rounds\n")
    print("| operation | git-lfs s | git-lepton s | ratio | at most | largest process, MiB: git-lfs | git-lepton |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for operation, target in spine.TARGETS.items():
        theirs, ours = figures[operation, "git-lfs"], figures[operation, "git-lepton"]
        goal = f"{target:.1f}" if target else "-"
        ratio = f"{ours.wall / theirs.wall:.2f}"
        print(f"| {operation} | {theirs.spread} | {ours.spread} | {ratio} | {goal} | {theirs.memory:.0f} | {ours.memory:.0f} |")
    print()
    shares = figures_alone.stored_share(options.scratch)
    bare, greeted = figures_alone.start_up()
    print("| figure | seen | at most |")
    print("| --- | --- | --- |")
    print(f"| MiniLM fp32: share of the raw bytes in the server's packs | {shares['fp32']:.4f} | 0.83 |")
    print(f"| MiniLM bf16: share of the raw bytes in the server's packs | {shares['bf16']:.4f} | 0.68 |")
    print(
        f"| filter answers git's greeting, beyond `python -c pass` ({1000 * bare:.0f} ms) | {1000 * (greeted - bare):.0f} ms | 60 ms |"
    )
    print(
        f"| a push of one commit among 100,000 files finds its pointers | {figures_alone.pointer_scan(options.scratch):.3f} s | 0.5 s |"
    )
    return 0


def _version(*command: str) -> str:
    return subprocess.run([*command, "--version"], capture_output=True, text=True, check=True).stdout.split("\n")[0]


if __name__ == "__main__":
    sys.exit(main())
