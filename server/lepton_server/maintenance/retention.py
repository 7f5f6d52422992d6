"""Retention: the versions (commits) of a repository that stay when older ones expire, and the weights that only the others have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lepton_server.git.history import named_in, small_blobs
from lepton_server.git.program import Git

_BRANCHES, _TAGS = "refs/heads/", "refs/tags/"
_CHANGES = ("log", "--full-history", "-m", "--root", "--raw", "-z", "--no-abbrev", "--no-renames", "--format=", "--stdin")


@dataclass(frozen=True)
class Keep:
    """What stays: what a tag names; the `last` versions of each branch, along first parents, its tip always; what is younger than so
    many seconds, by the dates of the commits. What other refs name stays as well."""

    tags: bool = True
    last: int = 1
    younger_s: float = 0.0


@dataclass(frozen=True)
class Versions:
    """All commits of a repository, and those of them (and other objects that refs name) that stay."""

    every: frozenset[str]
    kept: frozenset[str]

    @property
    def expired(self) -> int:
        return len(self.every - self.kept)


def versions(git: Git, refs: Mapping[str, str], keep: Keep, now_s: float) -> Versions:
    """Which stay, where the refs (full name to object name) are these."""
    kept: set[str] = set()
    for name, target in refs.items():
        if name.startswith(_BRANCHES):
            count = f"--max-count={max(1, keep.last)}"
            kept.update(git.run("rev-list", "--first-parent", count, target).decode().split())
        elif keep.tags or not name.startswith(_TAGS):
            kept.add(git.run("rev-parse", "--verify", f"{target}^{{}}").decode().strip())
    every: set[str] = set()
    listing = git.run("rev-list", "--stdin", "--no-commit-header", "--format=%H %ct", stdin=_lines(refs.values()))
    for line in listing.decode().splitlines():
        commit, seconds = line.split()
        every.add(commit)
        if keep.younger_s and int(seconds) > now_s - keep.younger_s:
            kept.add(commit)
    return Versions(frozenset(every), frozenset(kept))


def weights_of_expired(git: Git, refs: Mapping[str, str], kept: Iterable[str], path: str | None) -> set[bytes]:
    """The oids whose pointers stand in versions of these refs and in none that is kept; with `path` (a pattern as in .gitignore) only
    those that never stood anywhere else."""
    every = dict(small_blobs(git, refs.values()))
    if path is not None:
        elsewhere = _changed_at(git, refs, f":(glob,exclude){_anywhere(path)}")
        matching = _changed_at(git, refs, f":(glob){_anywhere(path)}")
        every = {blob: content for blob, content in every.items() if blob in matching and blob not in elsewhere}
    staying = {oid for _, content in small_blobs(git, kept, "--no-walk") for oid in named_in(content)}
    return {oid for content in every.values() for oid in named_in(content)} - staying


def _changed_at(git: Git, refs: Mapping[str, str], pathspec: str) -> set[str]:
    """The blobs that commits brought to matching paths."""
    fields = iter(git.run(*_CHANGES, "--", pathspec, stdin=_lines(refs.values())).split(b"\0"))
    found: set[str] = set()
    for field in fields:
        if field.startswith(b":"):  # else what separates commits; a path comes after each change and is taken with it
            found.add(field.split(b" ")[3].decode())
            next(fields)
    return found


def _anywhere(path: str) -> str:
    return path.lstrip("/") if "/" in path.rstrip("/") else f"**/{path}"


def _lines(names: Iterable[str]) -> bytes:
    return "".join(f"{name}\n" for name in names).encode()
