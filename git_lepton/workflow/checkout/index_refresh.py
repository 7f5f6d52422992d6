"""Tells git that files of the work tree are what its index says, after something else than git has written them."""

from __future__ import annotations

import contextlib
import os
import time
from shlex import quote

from git_lepton.errors import WrongUse
from git_lepton.git.errors import GitFailed
from git_lepton.git.program import git_failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from git_lepton.format.pointer import Pointer
    from git_lepton.git.repository import GitRepository

_LOCK_WAITS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)  # seconds; git holds its index lock for less


class NotRefreshed(WrongUse):
    """The files are in place, but git was not told: it takes them for modified until it looks at them."""


def refresh_index(git: GitRepository, paths: Iterable[str], variables: Mapping[str, str] | None = None) -> None:
    """Let git look at these files again: it cleans each once, and nothing is staged. Raises NotRefreshed.

    `variables` are for the filter process that git starts.

    git believes that a file has changed, without a look at it, when its size is not the remembered one; so what it remembers
    of the file (not its content) is blanked first. `git update-index --stdin` would also stage what somebody edits meanwhile.
    """
    wanted = set(paths)
    watched = [entry for entry in git.index_entries() if entry.path in wanted and entry.watched] if wanted else []
    if not watched:
        return
    blank = "".join(f"{entry.mode} {entry.blob} 0\t{entry.path}\0" for entry in watched)
    names = "".join(f"{entry.path}\0" for entry in watched)
    refresh = ("--literal-pathspecs", "add", "--refresh", "--pathspec-from-file=-", "--pathspec-file-nul")
    try:
        _change_index(git, ("update-index", "-z", "--index-info"), os.fsencode(blank))
        _change_index(git, refresh, os.fsencode(names), variables)
    except GitFailed as error:
        some = " ".join(quote(entry.path) for entry in watched[:5]) + (" ..." if len(watched) > 5 else "")
        raise NotRefreshed(
            f"the weights are in place, but git was not told: {error.message}", f"When git is idle, run: git add -- {some}"
        ) from error


def _change_index(
    git: GitRepository, arguments: tuple[str, ...], stdin: bytes, variables: Mapping[str, str] | None = None
) -> None:
    """Run git where it takes the lock of its index, again if somebody else has that just now."""
    for wait in (*_LOCK_WAITS, None):
        status, _, stderr = git.try_run_at_top(*arguments, stdin=stdin, environment=dict(variables or {}))
        if status == 0:
            return
        if wait is None or "index.lock" not in stderr:
            break
        time.sleep(wait)
    raise git_failed(arguments, status, stderr)


def unnoticed(git: GitRepository, files: Mapping[str, Pointer]) -> list[str]:
    """Paths that may hold their weights already without git's knowledge: we were killed before we could tell it."""
    top, candidates = git.work_tree(), []
    for path, pointer in files.items():
        with contextlib.suppress(OSError):  # nothing there: nothing to tell
            if (top / path).lstat().st_size == pointer.size:
                candidates.append(path)
    if not candidates:
        return []
    changed = set(os.fsdecode(git.run_at_top("diff-files", "--name-only", "-z")).split("\0"))
    return [path for path in candidates if path in changed]
