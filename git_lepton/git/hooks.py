"""Hooks of a repository: where git looks for them, and whether its pre-push hook starts ours. One look at one file: every program that
meets weights asks.
"""

from __future__ import annotations

import os
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from git_lepton.git.repository import GitRepository

INSTALLED = "installed"
ABSENT = "absent"
NOT_OURS = "another hook, which does not start ours"
NOT_STARTED = "there, but not executable, so that git passes over it"


class HooksFolder:
    """A folder of hooks. `owner`: "repository" for one inside its git directory, "user" for the one that the user's own
    core.hooksPath names for all repositories, "other" for any other: a tracked folder, or one that a repository's config names or a
    link leads to (`linked`: `path` is then where it leads)."""

    __slots__ = ("linked", "owner", "path")

    def __init__(self, path: Path, owner: Literal["repository", "user", "other"], *, linked: bool = False) -> None:
        self.path, self.owner, self.linked = path, owner, linked


def hooks_folder(git: GitRepository) -> HooksFolder:
    """Where git looks for this repository's hooks."""
    if git.config("core.hooksPath") is None:
        return default_folder(git)
    path = git.git_path("hooks")
    if _resolved(path).is_relative_to(_resolved(git.common_dir)):
        return HooksFolder(path, "repository")
    return HooksFolder(path, "user" if users_folder(git) == path else "other")


def default_folder(git: GitRepository) -> HooksFolder:
    """Where git looks for them while core.hooksPath is not set. Some make it a link to hooks of a whole team, or to tracked ones."""
    path = git.common_dir / "hooks"
    target = _resolved(path)
    if target.is_relative_to(_resolved(git.common_dir)):
        return HooksFolder(path, "repository")
    return HooksFolder(target, "other", linked=True)


def users_folder(git: GitRepository) -> Path | None:
    """The folder of hooks of all of the user's repositories; None where the user's own configuration names none, or a relative one,
    which is another in each repository. Asked outside of a repository too."""
    status, output, _ = git.try_run("config", "--global", "--type=path", "--includes", "--get", "core.hooksPath")
    folder = Path(os.fsdecode(output).removesuffix("\n"))
    return folder if status == 0 and folder.is_absolute() else None


def pre_push_state(folder: Path) -> str:
    """What git finds as pre-push hook there: INSTALLED, ABSENT, NOT_OURS or NOT_STARTED."""
    hook = folder / "pre-push"
    try:
        content = hook.read_bytes()
    except FileNotFoundError:  # a link whose target is away for the moment is somebody's all the same
        return NOT_OURS if hook.is_symlink() else ABSENT
    except OSError:  # a folder, a loop of links, or not to be read: then it does not start ours
        return NOT_OURS
    if not os.access(hook, os.X_OK):
        return NOT_STARTED
    lines = (line.strip() for line in content.replace(b"git_lepton", b"lepton").splitlines())
    return INSTALLED if any(b"lepton pre-push" in line and not line.startswith(b"#") for line in lines) else NOT_OURS


def _resolved(path: Path) -> Path:
    return Path(os.path.realpath(path))  # Path.resolve raises at a loop of links
