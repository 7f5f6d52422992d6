"""Paths of a list that the commits of a push change: what git brings that no ref reached before, and what a ref gives up.

A commit with one parent changes what differs from it. A merge changes what is not what merging its parents gives by itself: a version
that one side has changed since their common commit counts as brought from there, wherever that landed before. Where a ref moves
elsewhere than forward, it changes what the commits that it gives up had changed; where it is deleted, only those count that no other
ref reaches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from lepton_server.git.program import Git

_DIFF = ("diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", "--root", "-m")
_LISTED_AT_ONCE = 200  # paths that are handed to git; of more the whole tree is listed
Files = Mapping[bytes, bytes]  # path -> mode and name of the blob
Concerns = Callable[[bytes], bool]
"""Whether a path is one of those that are asked about."""


class Changed(NamedTuple):
    """A path, and the commit that changes it (of a ref that gives commits up: the new tip)."""

    path: bytes
    commit: str


def changed_by_commits(git: Git, tips: Sequence[str], paths: Sequence[bytes], concerns: Concerns) -> Iterator[Changed]:
    """What the commits change that these tips (commits) reach and no ref does yet."""
    if tips:
        stdin = "\n".join(tips)
        yield from _changed_by(git, _parents(git, stdin, "--not", "--all"), paths, concerns)


def changed_by_deletion(
    git: Git, tips: Sequence[str], staying: Sequence[str], paths: Sequence[bytes], concerns: Concerns
) -> Iterator[Changed]:
    """What the commits change that these tips (commits) reach and none of the `staying` ones (objects) does: nothing would reach them."""
    stdin = "\n".join([*tips, *(f"^{name}" for name in staying)])
    yield from _changed_by(git, _parents(git, stdin), paths, concerns)


def _changed_by(git: Git, parents: Mapping[str, Sequence[str]], paths: Sequence[bytes], concerns: Concerns) -> Iterator[Changed]:
    """What these commits change, each of which comes with its parents."""
    plain = [commit for commit, before in parents.items() if len(before) < 2]
    merges = [commit for commit, before in parents.items() if len(before) >= 2]
    for commit, path in _differing(git, plain, paths):
        if concerns(path):
            yield Changed(path, commit)
    touched = {commit for commit, path in _differing(git, merges, paths) if concerns(path)}
    for commit in touched:
        for path in _decided_by_merge(git, commit, parents[commit], paths, concerns):
            yield Changed(path, commit)


def changed_by_move(git: Git, old: str, new: str, paths: Sequence[bytes], concerns: Concerns) -> Iterator[Changed]:
    """What a ref takes back that moves from one commit to another which does not come after it."""
    before, after = _files(git, old, paths, concerns), _files(git, new, paths, concerns)
    bases = _base_files(git, [old, new], paths, concerns)
    for path in before.keys() | after.keys():
        given_up = all(base.get(path) != before.get(path) for base in bases)
        if before.get(path) != after.get(path) and given_up:
            yield Changed(path, new)


def _parents(git: Git, stdin: str, *limits: str) -> dict[str, list[str]]:
    """The commits that git lists for these lines and limits, with their parents."""
    listing = git.run("rev-list", "--parents", "--stdin", *limits, stdin=stdin.encode())
    rows = (line.split(" ") for line in listing.decode().splitlines())
    return {commit: parents for commit, *parents in rows}


def _differing(git: Git, commits: Sequence[str], paths: Sequence[bytes]) -> Iterator[tuple[str, bytes]]:
    """(Commit, path) for all that differs between a commit and any of its parents."""
    if not commits:
        return
    named = paths if len(paths) <= _LISTED_AT_ONCE else ()
    stdin = "".join(f"{commit}\n" for commit in commits).encode()
    fields = iter(_literal(git).run(*_DIFF, "--stdin", "--", *named, stdin=stdin).split(b"\0"))
    commit = ""
    for field in fields:
        if field.startswith(b":"):
            yield commit, next(fields)
        elif field:
            commit = field.decode()


def _decided_by_merge(
    git: Git, commit: str, parents: Sequence[str], paths: Sequence[bytes], concerns: Concerns
) -> Iterator[bytes]:
    """The paths at which a merge has something else than its parents give by themselves."""
    merged = _files(git, commit, paths, concerns)
    sides = [_files(git, parent, paths, concerns) for parent in parents]
    bases = _base_files(git, parents, paths, concerns)
    for path in {path for files in (merged, *sides) for path in files}:
        before = {base.get(path) for base in bases}
        offered = {side.get(path) for side in sides}
        by_itself = (offered - before) or offered
        if by_itself != {merged.get(path)}:
            yield path


def _base_files(git: Git, commits: Sequence[str], paths: Sequence[bytes], concerns: Concerns) -> list[Files]:
    """The files of the best common ancestors of two commits, or of all; no files where they have no ancestor in common."""
    common = ("--octopus",) if len(commits) > 2 else ()
    bases = git.run("merge-base", "--all", *common, *commits, expected=(0, 1)).decode().split()
    return [_files(git, base, paths, concerns) for base in bases] or [{}]


def _files(git: Git, commit: str, paths: Sequence[bytes], concerns: Concerns) -> Files:
    """The files of a commit that are asked about."""
    named = paths if len(paths) <= _LISTED_AT_ONCE else ()
    listing = _literal(git).run("ls-tree", "-r", "-z", "--full-tree", commit, "--", *named)
    rows = (entry.split(b"\t", 1) for entry in listing.split(b"\0") if entry)
    return {path: head for head, path in rows if concerns(path)}


def _literal(git: Git) -> Git:
    """Paths are names here and never patterns."""
    return git._replace(extra={**git.extra, "GIT_LITERAL_PATHSPECS": "1"})


def tips_of(git: Git, names: Iterable[str]) -> dict[str, str]:
    """What each object name is through tags: a commit, or "" where it is something else."""
    asked = list(dict.fromkeys(names))
    lines = git.run("cat-file", "--batch-check", stdin="".join(f"{name}^{{}}\n" for name in asked).encode()).decode().splitlines()
    rows = [line.split(" ") for line in lines]
    return {name: row[0] if len(row) == 3 and row[1] == "commit" else "" for name, row in zip(asked, rows, strict=True)}
