"""`python -m benchmarks [PART ...]` measures, keeps the figures as JSON, and writes the tables and pictures of docs/benchmarks.md."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path

from benchmarks import plots
from benchmarks.bench import Bench
from benchmarks.document import fill
from benchmarks.parts import chain, containers, delta, network, sizes, solo, spine, tenth

_PARTS = {
    "spine": spine,
    "sizes": sizes,
    "solo": solo,
    "delta": delta,
    "containers": containers,
    "tenth": tenth,
    "network": network,
    "chain": chain,
}
_HERE = Path(__file__).parent


def main() -> int:
    options = _arguments()
    bench = Bench(options.scratch.resolve(), options.rounds, options.tiles, options.versions)
    bench.scratch.mkdir(parents=True, exist_ok=True)
    kept = json.loads(options.results.read_text()) if options.results.exists() else {}
    failed = []
    for name in [] if options.tables else options.parts or _PARTS:
        try:
            result = _PARTS[name].measure(bench)
        except RuntimeError as error:  # A command that failed, or a wrong byte: the other parts still have something to say
            bench.say(f"{name} FAILED: {error}")
            failed.append(name)
            continue
        kept[name] = json.loads(json.dumps({"seen": _seen(bench), "result": result}))
        options.results.write_text(json.dumps(kept, indent=1) + "\n")
    for name, part in kept.items():
        fill(options.docs / "benchmarks.md", name, f"{part['seen']}\n\n{_PARTS[name].report(part['result'])}")
        if plots.available():
            plots.draw(name, part["result"], options.docs / "images")
    if not plots.available():
        bench.say("no pictures: matplotlib is not installed")
    bench.say(f"tables are in {options.docs / 'benchmarks.md'}, all figures in {options.results}")
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", metavar="PART", choices=[*_PARTS, []], help=f"of {', '.join(_PARTS)}; all where none is named"
    )
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
    return parser.parse_args()


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
