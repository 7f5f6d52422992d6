"""`python -m benchmarks [PART ...]` measures, keeps the figures as JSON, and writes the tables and pictures of docs/benchmarks.md."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from benchmarks import plots
from benchmarks.bench import Bench, Result
from benchmarks.document import fill
from benchmarks.parts import chain, containers, delta, lookups, network, s3, sizes, solo, spine, tenth

_PARTS = {
    "spine": spine,
    "sizes": sizes,
    "solo": solo,
    "delta": delta,
    "containers": containers,
    "tenth": tenth,
    "network": network,
    "chain": chain,
    "s3": s3,
    "lookups": lookups,
}
_HERE = Path(__file__).parent


def main() -> int:
    options = _arguments()
    if options.tables:
        return _write(options)
    if len(options.parts) == 1:
        return _measure(options)
    start = time.monotonic()
    failed = [name for name in options.parts if subprocess.run(_alone(options, name), check=False).returncode]
    words = f"NOT MEASURED: {', '.join(failed)}" if failed else "all measured"
    print(f"{words}; {time.monotonic() - start:.0f} s", file=sys.stderr)
    return 1 if failed else 0


def _alone(options: argparse.Namespace, name: str) -> list[str]:
    """The command that measures one part: in a process of its own, since children begin with their parent's memory."""
    kept = [f"--{key}={getattr(options, key)}" for key in ("scratch", "rounds", "tiles", "versions", "results", "docs")]
    return [sys.executable, "-m", "benchmarks", name, *kept]


def _measure(options: argparse.Namespace) -> int:
    name = options.parts[0]
    bench = Bench(options.scratch.resolve(), options.rounds, options.tiles, options.versions)
    bench.scratch.mkdir(parents=True, exist_ok=True)
    result = {"seen": _seen(bench), "result": _PARTS[name].measure(bench)}
    options.results.write_text(json.dumps(_kept(options) | {name: result}, indent=1) + "\n")
    bench.say(f"{name}: done")
    return _write(options, name)


def _write(options: argparse.Namespace, *names: str) -> int:
    """Tables and pictures of these parts, or of all that figures are kept of."""
    kept = _kept(options)
    for name in names or kept:
        result = kept[name]["result"]
        fill(options.docs / "benchmarks.md", name, f"{kept[name]['seen']}\n\n{_PARTS[name].report(result)}")
        if plots.available():
            plots.draw(name, result, options.docs / "images")
    if not plots.available():
        print("no pictures: matplotlib is not installed", file=sys.stderr)
    return 0


def _kept(options: argparse.Namespace) -> Result:
    return dict(json.loads(options.results.read_text())) if options.results.exists() else {}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(_PARTS)}; all where none is named")
    parser.add_argument(
        "--scratch",
        type=Path,
        default=Path(tempfile.gettempdir()) / "git-lepton-benchmarks",
        help="12 GB, kept for the next run but for the stores",
    )
    parser.add_argument("--rounds", type=int, default=1, help="of what is measured in seconds")
    parser.add_argument("--tiles", type=int, default=22, help="size of the large file, in 45 MB")
    parser.add_argument("--versions", type=int, default=200, help="of the chain")
    parser.add_argument("--results", type=Path, default=_HERE / "results.json", help="figures are kept here, part by part")
    parser.add_argument("--docs", type=Path, default=_HERE.parent / "docs", help="benchmarks.md and images/ are written here")
    parser.add_argument("--tables", action="store_true", help="measure nothing: write tables and pictures from the figures kept")
    options = parser.parse_args()
    options.parts = options.parts or list(_PARTS)
    if unknown := set(options.parts) - set(_PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    return options


def _seen(bench: Bench) -> str:
    """On what machine, when, how often."""
    rounds = "one round" if bench.rounds == 1 else f"median of {bench.rounds} rounds"
    machine = f"{platform.system()} {platform.machine()}, {_processor()}{os.cpu_count()} cores"
    programs = [f"Python {platform.python_version()}", _version("git"), _version("git", "lfs")]
    return f"{', '.join([machine, *programs])}; {date.today().isoformat()}; {rounds}."


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]}, " if names else ""


def _version(*command: str) -> str:
    return (
        subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
        .stdout.split("\n")[0]
        .split("(")[0]
        .strip()
    )


if __name__ == "__main__":
    sys.exit(main())
