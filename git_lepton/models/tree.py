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


class NoSuchRevision(WrongUse):
    """This names no commit here."""


class TreeFile(NamedTuple):
    """A file as git has it: its mode ("100644", "100755", "120000") and the name of its blob."""

    mode: str
    blob: str


class Tree(NamedTuple):
    """The files by path. `commit`: the commit's name, "" for the index."""

    commit: str
    files: Mapping[str, TreeFile]

    def matching(self, globs: Iterable[str]) -> dict[str, TreeFile]:
        """The files that one of these globs names, by path; globs as docs/evaluation.md has them."""
        wanted = [matcher(glob.removeprefix("./").strip("/")) for glob in globs]
        return {path: file for path, file in self.files.items() if any(match(path) for match in wanted)}


def index_tree(git: GitRepository) -> Tree:
    """What is staged. Paths that are not merged are left out."""
    arguments = ("ls-files", "--full-name", "-s", "-z", "--", *((str(git.top_level),) if git.top_level else ()))
    files = {}
    for line in os.fsdecode(git.run("--literal-pathspecs", *arguments)).split("\0")[:-1]:
        head, path = line.split("\t", 1)
        mode, blob, stage = head.split(" ")
        if stage == "0" and mode != "160000":
            files[path] = TreeFile(mode, blob)
    return Tree("", files)


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
