"""`git lepton install` and `uninstall`: git's configuration and the pre-push hook, written and taken back.

What is done is told in sentences, for whoever shows them.
"""

from __future__ import annotations

from pathlib import Path

from git_lepton.git import configuration
from git_lepton.git.repository import NotARepository
from git_lepton.workflow.setup.pre_push_hook import (
    ForeignHooksFolder,
    HookChanged,
    install_hook,
    install_users_hook,
    remove_hook,
    remove_users_hook,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from git_lepton.git.repository import GitRepository

    Scope = Literal["global", "local"]


def install(git: GitRepository, scope: Scope = "global", *, hooks: bool = True) -> list[str]:
    """Set up the filter for the user ("global") or for this repository ("local"), and the pre-push hook: inside a repository for that,
    and for all where the user has a folder of hooks for all. Without `hooks` none will be written later either, until somebody
    installs with them.

    Gives a sentence for each thing done. Raises NotARepository (scope "local"), HookChanged.
    """
    inside = _is_inside(git)
    if scope == "local" and not inside:
        git.git_dir  # noqa: B018 - raises NotARepository
    configuration.configure(git, scope)
    done = ["git uses git-lepton " + ("in all of your repositories" if scope == "global" else "in this repository")]
    if scope == "global" and inside and configuration.is_configured_in(git, "local"):
        configuration.configure(git, "local")  # what an earlier installation left there would win
    configuration.allow_hooks(git, hooks, scope)
    if hooks:
        done += _hooks(git, scope, inside=inside)
    return done


def uninstall(git: GitRepository, scope: Scope = "global") -> list[str]:
    """Take back what `install` wrote in this scope, and inside a repository its hook. Tracked files and stored weights stay.

    Gives a sentence for each thing done. Raises NotARepository (scope "local"), HookChanged.
    """
    inside = _is_inside(git)
    if scope == "local":
        git.git_dir  # noqa: B018 - raises NotARepository
    done = []
    if inside and remove_hook(git):
        done.append("the pre-push hook is as it was before")
    local = inside and configuration.take_back(git, "local")
    everywhere = scope == "global" and configuration.take_back(git, "global")
    if scope == "global":
        if remove_users_hook(git):
            done.append("the pre-push hook of all of your repositories is as it was before")
        _drop_if_empty()
    if local or everywhere:
        done.append("git's configuration is as it was before")
    return done or ["nothing of git-lepton was installed here"]


def ensure_installed(git: GitRepository, *, hooks: bool = True) -> list[str]:
    """Make the filter and the hook work in this repository if they do not yet. Gives a sentence for each thing done that a
    user should know. Without `hooks` none will be written later either."""
    done = []
    if not configuration.is_configured(git):
        configuration.configure(git, "local")
        done.append("git uses git-lepton in this repository")
    if not hooks:
        configuration.allow_hooks(git, False)
    elif configuration.hooks_allowed(git):
        try:
            install_hook(git)
        except (ForeignHooksFolder, HookChanged) as error:
            done.append(f"{error.message}. {error.hint}")
    return done


def _hooks(git: GitRepository, scope: Scope, *, inside: bool) -> list[str]:
    try:
        everywhere = install_users_hook(git) if scope == "global" else None
        hook = install_hook(git) if inside else everywhere
    except ForeignHooksFolder as error:
        return [f"{error.message}. {error.hint}"]
    return [f"{hook} sends the weights of what you push"] if hook else []


def _is_inside(git: GitRepository) -> bool:
    try:
        return bool(git.git_dir)
    except NotARepository:
        return False


def _drop_if_empty() -> None:
    """git leaves a file without a byte behind, which hides $XDG_CONFIG_HOME/git/config from later writes."""
    user_file = Path.home() / ".gitconfig"
    if user_file.is_file() and not user_file.is_symlink() and user_file.stat().st_size == 0:
        user_file.unlink()
