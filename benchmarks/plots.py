"""Pictures of the results: PNG files that say the same as the tables. matplotlib is needed here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.bench import Result, megabytes
from benchmarks.parts.chain import STEPS
from benchmarks.parts.sizes import XOR_1, ZIPNN

_OURS, _THEIRS, _INK, _FAINT = "#0b6e8f", "#b9c0c7", "#22282e", "#e6e9ec"
_STEP_COLOURS = ("#d08a1d", _OURS, "#7a5195")
_BARS = {"git-lfs": "git-lfs, DVC", "hf-xet": "hf-xet", ZIPNN: "zipnn", XOR_1: "XOR, planes, zstd", "git-lepton": "git-lepton"}
_COLUMNS = 3


def available() -> bool:
    import importlib.util

    return importlib.util.find_spec("matplotlib") is not None


def draw(part: str, result: Result, folder: Path) -> Path | None:
    """The part's picture, where it has one."""
    painter = _PAINTERS.get(part)
    if painter is None:
        return None
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams.update(
        {
            "font.family": "DejaVu Sans",
            "font.size": 9,
            "text.color": _INK,
            "axes.labelcolor": _INK,
            "xtick.color": _INK,
            "ytick.color": _INK,
        }
    )
    figure = painter(result)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{part}.png"
    figure.savefig(path, dpi=150, facecolor="white", bbox_inches="tight")
    return path


def _sizes(result: Result) -> Any:
    """A panel a pair; a bar a tool, as a share of the file."""
    from matplotlib import pyplot

    rows = result["rows"]
    lines = -(-len(rows) // _COLUMNS)
    figure, axes = pyplot.subplots(lines, _COLUMNS, figsize=(12, 1.95 * lines), squeeze=False)
    for axis, row in zip(axes.flat, rows, strict=False):
        names = [name for name in _BARS if name in row["cells"]]
        for height, name in enumerate(names, len(_BARS) - len(names)):
            _bar(axis, height, name, row["cells"][name], row["raw"])
        axis.set_yticks(range(len(_BARS) - len(names), len(_BARS)), [_BARS[name] for name in names])
        axis.set_title(row["pair"], loc="left", fontsize=9, fontweight="bold")
        axis.set_xlim(0, 105)
        axis.set_ylim(-0.5, len(_BARS) - 0.5)
        axis.xaxis.set_visible(False)
        _clean(axis)
    for axis in list(axes.flat)[len(rows) :]:
        axis.axis("off")
    title = "What a second version adds to the store (full width: the file itself)"
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
    figure.tight_layout(rect=(0, 0, 1, 0.99), h_pad=1.2)
    return figure


def _bar(axis: Any, height: int, name: str, count: int, raw: int) -> None:
    ours, percent = name == "git-lepton", 100 * count / raw
    axis.barh(height, percent, color=_OURS if ours else _THEIRS, height=0.72)
    inside = percent > 75
    place = {"x": percent - 1.5, "ha": "right"} if inside else {"x": percent + 1.5, "ha": "left"}
    colour, weight = "white" if inside and ours else _INK, "bold" if ours else "normal"
    axis.text(y=height, s=f"{megabytes(count)} MB", va="center", fontsize=8, color=colour, fontweight=weight, **place)


def _chain(result: Result) -> Any:
    """Seconds of each step by version; where repack ran is shaded."""
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(9, 3.6))
    numbers = range(1, len(result["walls"]) + 1)
    busy = [number for number, running in zip(numbers, result["repacking"], strict=True) if running]
    top = 1.15 * sorted(max(wall) for wall in result["walls"])[-max(len(result["walls"]) // 50, 1)]
    if busy:
        axis.axvspan(busy[0], busy[-1], color=_FAINT, lw=0)
        axis.text(busy[0] + 1, top * 0.97, "repack runs beside", va="top", fontsize=8)
    for at, colour in enumerate(_STEP_COLOURS):
        walls = [wall[at] for wall in result["walls"]]
        axis.plot(numbers, walls, color=colour, lw=1.2)
    height = -top
    for last, step, colour in sorted(zip(result["walls"][-1], STEPS, _STEP_COLOURS, strict=True)):
        height = max(last, height + top / 15)  # Names do not lie on each other
        axis.text(numbers[-1] * 1.005 + 0.5, height, step, color=colour, va="center", fontweight="bold")
    axis.set_ylim(0, top)
    axis.set_xlabel("version")
    axis.set_ylabel("seconds")
    axis.set_title(f"{result['versions']} versions of one {result['raw'] / 1e6:.0f} MB model", loc="left", fontweight="bold")
    _clean(axis, grid="y")
    return figure


def _network(result: Result) -> Any:
    """Seconds of add, commit and push, end to end, by link and tool."""
    from matplotlib import pyplot

    links = list(result["links"].items())
    figure, axes = pyplot.subplots(len(links), 1, figsize=(9, 1.25 * len(links) + 0.4), squeeze=False)
    for axis, (rate, runs) in zip(axes.flat, links, strict=True):
        for name, found in runs.items():
            walls, left = found[0]["walls"], 0.0
            for wall, shade in zip(walls, (0.55, 0.75, 1.0), strict=True):
                axis.barh(name, wall, left=left, color=_OURS if name == "git-lepton" else "#8d969e", alpha=shade, height=0.62)
                left += wall
            axis.text(left, name, f"  {left:.1f} s", va="center", fontweight="bold" if name == "git-lepton" else "normal")
        axis.set_title(f"{int(rate):,} Mbit/s", loc="left", fontsize=9, fontweight="bold")
        axis.set_xlim(0, 1.12 * max(sum(found[0]["walls"]) for found in runs.values()))
        _clean(axis)
        axis.xaxis.set_visible(False)
    figure.suptitle(
        f"A fine-tuned version of {result['raw'] / 1e9:.1f} GB: add (pale), commit, push (dark)",
        x=0.01,
        ha="left",
        fontsize=11,
        fontweight="bold",
    )
    figure.tight_layout()
    return figure


def _clean(axis: Any, grid: str = "") -> None:
    for side in ("top", "right", "bottom", "left") if not grid else ("top", "right"):
        axis.spines[side].set_visible(False)
    axis.tick_params(length=0)
    if grid:
        axis.grid(axis=grid, color=_FAINT)
        axis.set_axisbelow(True)


_PAINTERS: Mapping[str, Callable[[Result], Any]] = {"sizes": _sizes, "chain": _chain, "network": _network}
