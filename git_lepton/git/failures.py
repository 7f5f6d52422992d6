"""Kinds of git's failures: who can mend each, and git's own way out where it names one."""

from __future__ import annotations

import re
from collections.abc import Callable

from git_lepton.errors import CorruptData, LeptonError, NetworkTrouble, NotAllowed, WrongUse
from git_lepton.git.errors import LEAST_GIT, GitFailed

_USAGE = 129  # git's exit code for arguments that it does not know


class GitRefused(GitFailed, WrongUse):
    """git did not do what it was asked to, for a reason that it says."""


class ForeignRepository(GitFailed, NotAllowed):
    """The repository belongs to somebody else, and git does not use it before you have said that it may."""


class NoHome(GitFailed, WrongUse):
    """git's configuration of yours is in your home folder, and HOME does not say where that is."""


class FolderGone(GitFailed, WrongUse):
    """The current folder was removed."""


class OutsideOfWorkTree(GitFailed, WrongUse):
    """The current folder is inside a git directory, where there are no files of yours."""


class GitOutOfSpace(GitFailed, WrongUse):
    """The disk on which git writes is full."""


class GitMayNot(GitFailed, NotAllowed):
    """The file system does not let git read or write what it needs."""


class GitDataDamaged(GitFailed, CorruptData):
    """An object or the index of the repository cannot be read."""


class GitUnreachable(GitFailed, NetworkTrouble):
    """git could not reach the other repository from which it was to bring something."""


class GitTooOld(GitFailed, WrongUse):
    """The installed git does not know what we ask of it."""


class GitMisused(GitFailed):
    """We asked something of git that it does not know."""


_KINDS: tuple[tuple[str, type[GitFailed], str], ...] = (
    ("dubious ownership|unsafe repository", ForeignRepository, ""),
    (
        r"\$HOME not set",
        NoHome,
        "Set HOME to your home folder (for tokens alone: GIT_LEPTON_TOKEN and GIT_LEPTON_HOST), and repeat.",
    ),
    ("unable to (read|get) current working directory", FolderGone, "Go to a folder that is there: cd"),
    ("must be run in a work tree", OutsideOfWorkTree, "Go to the folder where your files are."),
    ("no space left on device|disk quota exceeded|file too large", GitOutOfSpace, "Make room, then repeat."),
    (
        "permission denied|read-only file system|operation not permitted|insufficient permission",
        GitMayNot,
        "Change the rights of what it names, or work where you may write.",
    ),
    (
        "index file|bad signature|object file|loose object|corrupt|bad object|unable to read (tree|[0-9a-f]{40})|packfile",
        GitDataDamaged,
        "git fsck says what is damaged; git fetch and another clone bring objects back.",
    ),
    ("could not resolve|unable to access|could not fetch|early eof|connection|remote end hung up", GitUnreachable, "Try again."),
    (r"\.lock", GitRefused, "Another git may be running: wait for it. If none is, remove the file that it names."),
    ("config", GitRefused, "git config --list --show-origin says which file holds what."),
)


def failure(arguments: tuple[str, ...], status: int, stderr: str, ask_version: Callable[[], str]) -> GitFailed:
    """The error for a git that ended so. `ask_version` runs `git version`, where the failure may lie in an old git."""
    if status == _USAGE:
        return _too_new_for(arguments, status, stderr, ask_version)
    if status < 0:
        return GitRefused(arguments, status, f"it was ended by signal {-status}", "Run the same again.")
    for words, kind, hint in _KINDS:
        if re.search(words, stderr, re.IGNORECASE):
            return kind(arguments, status, stderr, _way_out(stderr) or hint)
    return GitRefused(arguments, status, stderr)


def _way_out(stderr: str) -> str:
    """The command that git itself names."""
    named = re.search(r"^\s+(git config --global --add safe\.directory .*)$", stderr, re.MULTILINE)
    return f"If you trust its owner: {named[1]}" if named else ""


def _too_new_for(arguments: tuple[str, ...], status: int, stderr: str, ask_version: Callable[[], str]) -> GitFailed:
    least = ".".join(map(str, LEAST_GIT))
    try:
        version = re.search(r"(\d+)\.(\d+)", ask_version())
    except LeptonError:
        version = None
    if version and (int(version[1]), int(version[2])) < LEAST_GIT:
        return GitTooOld(arguments, status, stderr, f"Install git {least} or later; this is {version[0]}.")
    return GitMisused(arguments, status, stderr, "Please report this.")
