"""Files that a Python evaluation opened below the repository: what its inputs should say, and perhaps do not.

A `sitecustomize` module, first on PYTHONPATH, has Python call an audit hook for each file that is opened. What is no Python, or
was started with -I or -S, tells nothing.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path

from git_lepton.format.globs import matcher

LIST_VARIABLE = "GIT_LEPTON_OPENED_FILES"
BELOW_VARIABLE = "GIT_LEPTON_OPENED_BELOW"
_PASSED_OVER = ("__pycache__", ".git", ".venv", "venv", "site-packages", "node_modules")


def watched(environment: Mapping[str, str], top: Path, into: Path) -> dict[str, str]:
    """The environment in which Python notes the files that it opens below `top`, into the file `into`."""
    path = os.pathsep.join(filter(None, [str(Path(__file__).parent / "watch"), environment.get("PYTHONPATH", "")]))
    return {**environment, "PYTHONPATH": path, LIST_VARIABLE: str(into), BELOW_VARIABLE: os.path.realpath(top)}


def undeclared(into: Path, top: Path, inputs: Collection[str], globs: Collection[str]) -> list[str]:
    """The files (their paths from the top) that were opened and are neither inputs, nor match the globs of these, nor are caches."""
    try:
        lines = into.read_bytes().split(b"\0")
    except OSError:
        return []
    real = os.path.realpath(top)
    wanted = [matcher(glob.removeprefix("./").strip("/")) for glob in globs]
    found = set()
    for line in lines:
        path = os.fsdecode(line)
        if path.startswith(real + os.sep):
            name = path[len(real) + 1 :].replace(os.sep, "/")
            if name not in inputs and not any(match(name) for match in wanted) and not set(name.split("/")) & {*_PASSED_OVER}:
                found.add(name)
    return sorted(name for name in found if (top / name).is_file())
