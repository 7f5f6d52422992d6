"""`python -m tests.architecture.rooms [ROOT]` draws a table of how the code is built: rooms, floors, arrows, arrows back, circles, for
lepton_server and for each room of git_lepton. Counted from the code's own imports, late ones and those for types too.

A room is a package or a single file at the first level. Floors: the longest way down from any room, circles counted as one.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

Graph = Mapping[str, set[str]]


class House(NamedTuple):
    """What one package is built of. `fan_out`: the room that imports most others, and how many."""

    name: str
    files: int
    rooms: int
    flat: int
    floors: int
    arrows: int
    circles_of_rooms: int
    circles_of_files: int
    fan_out: tuple[str, int]


def main() -> int:
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[2]
    packages = [(root / "server", "lepton_server")]
    packages += [(root, name) for name in ("git_lepton", "git_lepton.workflow", "git_lepton.transfer", "git_lepton.store")]
    print("| package | files | rooms | of them single files | floors | arrows | circles of rooms | of files | largest fan-out |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for folder, name in packages:
        *figures, (busiest, most) = house(folder, name)
        print(f"| {' | '.join(map(str, figures))} | {busiest}: {most} |")
    return 0


def house(folder: Path, package: str) -> House:
    """The figures of a package that lies in `folder`."""
    files = modules(folder, package)
    imports = {name: set(_imports(path, files)) - {name} for name, path in files.items()}
    rooms: dict[str, set[str]] = defaultdict(set)
    for name, others in imports.items():
        room = _room(name, package)
        rooms[room] |= {_room(other, package) for other in others} - {room}
    rooms = {room: others - {""} for room, others in rooms.items() if room}
    busiest = max(rooms, key=lambda room: (len(rooms[room]), room))
    flat = sum(f"{package}.{room}" in files and files[f"{package}.{room}"].name != "__init__.py" for room in rooms)
    arrows = sum(map(len, rooms.values()))
    circles = [len([one for one in circles_of(graph) if len(one) > 1]) for graph in (rooms, imports)]
    return House(package, len(files), len(rooms), flat, _floors(rooms), arrows, *circles, (busiest, len(rooms[busiest])))


def modules(folder: Path, package: str) -> dict[str, Path]:
    """Every module of a package, by its full name; a package's own is its `__init__`."""
    top = folder.joinpath(*package.split("."))
    found = {}
    for path in sorted(top.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def circles_of(graph: Graph) -> list[set[str]]:
    """The strongly connected parts, single ones too, what is imported first (Tarjan)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[set[str]] = []

    def visit(node: str) -> None:
        order[node] = low[node] = len(order)
        stack.append(node)
        for other in graph.get(node, ()):
            if other not in order:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], order[other])
        if low[node] == order[node]:
            at = stack.index(node)
            found.append(set(stack[at:]))
            del stack[at:]

    for node in graph:
        if node not in order:
            visit(node)
    return found


def _floors(rooms: Graph) -> int:
    height: dict[str, int] = {}
    for circle in circles_of(rooms):
        below = {other for room in circle for other in rooms[room]} - circle
        height |= dict.fromkeys(circle, 1 + max((height[other] for other in below), default=0))
    return max(height.values())


def _room(module: str, package: str) -> str:
    return module.removeprefix(package).lstrip(".").partition(".")[0]


def _imports(path: Path, files: Mapping[str, Path]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                full = f"{node.module}.{name.name}"
                yield from (each for each in (full if full in files else node.module,) if each in files)
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name in files)


if __name__ == "__main__":
    sys.exit(main())
