"""Disk usage of git's own objects in a repository: they count in its quota and in its bill, as its weights do."""

from __future__ import annotations

import os
from pathlib import Path

_ON_THEIR_WAY = "tmp_objdir-"  # of pushes that have not landed


def stored_bytes(directory: Path) -> int:
    """Bytes that the objects in this git folder take."""
    total = 0
    waiting = [directory / "objects"]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        if not entry.name.startswith(_ON_THEIR_WAY):
                            waiting.append(Path(entry.path))
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
        except FileNotFoundError:  # a push ended, or there is none yet
            continue
    return total
