"""Merges one path of weights: the side that changed wins, two changed sides are a conflict. Never mixes pointers as text.

git hands over blobs as it stores them: pointers, or whole files where weights were committed without the filter.
"""

from __future__ import annotations

import filecmp
import shutil
from pathlib import Path


def merge_weights(base: Path, ours: Path, theirs: Path) -> bool:
    """Leave the merged blob in `ours`, which after a conflict is as it was. Whether there was none."""
    if _same(ours, theirs) or _same(base, theirs):
        return True
    if _same(base, ours):
        shutil.copyfile(theirs, ours)
        return True
    return False


def _same(one: Path, other: Path) -> bool:
    return filecmp.cmp(one, other, shallow=False)
