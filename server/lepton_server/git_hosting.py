"""Git repositories on the server's disk: where they are, how one comes to be, what its HEAD and refs are.

Below the root lie `OWNER/NAME.git`, `.empty.git` (it stands for repositories that are not there yet) and `.hooks`: no name
begins with a dot. No path is built from a name that the wire protocol does not allow.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from git_lepton.errors import LeptonError, WrongUse
from lepton_server.git_program import SETTINGS, Git
from lepton_server.hook_desk import HOOK, RefMove

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
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

    def repository(self, owner: str, name: str) -> Path:
        """Where this repository is or would be. Raises BadRepositoryName."""
        if not _NAME.fullmatch(owner) or not _NAME.fullmatch(name) or name.endswith(".git"):
            raise BadRepositoryName(f"{f'{owner}/{name}'[:210]!r} is no name of a repository")
        return self.path / owner / f"{name}.git"

    @property
    def empty(self) -> Path:
        return self.path / _EMPTY

    @property
    def hooks(self) -> Path:
        return self.path / _HOOKS

    def prepare(self) -> None:
        """Write the hook and the empty repository. Raises GitMissing, or HookMissing where programs cannot run."""
        create_bare(self.empty)
        self.hooks.mkdir(parents=True, exist_ok=True)
        _write_program(self.hooks / "pre-receive", HOOK)
        self.check_hook()

    def check_hook(self) -> None:
        """Raises HookMissing unless git will run our hook: git silently skips one that is absent or not executable."""
        hook = self.hooks / "pre-receive"
        if not os.access(hook, os.X_OK) or hook.read_text() != HOOK:
            raise HookMissing(
                "the server's pre-receive hook cannot run, so no push can be checked",
                f"Start lepton-server again; {self.hooks} must not be mounted noexec.",
            )

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
        for path in [*new.rglob("*"), new]:
            _sync(path)
        new.rename(directory)
        _sync(directory.parent)
    except OSError:
        if not directory.exists():
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _sync(path: Path) -> None:
    if os.name == "nt" and path.is_dir():
        return  # folders cannot be opened there
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_program(path: Path, text: str) -> None:
    handle, scratch = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "w", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(scratch).chmod(0o755)
    Path(scratch).replace(path)
    _sync(path.parent)


def refs_of(git: Git) -> dict[str, str]:
    """Every ref of a repository: full name and object name."""
    lines = git.run("for-each-ref", "--format=%(objectname) %(refname)").decode("utf-8", "surrogateescape").splitlines()
    return {ref: oid for oid, ref in (line.split(" ", 1) for line in lines)}


def settle_head(git: Git, pushed: Iterable[RefMove]) -> str | None:
    """Let an unborn HEAD name the branch that was just pushed (of several: main, master, the first). Gives HEAD's branch, or None
    while it is unborn."""
    branches = [ref for ref in refs_of(git) if ref.startswith(_BRANCHES)]
    head = git.run("symbolic-ref", "HEAD").decode("utf-8", "surrogateescape").strip()
    if head not in branches:
        arrived = [move.ref for move in pushed if move.ref in branches]
        choice = next((ref for ref in _USUAL_BRANCHES if ref in arrived), next(iter(arrived), None))
        if choice is None:
            return None
        git.run("symbolic-ref", "HEAD", choice)
        head = choice
    return head.removeprefix(_BRANCHES)
