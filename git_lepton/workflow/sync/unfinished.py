"""A work tree on which git has not finished: files in conflict, or a version whose checkout was broken off."""

from __future__ import annotations

import os

from git_lepton.errors import WrongUse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from git_lepton.git.repository import GitRepository


class NotCheckedOut(WrongUse):
    """HEAD has files and the index has none: whatever is looked at there says nothing of them."""


def conflicted(git: GitRepository, paths: Sequence[str] = ()) -> list[str]:
    """The paths of ours that a merge left in conflict: the index has several sides of them, and no one."""
    output = git.run("--literal-pathspecs", "ls-files", "--full-name", "-u", "-z", "--", *(paths or (str(git.work_tree()),)))
    found = dict.fromkeys(line.partition("\t")[2] for line in os.fsdecode(output).split("\0") if line)
    ours = git.lepton_paths(found)
    return [path for path in found if path in ours]


def ensure_checked_out(git: GitRepository) -> None:
    """Raises NotCheckedOut where the index is empty and HEAD is not."""
    if git.top_level is None or git.rev_parse("HEAD") is None:
        return
    if not git.run_at_top("ls-files", "-z") and git.run("ls-tree", "HEAD"):
        raise NotCheckedOut(
            "the index is empty, though HEAD has files: its checkout has not come to an end",
            "If a clone was broken off here: git reset --hard",
        )
