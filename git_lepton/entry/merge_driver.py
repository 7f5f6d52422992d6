"""`git lepton merge-driver %O %A %B %P`, which git starts to merge one path of weights."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

from git_lepton.entry.terminal import say
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
    named = quote(path)
    say(f"both sides changed {path}; yours is in place. Choose: git checkout --ours|--theirs -- {named}; git add -- {named}")
    return 1
