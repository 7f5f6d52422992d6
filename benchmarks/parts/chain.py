"""Many versions in a row of one small model: times of add, push and pull, growth, depth, and repack while versions come and go."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks import data
from benchmarks.bench import Bench, Result, megabytes, table
from benchmarks.contenders import Lepton
from benchmarks.parts.tenth import same
from git_lepton.format.pointer import parse_pointer
from git_lepton.store.local_store import LocalStore

STEPS = ("add", "push", "pull")
_MODEL, _LAYERS, _STEP_SHARE, _SEED, _DEEPEST = "model.safetensors", ("encoder.layer.0.", "encoder.layer.1."), 1e-3, 7, 3
_OLD_VERSIONS = 8


def measure(bench: Bench) -> Result:
    place = bench.place("chain")
    found: Result = {"versions": bench.versions, "walls": [], "stored": [], "repacking": []}
    with Lepton(place) as lepton:
        work, clone, kept = lepton.new_repository(), lepton.folder / "clone", place / "kept"
        kept.mkdir(exist_ok=True)
        repack = _Repack(lepton, bench.versions)
        for number, file in enumerate(_versions(bench, kept)):
            repack.turn(number)
            found["repacking"].append(repack.running)
            found["walls"].append(_one(lepton, work, clone, file))
            found["stored"].append(lepton.stored_bytes())
            if number % 20 == 19:
                bench.say(
                    f"chain: version {number + 1} of {bench.versions}, {sum(found['walls'][-1]):.2f} s, repack ran {repack.runs} times"
                )
        repack.end()
        found |= {"raw": file.stat().st_size, "repacks": repack.runs, "depth": _depth(lepton, work)}
        bench.say("chain: a new clone, and old versions out of it")
        found["checked"] = _check(lepton, kept, bench.versions)
        found["stored_after"] = lepton.stored_bytes()
    shutil.rmtree(place)
    return found


class _Repack:
    """`lepton-server repack` beside the pushes and pulls, again and again between the half and three quarters of the versions."""

    def __init__(self, lepton: Lepton, versions: int) -> None:
        self._lepton = lepton
        self._span = range(versions // 2, versions * 3 // 4)
        self._process: subprocess.Popen[bytes] | None = None
        self.runs = 0

    def turn(self, number: int) -> None:
        if self._process is not None and self._process.poll() is not None:
            self.end()
        if self._process is None and number in self._span:
            self._process = subprocess.Popen(
                ["lepton-server", "repack", "--data", str(self._lepton.data)],
                env=self._lepton.environment,
                stdout=subprocess.DEVNULL,
            )

    @property
    def running(self) -> bool:
        return self._process is not None

    def end(self) -> None:
        if self._process is not None:
            if self._process.wait(300):
                raise RuntimeError(f"lepton-server repack ended with {self._process.returncode}")
            self._process = None
            self.runs += 1


def _versions(bench: Bench, folder: Path) -> Iterator[Path]:
    """bf16 files of a model that takes a small step in every weight from each to the next."""
    rng = np.random.default_rng(_SEED)
    source = data.tensors(data.minilm(bench.scratch / "data"))
    model = {name: array.copy() for name, array in source.items() if name.startswith(_LAYERS)}
    for number in range(bench.versions):
        yield data.write_safetensors(
            folder / f"{number}.safetensors", {name: ("BF16", data.to_bf16(array)) for name, array in model.items()}
        )
        for array in model.values():
            array += rng.standard_normal(array.shape, dtype=np.float32) * np.float32(_STEP_SHARE * array.std())


def _one(lepton: Lepton, work: Path, clone: Path, file: Path) -> list[float]:
    shutil.copyfile(file, work / _MODEL)
    added = lepton.git(work, "add", _MODEL).wall
    lepton.git(work, "commit", "-qm", f"version {file.stem}")
    pushed = lepton.git(work, "push", "-q", "origin", "main").wall
    if clone.exists():
        pulled = lepton.git(clone, "pull", "-q").wall
    else:
        pulled = lepton.git(lepton.folder, "clone", "-q", lepton.clone_url(), str(clone)).wall
    same(clone / _MODEL, file)
    return [added, pushed, pulled]


def _depth(lepton: Lepton, work: Path) -> int:
    """Bases below the newest version's deepest chunk."""
    store = LocalStore(work / ".git" / "lepton")
    pointer = subprocess.run(
        ["git", "-C", str(work), "cat-file", "blob", f"HEAD:{_MODEL}"], capture_output=True, check=True
    ).stdout
    manifest = store.manifest(parse_pointer(pointer).oid)
    assert manifest
    return max(store.encoded(entry.chunk).depth for entry in manifest.entries)


def _check(lepton: Lepton, kept: Path, versions: int) -> int:
    """A new clone's newest and some older versions against what was added; their number."""
    clone = lepton.folder / "fresh"
    lepton.git(lepton.folder, "clone", "-q", lepton.clone_url(), str(clone))
    numbers = sorted({round(at) for at in np.linspace(0, versions - 1, _OLD_VERSIONS)}, reverse=True)
    for number in numbers:
        lepton.git(clone, "checkout", "-q", f"main~{versions - 1 - number}")
        same(clone / _MODEL, kept / f"{number}.safetensors")
    return len(numbers)


def report(result: Result) -> str:
    walls, tenth = result["walls"][1:], max(len(result["walls"]) // 10, 1)
    rows = []
    for at, step in enumerate(STEPS):
        first, last = (median(wall[at] for wall in part) for part in (walls[:tenth], walls[-tenth:]))
        rows.append([step, f"{first:.3f}", f"{last:.3f}", f"{last / first:.2f}"])
    whole = result["raw"] * result["versions"]
    words = (
        f"\n\n{result['versions']} versions of {megabytes(result['raw'])} MB: {megabytes(whole)} MB as they are, "
        f"{megabytes(result['stored'][-1])} MB on the server's disk. "
        f"The newest decodes at most {result['depth']} bases deep (at most {_DEEPEST}). "
        f"`lepton-server repack` ran {result['repacks']} times beside pushes and pulls; "
        f"a new clone gave back {result['checked']} versions of the whole history, byte for byte."
    )
    return table(["operation", f"first {tenth} versions, median s", f"last {tenth}", "ratio"], rows) + words
