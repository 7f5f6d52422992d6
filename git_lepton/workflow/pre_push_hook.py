"""The pre-push hook of one repository: written beside the hook that is there, and taken back without a trace.

A hook that was there first is kept as `pre-push.before-lepton` and run first, with the same arguments and the same input; if
it fails, so does the push. A hook of ours says in its second line what the rest of it hashes to, so that one which
somebody has edited is recognised and left alone.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from git_lepton.errors import WrongUse
from git_lepton.git.configuration import command_line
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
    """core.hooksPath names a folder outside of this repository: it serves others too, or is tracked."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"core.hooksPath says that hooks are in {folder}, where git-lepton does not write",
            f"Add this line to {folder / 'pre-push'}: {LINE}",
        )


def install_hook(git: GitRepository) -> Path:
    """Write the hook; a no-op if it is there. Gives its path. Raises HookChanged, ForeignHooksFolder."""
    hook = _own_folder(git) / "pre-push"
    earlier = hook.with_name(EARLIER)
    present = _read(hook)
    if present is not None and _is_ours(present):
        if present == script():
            return hook
    elif present is not None:
        _refuse_if(_claims_to_be_ours(present), f"{hook} was changed since git-lepton wrote it")
        _refuse_if(earlier.exists(), f"{hook} replaced git-lepton's own, and {earlier.name} is still there")
        hook.rename(earlier)
    make_folder(hook.parent)
    write_durably(hook, script())
    hook.chmod(0o755)
    return hook


def remove_hook(git: GitRepository) -> bool:
    """Take our hook away and put back what was there before. Whether ours was there. Raises HookChanged."""
    try:
        hook = _own_folder(git) / "pre-push"
    except ForeignHooksFolder:
        return False  # nothing of ours is there
    present, earlier = _read(hook), hook.with_name(EARLIER)
    if present is None or not _claims_to_be_ours(present):
        return False
    _refuse_if(not _is_ours(present), f"{hook} was changed since git-lepton wrote it")
    if earlier.exists():
        earlier.replace(hook)
    else:
        hook.unlink()
    sync_folder(hook.parent)
    if not any(hook.parent.iterdir()):
        hook.parent.rmdir()
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


def _own_folder(git: GitRepository) -> Path:
    folder = git.git_path("hooks")
    if not folder.resolve().is_relative_to(git.common_dir.resolve()):
        raise ForeignHooksFolder(folder)
    return folder


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _claims_to_be_ours(content: bytes) -> bool:
    return b"git-lepton hook, sha256" in content


def _is_ours(content: bytes) -> bool:
    mark = _MARK.match(content)
    return bool(mark and hashlib.sha256(content[mark.end() :]).hexdigest().encode() == mark[1])


def _refuse_if(condition: bool, sentence: str) -> None:
    if condition:
        raise HookChanged(sentence, f"Keep what you need of it in a hook of your own with the line: {LINE}")
