"""What every part of the benchmarks is given: where files may lie, how often to measure, a way to say what is going on."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Result = dict[str, Any]  # of JSON


@dataclass
class Bench:
    """`tiles`: the large file's size, in 45 MB."""

    scratch: Path
    rounds: int = 1
    tiles: int = 22
    versions: int = 200
    _start: float = field(default_factory=time.monotonic)

    def say(self, words: str) -> None:
        print(f"[{time.monotonic() - self._start:6.0f} s] {words}", file=sys.stderr, flush=True)

    def place(self, name: str) -> Path:
        """A folder of one part's own below the scratch folder."""
        folder = self.scratch / "runs" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def share(part: float, whole: float) -> str:
    """As a percentage with three digits that mean something."""
    percent = 100 * part / whole
    return f"{percent:.1f} %" if percent >= 10 else f"{percent:.2f} %" if percent >= 0.1 else f"{percent:.3f} %"


def megabytes(count: float) -> str:
    """With three digits that mean something, or two behind the point."""
    return f"{count / 1e6:,.2f}" if count >= 1e6 else f"{count / 1e6:.3g}" if count >= 1e4 else f"{count / 1e6:.4f}"
