"""Figures without a peer: how soon the filter answers, how soon a push knows its pointers."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from git_lepton.git.repository import GitRepository
from git_lepton.workflow.sync.push import pointers_to_push

_FILES = 100_000
_HELLO = (
    [b"git-filter-client\n", b"version=2\n", b""],
    [b"capability=clean\n", b"capability=smudge\n", b"capability=delay\n", b""],
)


def start_up(rounds: int = 21) -> tuple[float, float]:
    """Seconds until `python -c pass` has ended, and until the filter process has answered git's greeting (medians)."""
    bare = [_seconds(lambda: subprocess.run([sys.executable, "-c", "pass"], check=True)) for _ in range(rounds)]
    return median(bare), median(_seconds(_greet) for _ in range(rounds))


def _greet() -> None:
    filter_process = [str(Path(sys.executable).parent / "git-lepton"), "filter-process"]
    with subprocess.Popen(filter_process, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin and process.stdout
        for lines in _HELLO:
            process.stdin.write(b"".join(_packet(line) for line in lines))
        process.stdin.flush()
        process.stdout.read(4)
        process.stdin.close()
        process.stdout.read()


def _packet(line: bytes) -> bytes:
    return b"%04x%s" % (len(line) + 4, line) if line else b"0000"


def pointer_scan(scratch: Path, rounds: int = 5) -> float:
    """Seconds in which a push of one commit finds its pointers, in a repository of 100,000 files."""
    place = scratch / "scan"
    if not place.exists():
        subprocess.run(["git", "init", "-q", "--bare", str(place)], check=True)
        subprocess.run(["git", "-C", str(place), "fast-import", "--quiet"], input=_history(), check=True)
    git = GitRepository(place)
    tips, excluded = _ids(place, "main"), _ids(place, "main~1")
    found = pointers_to_push(git, tips, excluded)
    assert [path for _, path in found] == ["model.safetensors"]
    return median(_seconds(lambda: pointers_to_push(git, tips, excluded)) for _ in range(rounds))


def _history() -> bytes:
    pointer = b"version git-lepton/v1\noid sha256:%s\nsize 5\n" % (b"ab" * 32)
    head = b"commit refs/heads/main\ncommitter a <a@example.org> 0 +0000\ndata 1\nx\n"
    files = b"".join(b"M 644 inline d%03d/f%05d\ndata 6\n%06d\n" % (n % 997, n, n) for n in range(_FILES))
    return head + files + b"\n" + head + b"M 644 inline model.safetensors\ndata %d\n%s\n" % (len(pointer), pointer)


def _ids(place: Path, *names: str) -> Sequence[str]:
    return subprocess.run(
        ["git", "-C", str(place), "rev-parse", *names], capture_output=True, text=True, check=True
    ).stdout.split()


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
