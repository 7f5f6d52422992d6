"""The pre-commit hook for people without pre-commit, and the switch that has models judged before a push."""

from __future__ import annotations

import os
from pathlib import Path

from git_lepton.errors import WrongUse
from git_lepton.git.configuration import command_line
from git_lepton.git.hooks import hooks_folder
from git_lepton.store.durable import make_folder, write_durably
from git_lepton.workflow.setup.pre_push_hook import install_hook

TYPE_CHECKING = False
if TYPE_CHECKING:
    from git_lepton.git.repository import GitRepository

GATES_KEY = "lepton.gates"
_COMMANDS = ("hook pointers", "hook pickles", "gate --stage commit")
_ADVICE = "Add to it: " + "; ".join(f"git lepton {command} || exit" for command in _COMMANDS)
_FIRST = "#!/bin/sh\n# Written by git-lepton hooks install; git lepton hooks uninstall takes it back.\n"


class OtherHook(WrongUse):
    """Another pre-commit hook is there already, or hooks lie where git-lepton does not write."""


def install_gates(git: GitRepository) -> list[str]:
    """Write the pre-commit hook, and have models judged before a push. Gives a sentence for each thing done. Raises OtherHook, and
    what `install_hook` raises."""
    hook = _place(git)
    present = _read(hook)
    if present is not None and not present.startswith(_FIRST.encode()):
        raise OtherHook(f"{hook} is a hook of somebody else's", _ADVICE)
    install_hook(git)
    make_folder(hook.parent)
    write_durably(hook, _script(), mode=0o777)
    git.set_config(GATES_KEY, "true")
    return [
        "before a commit, staged weights and pickles are looked at",
        "before a push, models that changed are judged by their gates",
    ]


def remove_gates(git: GitRepository) -> list[str]:
    """Take both back. Gives a sentence for each thing done. Raises OtherHook."""
    hook, done = _place(git), []
    present = _read(hook)
    if present is not None and present.startswith(_FIRST.encode()):
        hook.unlink()
        done.append("the pre-commit hook is gone")
    if git.config(GATES_KEY) is not None:
        git.unset_config(GATES_KEY)
        done.append("models are not judged before a push any more")
    return done or ["no hooks for models were installed here"]


def _place(git: GitRepository) -> Path:
    folder = hooks_folder(git)
    if folder.owner != "repository":
        raise OtherHook(f"hooks of this repository lie in {folder.path}, where git-lepton does not write", _ADVICE)
    return folder.path / "pre-commit"


def _script() -> bytes:
    lines = [f"({command_line(command)}) || exit" for command in _COMMANDS]
    return (_FIRST + "\n".join(lines) + "\n").encode("utf-8", "surrogateescape")


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b"" if os.path.lexists(path) else None
