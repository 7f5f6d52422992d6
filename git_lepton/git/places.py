"""Places of a repository: its git directories and its work tree, as git itself finds them, and what of that its environment has to say
when git is run in another folder.
"""

from __future__ import annotations

import os
from pathlib import Path

from git_lepton.errors import WrongUse
from git_lepton.git.program import GitProgram, git_failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class NotARepository(WrongUse):
    """The folder is in no git repository."""


class Places:
    """`git_dir` is this work tree's own, `common_dir` the one that all work trees share, `top_level` the top of the work tree, or None
    in a bare repository. All are absolute."""

    __slots__ = ("common_dir", "git_dir", "top_level")

    def __init__(self, git_dir: Path, common_dir: Path, top_level: Path | None) -> None:
        self.git_dir, self.common_dir, self.top_level = git_dir, common_dir, top_level

    @property
    def top(self) -> Path:
        """Where paths of the repository start; in a bare one no files are there."""
        return self.top_level or self.git_dir

    def absolute(self, given: Mapping[str, str]) -> dict[str, str]:
        """The variables of the given environment that say where a repository is by relative paths, in words that hold in any folder: git
        takes an index from the top of the work tree, all else from the folder where it was started."""
        known = {"GIT_DIR": self.git_dir, "GIT_COMMON_DIR": self.common_dir, "GIT_WORK_TREE": self.top_level}
        places = {name: str(place) for name, place in known.items() if place and given.get(name)}
        if index := given.get("GIT_INDEX_FILE"):
            places["GIT_INDEX_FILE"] = str((self.top_level or Path.cwd()) / index)
        if objects := given.get("GIT_OBJECT_DIRECTORY"):
            places["GIT_OBJECT_DIRECTORY"] = str(Path.cwd() / objects)
        return places

    def named(self) -> dict[str, str]:
        """Variables that name this repository to a git in its top folder, which need not find it from there by itself."""
        work_tree = {"GIT_WORK_TREE": str(self.top_level)} if self.top_level else {}
        return {"GIT_DIR": str(self.git_dir), **work_tree}


def find_places(git: GitProgram) -> Places:
    """Raises NotARepository, GitFailed."""
    status, output, stderr = git.try_run("rev-parse", "--absolute-git-dir", "--git-common-dir", "--show-toplevel")
    lines = os.fsdecode(output).splitlines()
    if len(lines) < 2:
        if "not a git repository" not in stderr:  # for example one that belongs to somebody else
            raise git_failed(("rev-parse",), status, stderr)
        where = git.folder or Path.cwd()
        raise NotARepository(f"{where} is not in a git repository", "Go to a repository, or make one with `git init`.")
    common = Path(os.path.abspath(Path(git.folder or "") / lines[1]))  # noqa: PTH100 - resolve() would follow links
    return Places(Path(lines[0]), common, Path(lines[2]) if len(lines) > 2 else None)
