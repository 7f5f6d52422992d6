"""Changes of refs and of locked paths by a push, as git tells them; looked at in the hook's own process, which knows no database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

from lepton_server.git import changed_paths
from lepton_server.git.program import Git
from lepton_server.git.refs import NO_OBJECT, RefMove, refs_of
from lepton_server.protection.moves import Move, Way
from lepton_server.wording import printable, utc_minute

_TAGS = "refs/tags/"


class HeldPath(NamedTuple):
    """Somebody else's lock; `at` is in milliseconds since 1970. `given_up`: what refs that are made again named when somebody else than
    the owner deleted them under the lock."""

    path: str
    owner: str
    at: int
    given_up: Mapping[str, str] = {}


class Judgement(NamedTuple):
    """The moves as they are, and a sentence for each locked path of somebody else's that they change."""

    moves: tuple[Move, ...] = ()
    locked: tuple[str, ...] = ()


NOTHING_TO_JUDGE = Judgement()


def judge(git: Git, moves: Sequence[RefMove], locks: Sequence[HeldPath]) -> Judgement:
    """`git` sees the push's quarantine. Raises GitFailed where the answer cannot be found out."""
    named = [name for move in moves for name in (move.old, move.new) if name != NO_OBJECT]
    tips = changed_paths.tips_of(git, [*named, *(name for lock in locks for name in lock.given_up.values())])
    judged = [Move(move.ref, _way(git, move, tips), tips.get(move.new, "")) for move in moves]
    return Judgement(tuple(judged), tuple(_lock_findings(git, moves, judged, tips, locks)))


def _way(git: Git, move: RefMove, tips: dict[str, str]) -> Way:
    if move.deletes:
        return Way.DELETE
    if move.old == NO_OBJECT:
        return Way.CREATE
    old, new = tips[move.old], tips[move.new]
    if move.ref.startswith(_TAGS) or not old or not new:
        return Way.FORCE
    left_behind = git.run("rev-list", "--max-count=1", old, f"^{new}")
    return Way.FORCE if left_behind else Way.FORWARD


def _lock_findings(
    git: Git, moves: Sequence[RefMove], judged: Sequence[Move], tips: dict[str, str], locks: Sequence[HeldPath]
) -> list[str]:
    """A sentence for each locked path of somebody else's that the push changes."""
    if not locks:
        return []
    of_path = {lock.path.encode(): lock for lock in locks}
    changes = _changes(git, moves, judged, tips, list(of_path), partial(_is_locked, of_path))
    changes += _changes_by_making_again(git, judged, tips, locks)
    commits = dict(reversed(changes))  # of several the first
    found = []
    for path, commit in sorted(commits.items()):
        lock = _lock_of(path, of_path)
        assert lock is not None  # or nobody had asked about this path
        since = utc_minute(lock.at)
        inside = "" if lock.path.encode() == path else f" (the folder {lock.path})"
        found.append(f"{printable(path)}{inside} is locked by {lock.owner} since {since}, and {commit[:12]} changes it.")
    return found


def _changes(
    git: Git,
    moves: Sequence[RefMove],
    judged: Sequence[Move],
    tips: dict[str, str],
    paths: Sequence[bytes],
    concerns: changed_paths.Concerns,
) -> list[changed_paths.Changed]:
    found = list(changed_paths.changed_by_commits(git, [move.commit for move in judged if move.commit], paths, concerns))
    for move, how in zip(moves, judged, strict=True):
        if how.way is Way.FORCE and how.commit and (old := tips[move.old]):
            found += changed_paths.changed_by_move(git, old, how.commit, paths, concerns)
    deleted = [tips[move.old] for move in moves if move.deletes and tips.get(move.old)]
    if deleted:
        after = refs_of(git) | {move.ref: move.new for move in moves}
        staying = [name for name in after.values() if name != NO_OBJECT]
        found += changed_paths.changed_by_deletion(git, deleted, staying, paths, concerns)
    return found


def _changes_by_making_again(
    git: Git, judged: Sequence[Move], tips: dict[str, str], locks: Sequence[HeldPath]
) -> list[changed_paths.Changed]:
    """What refs take back that were deleted under a lock and are made again: as if they had moved."""
    found: list[changed_paths.Changed] = []
    for how in judged:
        then = {lock.path.encode(): lock for lock in locks if how.ref in lock.given_up}
        olds = {tips.get(lock.given_up[how.ref], "") for lock in then.values()}  # one, as the log has it
        if how.way is Way.CREATE and how.commit:
            for old in filter(None, olds):
                found += changed_paths.changed_by_move(git, old, how.commit, list(then), partial(_is_locked, then))
    return found


def _is_locked(locks: dict[bytes, HeldPath], path: bytes) -> bool:
    return _lock_of(path, locks) is not None


def _lock_of(path: bytes, locks: dict[bytes, HeldPath]) -> HeldPath | None:
    """The lock of this path, or of a folder that it lies in."""
    while path:
        if path in locks:
            return locks[path]
        path = path.rpartition(b"/")[0]
    return None
