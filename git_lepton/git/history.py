"""What each commit of a line of history changed, as git tells it, the oldest first."""

from __future__ import annotations

import os
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from git_lepton.git.repository import GitRepository

_HEAD = "\x01"
_FORMAT = f"--format={_HEAD}%H%x01%cs%x01%s"
_FILES = ("100644", "100755")


class CommitFiles(NamedTuple):
    """A commit: its name, its day (`2026-11-21`), the first line of its message, and the files that it brought: path and blob."""

    commit: str
    day: str
    subject: str
    files: list[tuple[str, str]]


def commits_with_files(git: GitRepository, revision: str) -> Iterator[CommitFiles]:
    """The commits of a revision along first parents, with the files that each added or changed. A merge counts as one change."""
    how = ("--first-parent", "--diff-merges=first-parent", "--raw", "-z", "--no-abbrev", "--no-renames", "--root", "--reverse")
    output = git.run("-c", "log.showSignature=false", "log", *how, _FORMAT, "--end-of-options", revision, "--")
    current: CommitFiles | None = None
    fields = iter(os.fsdecode(output).split("\0"))
    for field in fields:
        if field.startswith(_HEAD):
            if current:
                yield current
            commit, day, subject = field[1:].split(_HEAD, 2)
            current = CommitFiles(commit, day, subject, [])
        elif field.lstrip("\n").startswith(":") and current:
            _, mode, _, blob, _ = field.lstrip("\n").split(" ")
            path = next(fields)
            if mode in _FILES:
                current.files.append((path, blob))
    if current:
        yield current
