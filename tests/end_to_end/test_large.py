"""Memory stays flat: one file of 4 GB, 30 sparse shards of 1 GB, 200 files just under the smudge limit.

Writes up to 60 GB; run with GIT_LEPTON_LARGE_TESTS=1. A smaller case of the same kind runs always.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.end_to_end.world import World

pytestmark = pytest.mark.thorough

LIMIT_MIB = 600
LARGE = bool(os.environ.get("GIT_LEPTON_LARGE_TESTS"))
large = [pytest.mark.large, pytest.mark.timeout(3000), pytest.mark.skipif(not LARGE, reason="set GIT_LEPTON_LARGE_TESTS=1")]


_MEASURE = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


def sparse_model(path: Path, size: int) -> None:
    """A safetensors file of `size` bytes whose single tensor is all zero and takes no room on the disk."""
    length = size - 8 - 1024
    text = json.dumps({"weight": {"dtype": "U8", "shape": [length], "data_offsets": [0, length]}}).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", 1024) + text.ljust(1024))
        file.truncate(size)


def dense_model(path: Path, size: int) -> None:
    """A safetensors file of about `size` bytes of bf16 noise in tensors of 64 MiB."""
    rng = np.random.default_rng(4)
    part = 1 << 26
    count = size // part
    entries = {
        f"w{index}": {"dtype": "BF16", "shape": [part // 2], "data_offsets": [index * part, (index + 1) * part]}
        for index in range(count)
    }
    text = json.dumps(entries).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _ in range(count):
            values = rng.standard_normal(part // 2, dtype=np.float32) * np.float32(0.02)
            file.write((values.view("<u4") >> 16).astype("<u2").tobytes())


def peak(world: World, folder: Path, *command: str) -> float:
    """Run it; the largest resident memory of any of its processes, in MiB. A small process of its own starts it, since a child
    begins with the memory of the one that forked it."""
    measured = [sys.executable, "-c", _MEASURE, *command]
    done = subprocess.run(measured, cwd=folder, env=world.environment, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return int(done.stdout.split()[-1]) / 1024


def server_peak(world: World) -> float:
    assert world.server
    status = Path(f"/proc/{world.server.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def there_and_back(
    world: World, url: str, files: Iterator[tuple[str, int]], make: Callable[[Path, int], None]
) -> dict[str, float]:
    """Add, push and clone these files; the peak of each step."""
    place = world.repository(remote=url)
    sizes = dict(files)
    for name, size in sizes.items():
        make(place / name, size)
    peaks = {"add": peak(world, place, "git", "add", ".")}
    world.git(place, "commit", "-qm", "models")
    peaks["push"] = peak(world, place, "git", "push", "-q", "origin", "main")
    peaks["clone"] = peak(world, world.folder, "git", "clone", "-q", url, "elsewhere")
    peaks["server"] = server_peak(world)
    clone = world.folder / "elsewhere"
    for name in sizes:
        subprocess.run(["cmp", str(place / name), str(clone / name)], check=True)
    world.clean(clone)
    print({step: round(mib) for step, mib in peaks.items()})
    return peaks


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads peaks from /proc")
class TestMemory:
    def test_300_mb_and_20_files(self, world: World, url: str) -> None:
        world.git(world.folder, "config", "--global", "lepton.smudgeLimit", "32m")
        files = [("model.safetensors", 300 << 20), *((f"s{i}.safetensors", (32 << 20) - 9) for i in range(20))]
        peaks = there_and_back(world, url, iter(files), sparse_model)
        assert max(peaks.values()) < 400, peaks

    @pytest.mark.parametrize(
        ("files", "make"),
        [
            pytest.param([("model.safetensors", 4 << 30)], dense_model, id="one-4-GB", marks=large),
            pytest.param([(f"m{i}.safetensors", 1 << 30) for i in range(30)], sparse_model, id="30-shards", marks=large),
            pytest.param([(f"m{i}.safetensors", (128 << 20) - 9) for i in range(200)], sparse_model, id="200-files", marks=large),
        ],
    )
    def test_large(self, world: World, url: str, files: list[tuple[str, int]], make: Callable[[Path, int], None]) -> None:
        peaks = there_and_back(world, url, iter(files), make)
        assert max(peaks.values()) < LIMIT_MIB, peaks
