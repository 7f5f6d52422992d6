"""Git repositories on the server's disk: where they are, how one comes to be, what its HEAD and refs are.

Below the root lie `OWNER/NAME.git`, `.empty.git` (it stands for repositories that are not there yet) and `.hooks`: no name
begins with a dot. No path is built from a name that the wire protocol does not allow.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from git_lepton.errors import LeptonError, WrongUse
from lepton_server.durable import sync_folder, sync_tree, write_whole
from lepton_server.git.hook_listener import HOOK
from lepton_server.git.program import SETTINGS, Git
from lepton_server.git.refs import RefMove, refs_of

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_ABANDONED_SECONDS = 24 * 3600.0
_EMPTY = ".empty.git"
_HOOKS = ".hooks"
_BRANCHES = "refs/heads/"
_USUAL_BRANCHES = ("refs/heads/main", "refs/heads/master")


class BadRepositoryName(WrongUse):
    """An owner or a name that the wire protocol does not allow."""


class HookMissing(LeptonError):
    """The pre-receive hook is not there or cannot run; without it git would take any push."""


@dataclass(frozen=True)
class GitRoot:
    """The folder of all git repositories of a server."""

    path: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", self.path.absolute())  # git would take a relative one from inside a repository

    def repository(self, owner: str, name: str) -> Path:
        """The folder of a repository, whether it is there or not. Raises BadRepositoryName."""
        if not _NAME.fullmatch(owner) or not _NAME.fullmatch(name) or name.endswith(".git"):
            raise BadRepositoryName(f"{f'{owner}/{name}'[:210]!r} is no name of a repository")
        return self.path / owner / f"{name}.git"

    @property
    def empty(self) -> Path:
        return self.path / _EMPTY

    @property
    def hooks(self) -> Path:
        """Of this version of the program: another may serve the same repositories meanwhile."""
        return self.path / _HOOKS / hashlib.sha256(HOOK.encode()).hexdigest()[:12]

    def prepare(self) -> None:
        """Write the hook and the empty repository. Raises GitMissing, or HookMissing where programs cannot run."""
        create_bare(self.empty)
        self.hooks.mkdir(parents=True, exist_ok=True)
        if not self._hook_is_whole():
            write_whole(self._hook, HOOK, 0o755)
        self.check_hook()
        seen = os.fsdecode(Git(self.empty, settings=self.settings()).run("rev-parse", "--git-path", "hooks/pre-receive")).strip()
        if Path(seen) != self._hook:
            raise HookMissing(f"git would run {seen} before a push and not the server's own hook", "This is a fault of ours.")

    @property
    def _hook(self) -> Path:
        return self.hooks / "pre-receive"

    def check_hook(self) -> None:
        """Raises HookMissing unless git will run our hook: git silently skips one that is absent or not executable."""
        if not self._hook_is_whole():
            raise HookMissing(
                "the server's pre-receive hook cannot run, so no push can be checked",
                f"Start lepton-server again; {self.hooks} must not be mounted noexec.",
            )

    def _hook_is_whole(self) -> bool:
        return os.access(self._hook, os.X_OK) and self._hook.read_text() == HOOK

    def settings(self) -> dict[str, str]:
        """Git's settings for serving these repositories."""
        return {**SETTINGS, "core.hooksPath": str(self.hooks)}


def create_bare(directory: Path) -> None:
    """A new bare repository, whole and durable when it is seen; no error if it is there already, or if another comes first."""
    if directory.exists():
        return
    directory.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".new-", dir=directory.parent))
    try:
        new = scratch / "repository"
        Git(new).run("init", "--bare", "--quiet", "--template=", "--initial-branch=main", "--object-format=sha1")
        sync_tree(new)
        new.rename(directory)
        sync_folder(directory.parent)
    except OSError:
        if not directory.exists():
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def settle_head(git: Git, pushed: Iterable[RefMove]) -> str | None:
    """Let an unborn HEAD name the branch that was just pushed (of several: main, master, the first). Gives HEAD's branch, or None
    while it is unborn."""
    branches = [ref for ref in refs_of(git) if ref.startswith(_BRANCHES)]
    head = git.run("symbolic-ref", "HEAD").decode().strip()
    if head not in branches:
        arrived = [move.ref for move in pushed if move.ref in branches]
        choice = next((ref for ref in _USUAL_BRANCHES if ref in arrived), next(iter(arrived), None))
        if choice is None:
            return None
        git.run("symbolic-ref", "HEAD", choice)
        head = choice
    return head.removeprefix(_BRANCHES)


def sweep_quarantines(directory: Path) -> None:
    """Remove what pushes left that ended with the machine or by force: nothing of it was ever visible."""
    for quarantine in (directory / "objects").glob("tmp_objdir-incoming-*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - quarantine.stat().st_mtime > _ABANDONED_SECONDS:
                shutil.rmtree(quarantine, ignore_errors=True)
