"""Refs, and what a push does to them."""

from __future__ import annotations

from typing import NamedTuple

from lepton_server.git.program import Git

NO_OBJECT = "0" * 40


class RefMove(NamedTuple):
    """One line of git's: a ref (its full name) moves from `old` to `new`; forty zeros where there is or will be none."""

    old: str
    new: str
    ref: str

    @property
    def deletes(self) -> bool:
        return self.new == NO_OBJECT


def refs_of(git: Git) -> dict[str, str]:
    """Every ref of a repository: full name and object name."""
    lines = git.run("for-each-ref", "--format=%(objectname) %(refname)").decode().splitlines()
    return {ref: oid for oid, ref in (line.split(" ", 1) for line in lines)}
