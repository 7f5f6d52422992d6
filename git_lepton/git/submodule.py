"""Submodules, told from other repositories: a tree may have named their remotes, and nobody typed them.

Git keeps submodules in the folder `modules` of the superproject's git directory, whatever that is called and wherever it lies (a
linked work tree's has one of its own). One with a git directory elsewhere is known to the repository around its work tree.
"""

from __future__ import annotations

import os
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from git_lepton.git.repository import GitRepository


def is_submodule(git: GitRepository) -> bool:
    """Raises NotARepository."""
    places = {place for folder in (git.git_dir, git.common_dir) for place in (folder, folder.resolve())}
    return any(map(_is_kept_by_another, places)) or any(map(_belongs_to_what_is_around, _work_trees(git)))


def _is_kept_by_another(git_dir: Path) -> bool:
    """Whether it lies in the `modules` of a git directory; in that of a submodule, for nested ones."""
    return any(folder.name.lower() == "modules" and (folder.parent / "HEAD").exists() for folder in git_dir.parents)


def _work_trees(git: GitRepository) -> Iterator[Path]:
    """The one we are in and, of a linked one, the main one; where git says or where the git directory lies in it."""
    places = [git.top_level, git.common_dir.parent if git.common_dir.name == ".git" else None]
    if configured := git.config("core.worktree"):
        places.append(git.common_dir / configured)
    yield from dict.fromkeys(place.resolve() for place in places if place is not None and place.is_dir())


def _belongs_to_what_is_around(work_tree: Path) -> bool:
    """Whether the repository around a work tree has it as a submodule, in its index or in its .gitmodules."""
    around = next((folder for folder in work_tree.parents if os.path.lexists(folder / ".git")), None)
    if around is None:
        return False
    from git_lepton.git.repository import GitRepository

    if GitRepository(work_tree).try_run("rev-parse", "--show-superproject-working-tree")[1].strip():
        return True
    listed = GitRepository(work_tree).try_run(
        "config", "-z", "--file", str(around / ".gitmodules"), "--get-regexp", r"^submodule\..*\.path$"
    )[1]
    paths = (os.fsdecode(entry.partition(b"\n")[2]) for entry in listed.split(b"\0") if entry)
    return work_tree in {Path(os.path.abspath(around / path)) for path in paths}  # noqa: PTH100 - resolve() would follow links
