"""Revisions: what a user may mean by `[REMOTE] [REF...]`."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote

from git_lepton.errors import WrongUse
from git_lepton.git.repository import GitRepository


class UnknownRevision(WrongUse):
    """A name is neither a remote nor a revision of this repository."""


def remote_and_revisions(git: GitRepository, names: Sequence[str], *, tracked: bool = False) -> tuple[str | None, list[str]]:
    """The remote (a configured one, or an address) if the first name is one, and the revisions.

    `tracked`: a branch that only the remote has is what git last saw there. Raises UnknownRevision.
    """
    remote, rest = None, list(names)
    if rest and (git.config_all(f"remote.{rest[0]}.url") or (not _is_commit(git, rest[0]) and set(rest[0]) & set(":/\\"))):
        remote = rest.pop(0)
    return remote, [_revision(git, remote if tracked else None, name) for name in rest]


def _revision(git: GitRepository, remote: str | None, name: str) -> str:
    if _is_commit(git, name):
        return name
    if remote is None:
        raise UnknownRevision(f"{name!r} is neither a remote nor a commit of this repository", "git branch -a; git remote -v")
    if _is_commit(git, seen := f"refs/remotes/{remote}/{name}"):
        return seen
    named = remote if git.config_all(f"remote.{remote}.url") else "ADDRESS"  # which may hold a password
    raise UnknownRevision(
        f"git has no {name!r} of this remote yet", f"`git fetch {quote(named)} {quote(name)}` brings it; then run this again."
    )


def _is_commit(git: GitRepository, name: str) -> bool:
    return git.rev_parse(f"{name}^{{commit}}") is not None
