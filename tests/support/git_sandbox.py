"""Real git repositories for tests, with our filter set up in them and with nothing of the machine's git configuration.

HOME and GIT_* are isolated by tests/conftest.py; `GitSandbox` adds the repository and runs git in it with captured output.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

FILTER = f'"{sys.executable}" -m git_lepton filter-process'.replace("\\", "/")


class GitEnded(AssertionError):
    """git ended with an error that the test did not expect."""


class GitSandbox:
    """One repository in `folder`. Its filter is set up by `use_filter` in its local configuration."""

    def __init__(self, folder: Path, environment: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.environment = environment or {}

    @classmethod
    def create(cls, folder: Path, *, filter: str | None = FILTER, track: str | None = "*.bin") -> GitSandbox:
        """A new repository on branch main, with the filter for `track` where both are given (.gitattributes is not committed)."""
        folder.mkdir(parents=True, exist_ok=True)
        sandbox = cls(folder)
        sandbox.git("init", "--quiet", "--initial-branch=main", ".")
        if filter:
            sandbox.use_filter(filter)
        if track:
            sandbox.write(".gitattributes", f"{track} filter=lepton diff=lepton merge=lepton -text\n")
        return sandbox

    def use_filter(self, command: str = FILTER) -> None:
        self.git("config", "filter.lepton.process", command)
        self.git("config", "filter.lepton.required", "true")

    def clone(self, folder: Path, *options: str, filter: str | None = FILTER) -> GitSandbox:
        """A clone of this repository by path, whose checkout goes through the filter. The weights do not come along."""
        settings = ("-c", f"filter.lepton.process={filter}", "-c", "filter.lepton.required=true") if filter else ()
        self.git("clone", "--quiet", *settings, *options, str(self.folder), str(folder))
        return GitSandbox(folder, self.environment)

    # running git

    def run(
        self, *arguments: str, stdin: bytes = b"", environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """git, whatever its exit code."""
        return subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env={**os.environ, **self.environment, **(environment or {})},
            input=stdin,
            capture_output=True,
            check=False,
        )

    def git(self, *arguments: str, stdin: bytes = b"", **environment: str) -> str:
        """What git prints; keyword arguments are variables for it. Raises GitEnded, with all that it said, if it fails."""
        result = self.run(*arguments, stdin=stdin, environment=environment)
        if result.returncode:
            said = (result.stdout + result.stderr).decode(errors="replace")
            raise GitEnded(f"git {' '.join(arguments)} ended with {result.returncode}:\n{said}")
        return result.stdout.decode("utf-8", "surrogateescape")

    def stderr(self, *arguments: str, stdin: bytes = b"", **environment: str) -> str:
        """What git and our filter say on stderr, whatever the exit code."""
        return self.run(*arguments, stdin=stdin, environment=environment).stderr.decode(errors="replace")

    # what is in it

    def path(self, name: str) -> Path:
        return self.folder / name

    def write(self, name: str, content: bytes | str) -> Path:
        """Write a file of the work tree; its folders are made."""
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def read(self, name: str) -> bytes:
        return self.path(name).read_bytes()

    def commit(self, message: str = "a change", files: Mapping[str, bytes | str] | None = None, **more: bytes | str) -> str:
        """Write files, add everything and commit it. Its hash."""
        for name, content in {**(files or {}), **more}.items():
            self.write(name, content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.head()

    def head(self) -> str:
        return self.git("rev-parse", "HEAD").strip()

    def blob(self, name: str, revision: str = "HEAD") -> bytes:
        """What git stores for a path."""
        return self.run("cat-file", "blob", f"{revision}:{name}").stdout

    def status(self) -> str:
        """Empty when the work tree is clean."""
        return self.git("status", "--porcelain")

    @property
    def lepton(self) -> Path:
        """The local store's folder."""
        return self.folder / self.git("rev-parse", "--git-common-dir").strip() / "lepton"
