"""The folder of all git repositories while a server is restored: empty at first, and then only what this restore brought.

A file in it names the database that is being filled, so that a run that goes on may take away what the one before it left.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from git_lepton.errors import WrongUse
from lepton_server.durable import write_whole

MARK = ".restoring"


class FolderInUse(WrongUse):
    """There are git repositories already."""


@dataclass(frozen=True)
class GitFolder:
    path: Path
    database: str  # its identity

    def claim(self) -> None:
        """Claim the folder of git repositories for this restore. Raises FolderInUse."""
        self.path.mkdir(parents=True, exist_ok=True)
        if self._is_ours():
            return
        if any(self._repositories()):
            raise FolderInUse(f"{self.path} holds git repositories already; nothing was changed", "Name an empty --git folder.")
        write_whole(self._mark, self.database, 0o644)

    def clear(self) -> None:
        """Take away what a restore brought that did not come to its end."""
        assert self._is_ours()
        for folder in self._repositories():
            shutil.rmtree(folder)

    def release(self) -> None:
        """The server is whole, or was."""
        if self._is_ours():
            self._mark.unlink()

    @property
    def _mark(self) -> Path:
        return self.path / MARK

    def _is_ours(self) -> bool:
        return self._mark.is_file() and self._mark.read_text("ascii") == self.database

    def _repositories(self) -> list[Path]:
        """Folders of owners, and of repositories without a name; not what a server makes for itself when it starts."""
        return [one for one in self.path.iterdir() if one.is_dir() and (not one.name.startswith(".") or one.name == ".unnamed")]
