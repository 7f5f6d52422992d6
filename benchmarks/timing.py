"""Run a command as a user would and say how long it took and how much memory its largest process held."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import NamedTuple


class Run(NamedTuple):
    """Wall clock in seconds, CPU seconds of the whole tree of processes, largest resident memory of one process in MiB."""

    wall: float
    cpu: float
    memory: float


def run(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Run:
    """Run to the end; a failing command raises RuntimeError with its words."""
    with (folder / ".." / "output.log").open("w+b") as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=dict(environment), stdout=output, stderr=output, stdin=subprocess.DEVNULL
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            raise RuntimeError(
                f"{' '.join(command)} ended with {process.returncode}: {output.read().decode(errors='replace')[-2000:]}"
            )
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


@dataclass(frozen=True)
class Figure:
    """The runs of one operation by one contender."""

    runs: tuple[Run, ...]

    @property
    def wall(self) -> float:
        return median(run.wall for run in self.runs)

    @property
    def spread(self) -> str:
        walls = [run.wall for run in self.runs]
        return f"{self.wall:.2f} ({min(walls):.2f}-{max(walls):.2f})"

    @property
    def memory(self) -> float:
        return max(run.memory for run in self.runs)
