"""What a user may mean by `[REMOTE] [REF...]`."""

from __future__ import annotations

from collections.abc import Sequence

from git_lepton.errors import WrongUse
from git_lepton.git.repository import GitRepository


class UnknownRevision(WrongUse):
    """A name is neither a remote nor a revision of this repository."""


def remote_and_revisions(git: GitRepository, names: Sequence[str]) -> tuple[str | None, list[str]]:
    """The remote (a configured one, or an address) if the first name is one, and the revisions. Raises UnknownRevision."""
    remote, rest = None, list(names)
    if rest and (git.config_all(f"remote.{rest[0]}.url") or (not _is_commit(git, rest[0]) and set(rest[0]) & set(":/\\"))):
        remote = rest.pop(0)
    for name in rest:
        if not _is_commit(git, name):
            raise UnknownRevision(f"{name!r} is neither a remote nor a commit of this repository", "git branch -a; git remote -v")
    return remote, rest


def _is_commit(git: GitRepository, name: str) -> bool:
    return git.rev_parse(f"{name}^{{commit}}") is not None
