"""`git lepton merge-driver %O %A %B %P`, which git starts to merge one path of weights."""

from __future__ import annotations

import sys
from pathlib import Path

from git_lepton.errors import WrongUse
from git_lepton.workflow.merge_driver import merge_weights

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """0: merged. 1: conflict; git then leaves our side in the work tree and all three in the index."""
    if len(arguments) != 4:
        raise WrongUse("merge-driver takes four arguments", "git starts it: merge.lepton.driver, written by git lepton install.")
    *files, path = arguments
    base, ours, theirs = map(Path, files)
    if merge_weights(base, ours, theirs):
        return 0
    sys.stderr.write(
        f"git-lepton: both sides changed {path}; yours is in place. "
        f"Choose: git checkout --ours|--theirs -- {path}; git add {path}\n"
    )
    return 1
