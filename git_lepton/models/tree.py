"""Trees: the files of one commit, or of the index, which is what the next commit will have."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from git_lepton.errors import WrongUse
from git_lepton.format.globs import matcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from git_lepton.git.repository import GitRepository

LINK_MODE = "120000"
_SUBMODULE_MODE = "160000"


class NoSuchRevision(WrongUse):
    """This names no commit here."""


class NotMerged(WrongUse):
    """A file has a conflict, so nobody knows what the next commit will have."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} has a conflict that is not resolved", "Resolve it, and git add it.")


class TreeFile(NamedTuple):
    """A file as git has it: its mode ("100644", "100755", "120000") and the name of its blob."""

    mode: str
    blob: str


class Tree(NamedTuple):
    """The files by path; no submodules. `commit`: the commit's name, "" for the index. `unmerged`: paths that have a conflict."""

    commit: str
    files: Mapping[str, TreeFile]
    unmerged: frozenset[str] = frozenset()

    def file(self, path: str) -> TreeFile | None:
        """The file at this path. Raises NotMerged."""
        if path in self.unmerged:
            raise NotMerged(path)
        return self.files.get(path)

    def matching(self, globs: Iterable[str]) -> dict[str, TreeFile]:
        """The files that one of these globs names, by path; globs as docs/evaluation.md has them. Raises NotMerged."""
        found: dict[str, TreeFile] = {}
        for glob in globs:
            names = matcher(glob.removeprefix("./").strip("/"))
            for path in filter(names, self.unmerged):
                raise NotMerged(path)
            found |= {path: self.files[path] for path in filter(names, self.files)}
        return found


def index_tree(git: GitRepository) -> Tree:
    """What is staged, in the index that git uses now (while it makes a commit of some files, that is not .git/index)."""
    arguments = ("ls-files", "--full-name", "-s", "-z", "--", *((str(git.top_level),) if git.top_level else ()))
    files, unmerged = {}, set()
    for line in os.fsdecode(git.run("--literal-pathspecs", *arguments)).split("\0")[:-1]:
        head, path = line.split("\t", 1)
        mode, blob, stage = head.split(" ")
        if stage != "0":
            unmerged.add(path)
        elif mode != _SUBMODULE_MODE:
            files[path] = TreeFile(mode, blob)
    return Tree("", files, frozenset(unmerged))


def revision_tree(git: GitRepository, revision: str) -> Tree:
    """The files of a commit. Raises NoSuchRevision."""
    commit = git.rev_parse(f"{revision}^{{commit}}")
    if commit is None:
        raise NoSuchRevision(
            f"{revision} names no commit here", "git fetch brings what a remote has; git log lists what is here."
        )
    files = {}
    for line in os.fsdecode(git.run("ls-tree", "-r", "-z", "--full-tree", commit)).split("\0")[:-1]:
        head, path = line.split("\t", 1)
        mode, kind, blob = head.split(" ")
        if kind == "blob":
            files[path] = TreeFile(mode, blob)
    return Tree(commit, files)
