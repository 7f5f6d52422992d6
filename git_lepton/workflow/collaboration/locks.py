"""`git lepton lock`, `unlock` and `locks`: paths of a hosted repository that one account keeps for itself for a while."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from git_lepton.errors import WrongUse
from git_lepton.format.globs import matcher
from git_lepton.transfer.collaboration import Collaboration

if TYPE_CHECKING:
    from git_lepton.wire.collaboration import LockInfo
    from git_lepton.workspace import Workspace


ADVICE = "; git is hosted elsewhere, so this is advice: no push is refused"


class OutsideOfRepository(WrongUse):
    """A path that is not in the work tree."""


class NotLocked(WrongUse):
    """A path that nobody has locked, though it is to be unlocked."""


class NotAFile(WrongUse):
    """A pattern where the path of a file or folder belongs."""


def lock(workspace: Workspace, paths: Sequence[str], remote: str | None = None) -> Iterator[LockInfo]:
    """Lock each of these paths, as a user types them. Raises OutsideOfRepository and NotAFile before the first, LockedByOther at the
    first that somebody else has locked; those before it stay locked."""
    named = [path_from_top(workspace.git.work_tree(), path) for path in paths]
    for path in named:
        if set(path) & set("*?[") and not is_tracked(workspace, path):
            raise NotAFile(f"{path} is a pattern, and no file is called so", _names(workspace, path))
    server = _server(workspace, remote)
    for path in named:
        yield server.lock(path)


def unlock(workspace: Workspace, paths: Sequence[str], remote: str | None = None, *, force: bool = False) -> Iterator[LockInfo]:
    """Take the locks of these paths away; others' only by force. Raises OutsideOfRepository and NotLocked before the first,
    Forbidden."""
    named = [path_from_top(workspace.git.work_tree(), path) for path in paths]
    server = _server(workspace, remote)
    found = {lock.path: lock for lock in server.locks()}
    for path in named:
        if path not in found:
            raise NotLocked(f"nobody has locked {path}", "git lepton locks lists what is locked.")
    for path in dict.fromkeys(named):
        server.unlock(found[path], force=force)
        yield found[path]


def locks(workspace: Workspace, remote: str | None = None) -> list[LockInfo]:
    """All locks of the repository, by path."""
    return _server(workspace, remote).locks()


def is_tracked(workspace: Workspace, path: str) -> bool:
    """Whether git tracks a file at this path from the top, or one in a folder of this name."""
    return bool(workspace.git.run("--literal-pathspecs", "ls-files", "-z", "--", str(workspace.git.work_tree() / path)))


def _names(workspace: Workspace, pattern: str) -> str:
    """A hint that names what the pattern may have meant."""
    wanted = matcher(pattern)
    found = [entry.path for entry in workspace.git.index_entries() if wanted(entry.path)]
    if not found:
        return "Name a file, or a folder for all that is in it."
    return f"Name the files: git lepton lock {' '.join(map(shlex.quote, found[:3]))}{' ...' if len(found) > 3 else ''}"


def path_from_top(top: Path, typed: str) -> str:
    """What a user means by a path, typed in the folder where we run: from the top of the work tree, with '/'. Links in the last part
    are not followed. Raises OutsideOfRepository."""
    place = Path(os.path.abspath(typed))  # noqa: PTH100 - resolve() would follow the last link
    whole = place.parent.resolve() / place.name
    try:
        found = whole.relative_to(top.resolve()).as_posix()
    except ValueError:
        found = "."
    if found == ".":
        raise OutsideOfRepository(f"{typed!r} is no path in this repository", "Name a file or a folder below its top.")
    return found


def _server(workspace: Workspace, remote: str | None) -> Collaboration:
    return Collaboration(workspace.remote(remote, push=True))
