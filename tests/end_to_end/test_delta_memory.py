"""Memory stays flat also where a version is coded against the one before: add, push and pull of a fine-tuned model.

The large case writes some 25 GB; run it with GIT_LEPTON_LARGE_TESTS=1.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.end_to_end.conftest import EMBEDDED_AND_TEAM
from tests.end_to_end.test_deltas import received
from tests.end_to_end.test_large import dense_model, large, peak, server_peak
from tests.end_to_end.world import World

pytestmark = [EMBEDDED_AND_TEAM, pytest.mark.thorough]

LIMIT_MIB = 800
_BLOCK = 16 << 20  # values


def fine_tuned(old: Path, new: Path) -> None:
    """A version of a safetensors file in which one bf16 value in five is another."""
    rng = np.random.default_rng(9)
    with old.open("rb") as source, new.open("wb") as target:
        header = source.read(8)
        target.write(header + source.read(int.from_bytes(header, "little")))
        while data := source.read(2 * _BLOCK):
            words = np.frombuffer(data, "<u2").copy()
            words[rng.integers(0, 5, len(words), dtype=np.uint8) == 0] += 1
            target.write(words.tobytes())


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads peaks from /proc")
@pytest.mark.parametrize(
    ("size", "limit"), [pytest.param(1 << 27, 600, id="128-MB"), pytest.param(4 << 30, LIMIT_MIB, id="4-GB", marks=large)]
)
def test_a_fine_tuned_version_there_and_back(world: World, url: str, size: int, limit: int) -> None:
    world.git(world.folder, "config", "--global", "lepton.smudgeLimit", "32m")
    place = world.repository(remote=url)
    dense_model(place / "m.safetensors", size)
    world.git(place, "add", ".")
    world.git(place, "commit", "-qm", "base")
    world.git(place, "push", "-q", "origin", "main")
    world.git(world.folder, "clone", "-q", url, "elsewhere")
    fine_tuned(place / "m.safetensors", world.folder / "new")
    (world.folder / "new").replace(place / "m.safetensors")
    before = received(world)
    peaks = {"add": peak(world, place, "git", "add", ".")}
    world.git(place, "commit", "-qm", "fine-tuned")
    peaks["push"] = peak(world, place, "git", "push", "-q", "origin", "main")
    assert received(world) - before < 0.25 * size
    peaks["pull"] = peak(world, world.folder / "elsewhere", "git", "pull", "-q")
    peaks["server"] = server_peak(world)
    subprocess.run(["cmp", str(place / "m.safetensors"), str(world.folder / "elsewhere" / "m.safetensors")], check=True)
    print({step: round(mib) for step, mib in peaks.items()}, received(world) - before)
    assert max(peaks.values()) < limit, peaks
