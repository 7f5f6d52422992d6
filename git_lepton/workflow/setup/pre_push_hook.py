"""The pre-push hook of one repository: written beside the hook that is there, and taken back without a trace.

A hook that was there first is kept as `pre-push.before-lepton` and run first, with the same arguments and the same input; if
it fails, so does the push. A hook of ours says in its second line what the rest of it hashes to, so that one which
somebody has edited is recognised and left alone.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
from pathlib import Path

from git_lepton.errors import WrongUse
from git_lepton.git.configuration import command_line
from git_lepton.git.hooks import ABSENT, INSTALLED, NOT_OURS, NOT_STARTED, HooksFolder, hooks_folder, pre_push_state, users_folder
from git_lepton.store.durable import make_folder, sync_folder, write_durably

TYPE_CHECKING = False
if TYPE_CHECKING:
    from git_lepton.git.repository import GitRepository

EARLIER = "pre-push.before-lepton"
LINE = 'git lepton pre-push "$@"'  # what a hook of somebody's own needs
_MARK = re.compile(rb"\A#!/bin/sh\n# git-lepton hook, sha256 ([0-9a-f]{64})\n")


class HookChanged(WrongUse):
    """The hook that git-lepton wrote was changed since, or replaced: it is not ours to overwrite."""


class ForeignHooksFolder(WrongUse):
    """Git's hooks are in a folder outside of the git directory, by core.hooksPath or by a link: it serves others too, or is tracked."""

    def __init__(self, folder: HooksFolder) -> None:
        said = "a link leads from the hooks of this repository to" if folder.linked else "core.hooksPath says that hooks are in"
        super().__init__(
            f"{said} {folder.path}, where git-lepton does not write",
            advice(folder, pre_push_state(folder.path)),
        )


def advice(folder: HooksFolder, state: str) -> str:
    """What a person does to have the hook where git looks for hooks, and finds one in this state."""
    hook = folder.path / "pre-push"
    if state == NOT_STARTED:
        return f"chmod +x {shlex.quote(str(hook))}, then: git lepton doctor"
    if folder.owner == "repository" or (folder.owner == "user" and state == ABSENT):
        return "git lepton install"
    begin = (
        ""
        if state == NOT_OURS
        else f", which is to begin with #!/bin/sh and to be executable (chmod +x {shlex.quote(str(hook))})"
    )
    return f"Add this line to {hook}: {LINE}{begin}"


def install_hook(git: GitRepository) -> Path:
    """Write the hook into this repository; a no-op if it is there. Gives its path. Raises HookChanged, ForeignHooksFolder."""
    folder = hooks_folder(git)
    if folder.owner != "repository":
        if pre_push_state(folder.path) == INSTALLED:
            return folder.path / "pre-push"
        raise ForeignHooksFolder(folder)
    return _write(folder.path / "pre-push")


def install_users_hook(git: GitRepository) -> Path | None:
    """Write the hook into the folder that the user's own core.hooksPath names for all repositories; git looks into no other then. None
    where there is no such folder. A hook of somebody's own there is left alone: raises ForeignHooksFolder."""
    path = users_folder(git)
    if path is None:
        return None
    state = pre_push_state(path)
    if state == ABSENT or _is_ours(_read(path / "pre-push") or b""):
        return _write(path / "pre-push")
    if state == INSTALLED:
        return path / "pre-push"
    raise ForeignHooksFolder(HooksFolder(path, "user"))


def _write(hook: Path) -> Path:
    earlier = hook.with_name(EARLIER)
    present = _read(hook)
    if present is not None and _is_ours(present):
        if present == script() and os.access(hook, os.X_OK):
            return hook
    elif present is not None:
        _refuse_if(_claims_to_be_ours(present), f"{hook} was changed since git-lepton wrote it")
        if pre_push_state(hook.parent) == INSTALLED:
            return hook  # it starts ours: by a line of somebody's own, or pre-commit's does, which moved ours aside
        _keep(hook, earlier)
    make_folder(hook.parent)
    write_durably(hook, script(), mode=0o777)
    return hook


def _keep(hook: Path, earlier: Path) -> None:
    """Give the hook that is there its second name, before ours takes the first. Another process may be doing the same: the second name
    is never given twice, and never to a hook of ours, which would then start itself."""
    try:
        os.link(hook, earlier, follow_symlinks=False)
    except FileExistsError:
        taken = not os.path.samestat(earlier.lstat(), hook.lstat())  # the same: somebody stopped half way
        _refuse_if(
            taken and not _is_ours(_read(hook) or b""), f"{hook} replaced git-lepton's own, and {earlier.name} is still there"
        )
    except OSError:  # a file system without second names
        hook.rename(earlier)


def remove_hook(git: GitRepository) -> bool:
    """Take our hook away and put back what was there before. Whether ours was there. Raises HookChanged."""
    folder = hooks_folder(git)
    if folder.owner != "repository" or not _remove(folder.path / "pre-push"):
        return False
    if not any(folder.path.iterdir()):
        folder.path.rmdir()
    return True


def remove_users_hook(git: GitRepository) -> bool:
    """As `remove_hook`, of the folder that the user's own core.hooksPath names."""
    folder = users_folder(git)
    return folder is not None and _remove(folder / "pre-push")


def _remove(hook: Path) -> bool:
    present, earlier = _read(hook), hook.with_name(EARLIER)
    if present is None or not _claims_to_be_ours(present):
        return False
    _refuse_if(not _is_ours(present), f"{hook} was changed since git-lepton wrote it")
    if os.path.lexists(earlier):  # it may be a link whose target is away
        earlier.replace(hook)
    else:
        hook.unlink()
    sync_folder(hook.parent)
    return True


def script() -> bytes:
    """The hook. `$(...)` drops line ends at the end, hence the x."""
    body = f"""\
# Sends the weights that a push needs. `git lepton uninstall` takes this file back.
refs=$(cat; echo x)
refs=${{refs%x}}
earlier=$(dirname -- "$0")/{EARLIER}
if [ -x "$earlier" ]; then
    printf %s "$refs" | "$earlier" "$@" || exit
fi
case $2 in lepton:*) exit 0;; esac # the remote helper does it
printf %s "$refs" | (
    {command_line('pre-push "$@"')}
)
""".encode()
    return b"#!/bin/sh\n# git-lepton hook, sha256 %s\n" % hashlib.sha256(body).hexdigest().encode() + body


def _read(path: Path) -> bytes | None:
    """What the hook says; None where there is none. A link that leads nowhere is there, and says nothing."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b"" if path.is_symlink() else None


def _claims_to_be_ours(content: bytes) -> bool:
    return b"git-lepton hook, sha256" in content


def _is_ours(content: bytes) -> bool:
    mark = _MARK.match(content)
    return bool(mark and hashlib.sha256(content[mark.end() :]).hexdigest().encode() == mark[1])


def _refuse_if(condition: bool, sentence: str) -> None:
    if condition:
        raise HookChanged(sentence, f"Keep what you need of it in a hook of your own with the line: {LINE}")
