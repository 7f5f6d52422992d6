"""`git-lepton`: goes straight to the filter when git asks for it, and to the commands otherwise."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the program that the arguments name. Returns the exit code (see `git_lepton.errors`)."""
    if sys.argv[1:2] == ["filter-process"]:
        from git_lepton.entry.filter_process import main as run
    else:
        from git_lepton.entry.cli import main as run
        from git_lepton.entry.interruption import end_soon_when_interrupted

        end_soon_when_interrupted(quietly=sys.argv[1:2] == ["pre-push"])
    return run(sys.argv[1:])
