"""Objects that git holds on to outside of refs and reflogs: the indexes of all work trees, all stages of them, and what an unfinished
merge, rebase or cherry-pick has written down. Read from git's own folders: a work tree may be on a disk that is not here now.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from git_lepton.git.repository import GitRepository

_INDEXES = ("index*", "next-index-*.lock")  # of a commit that waits for its message, of a stash that is being made
_NOTES = ("*_HEAD", "*_AUTOSTASH", "AUTO_MERGE", "rebase-merge/*", "rebase-apply/*", "sequencer/*", "refs/**/*")
_NAME = re.compile(rb"\b(?:[0-9a-f]{40}|[0-9a-f]{64})\b")
_LONGEST_NOTE = 1 << 20  # a patch that is being applied lies there too


def blobs_in_indexes(git: GitRepository) -> set[str]:
    """The names of all files in the index of every work tree, of all sides where one is unmerged."""
    blobs: set[str] = set()
    for folder in _git_dirs(git):
        for index in (path for pattern in _INDEXES for path in folder.glob(pattern)):
            blobs |= _blobs_in(folder, index)
    given = git.git_path("index")  # GIT_INDEX_FILE may name one that lies elsewhere
    return blobs | _blobs_in(git.git_dir, given) if given.exists() else blobs


def heads(git: GitRepository) -> set[str]:
    """The commits that are checked out, in every work tree."""
    names = ["main-worktree/HEAD", *(f"worktrees/{folder.name}/HEAD" for folder in _git_dirs(git)[1:])]
    return {commit for name in ["HEAD", *names] if (commit := git.rev_parse(name)) is not None}


def noted_objects(git: GitRepository) -> set[str]:
    """Whatever an unfinished operation names in its notes: the other side of a merge, the autostash of a rebase, what is still to
    be picked. Some may not be here."""
    return {name.decode() for folder in _git_dirs(git) for text in _notes(folder) for name in _NAME.findall(text)}


def _git_dirs(git: GitRepository) -> list[Path]:
    """The common git directory, then those of the linked work trees."""
    return [git.common_dir, *sorted((git.common_dir / "worktrees").glob("*/"))]


def _blobs_in(folder: Path, index: Path) -> set[str]:
    arguments = ("--git-dir", str(folder), "ls-files", "-s", "-z", "--full-name", "--", ":/")
    status, output, stderr = GitRepository(folder).try_run(*arguments, environment={"GIT_INDEX_FILE": str(index)})
    if status and index.name != "index":
        return set()  # git is still writing it, or it is something else
    if status:
        from git_lepton.git.program import git_failed

        raise git_failed(arguments, status, stderr)
    lines = os.fsdecode(output).split("\0")[:-1]
    return {line.split(" ", 2)[1] for line in lines if line.startswith("100")}


def _notes(folder: Path) -> Iterator[bytes]:
    for path in (path for pattern in _NOTES for path in folder.glob(pattern)):
        if path.is_file() and path.stat().st_size <= _LONGEST_NOTE:
            yield path.read_bytes()
