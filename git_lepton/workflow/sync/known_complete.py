"""Commits that this clone has pushed with everything that they reach, store by store: so that a push looks at all of a history once, and
then at what is new.

A push that went by without the hook (it was not there yet, or `--no-verify`) leaves commits in the remote whose weights are nowhere but
here. git says that the remote has them, so only this record knows that their weights were never seen to. It may be lost at any time:
then a history is looked at once more.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from git_lepton.store.durable import make_folder, write_durably

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_FOLDER = "pushed"
_KEPT = 64  # commits a store; the newest say most


class KnownComplete:
    """The record of one store, by what `str` of its location says. `root`: the local store's folder."""

    def __init__(self, root: Path, location: str) -> None:
        self._file = root / _FOLDER / hashlib.sha256(location.encode("utf-8", "surrogateescape")).hexdigest()[:32]

    def commits(self) -> list[str]:
        """Hex names; some may not be here any more."""
        try:
            return self._file.read_text("ascii").split()
        except (FileNotFoundError, UnicodeDecodeError):
            return []

    def add(self, commits: Sequence[str]) -> None:
        """All that these reach is stored there."""
        before = self.commits()
        kept = [*[commit for commit in before if commit not in commits], *dict.fromkeys(commits)][-_KEPT:]
        if kept != before:
            make_folder(self._file.parent)
            write_durably(self._file, "".join(f"{commit}\n" for commit in kept).encode())
