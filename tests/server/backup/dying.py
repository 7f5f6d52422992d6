"""`lepton-server` that dies, as by a loss of power, when it calls one function for the nth time: `FUNCTION N ARGUMENT...`.

FUNCTION is a dotted name below lepton_server.backup: `archive.Archive.put`.
"""

from __future__ import annotations

import importlib
import itertools
import os
import sys
from typing import Any

from lepton_server.cli import main

KILLED = 137


def die_at(name: str, nth: int) -> None:
    module, *steps = name.split(".")
    owner: Any = importlib.import_module(f"lepton_server.backup.{module}")
    for step in steps[:-1]:
        owner = getattr(owner, step)
    calls, real = itertools.count(1), getattr(owner, steps[-1])

    def dying(*arguments: Any, **named: Any) -> Any:
        if next(calls) == nth:
            os._exit(KILLED)
        return real(*arguments, **named)

    setattr(owner, steps[-1], dying)


if __name__ == "__main__":
    die_at(sys.argv[1], int(sys.argv[2]))
    sys.exit(main(sys.argv[3:]))
