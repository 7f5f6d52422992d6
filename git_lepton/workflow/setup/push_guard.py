"""A plain `git push` to an ordinary remote sends weights only by our pre-push hook. Here it is seen to that a repository with weights
has the hook, and said where it has not.
"""

from __future__ import annotations

from git_lepton.errors import LeptonError
from git_lepton.git.hooks import INSTALLED, HooksFolder, default_folder, hooks_folder, pre_push_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from git_lepton.workspace import Workspace


class Unguarded(LeptonError):
    """No hook sends the weights of what is pushed. A warning: it is never raised."""


def ensure_guarded(workspace: Workspace) -> None:
    """Put the hook into a repository with a work tree that lacks it, as `git lepton install` does: a hook that is there is kept and
    run first, and nothing is written outside of the git directory. One look at a file where all is well. What stands in the way is
    `unguarded`'s to say."""
    if not workspace.settings.hooks or not _has_work_tree(workspace):
        return
    folder = _folder(workspace)
    if folder.owner == "repository" and pre_push_state(folder.path) != INSTALLED:
        from git_lepton.workflow.setup.pre_push_hook import install_hook

        try:
            install_hook(workspace.git)
        except (LeptonError, OSError):  # no reason why a file could not be added or checked out
            return


def unguarded(workspace: Workspace) -> Unguarded | None:
    """What to say where a `git push` to an ordinary remote of this repository would leave weights behind; else None."""
    remotes = ordinary_remotes(workspace)
    if not remotes or (state := pre_push_state((folder := _folder(workspace)).path)) == INSTALLED:
        return None
    return Unguarded(
        f"`git push {remotes[0]}` would leave the weights on this machine: its pre-push hook is {state}", way_out(folder, state)
    )


def way_out(folder: HooksFolder, state: str) -> str:
    """The command, or the line, that puts our hook where git looks for hooks."""
    from git_lepton.workflow.setup.pre_push_hook import advice

    return advice(folder, state)


def ordinary_remotes(workspace: Workspace) -> list[str]:
    """The remotes that git itself serves: those of `lepton::` need no hook."""
    settings = workspace.settings
    found = []
    for name in settings.config.subsections("remote"):
        urls = settings.config.all(f"remote.{name}.pushurl") or settings.config.all(f"remote.{name}.url")
        if any(not settings.rewrite(url, push=True).startswith(("lepton::", "lepton://")) for url in urls):
            found.append(name)
    return found


def _folder(workspace: Workspace) -> HooksFolder:
    if workspace.settings.config.last("core.hooksPath") is None:  # known already: git need not be asked
        return default_folder(workspace.git)
    return hooks_folder(workspace.git)


def _has_work_tree(workspace: Workspace) -> bool:
    """Not a bare repository that is deployed from; a linked work tree of a bare one is a work tree all the same."""
    git = workspace.git
    return git.top_level is not None and (git.git_dir != git.common_dir or workspace.settings.config.last("core.bare") != "true")
