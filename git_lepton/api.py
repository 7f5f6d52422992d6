"""What other Python code imports: repositories, their pointers and weights, and downloads without git.

from git_lepton.api import Repository, download
download("https://HOST/OWNER/REPO", "models", revision="v1.2", paths=["*.safetensors"])
Repository(".").fetch("v1.2")
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

from git_lepton.errors import WrongUse
from git_lepton.evidence.tables import Table
from git_lepton.format.pointer import Pointer, parse_pointer
from git_lepton.settings import settings_outside
from git_lepton.settings.lepton_toml import read_staged_lepton_toml
from git_lepton.workflow.checkout.smudge import write_file
from git_lepton.workflow.download.repository import Arrived, fetch_without_git
from git_lepton.workflow.sync.fetch import fetch_weights, pointers_by_path
from git_lepton.workflow.sync.staged import StagedFile, staged_files
from git_lepton.workspace import open_workspace

__all__ = ["Arrived", "NoSuchFile", "Pointer", "Repository", "StagedFile", "download"]


class NoSuchFile(WrongUse):
    """The version has no such path."""


class Repository:
    """The git repository that a folder is in. A context manager: leaving it closes what was opened."""

    def __init__(self, folder: Path | str = ".") -> None:
        self.workspace = open_workspace(Path(folder))

    def pointer(self, revision: str, path: str) -> Pointer:
        """The pointer that a version has at a path. Raises NoSuchFile, and NotAPointer for an ordinary file."""
        git = self.workspace.git
        name = git.rev_parse(f"{revision}:{path}")
        if name is None:
            raise NoSuchFile(f"{revision} has no file {path}", "git ls-tree -r --name-only REV lists a version's files.")
        blobs = list(git.read_small([(path, name)]))
        return parse_pointer(blobs[0].data if blobs else b"")

    def pointers(self, revision: str = "HEAD") -> dict[str, Pointer]:
        """The tracked files of a version, by path."""
        return pointers_by_path(self.workspace.git, revision)

    def fetch(self, revision: str = "HEAD", remote: str | None = None) -> int:
        """Bring the weights of a version into this machine's store; returns how many bytes travelled."""
        pointers = list(dict.fromkeys(self.pointers(revision).values()))
        brought = fetch_weights(self.workspace.store, pointers, lambda lacking: self.workspace.fetch(lacking, remote=remote))
        return brought.bytes_received if brought else 0

    def staged(self) -> list[StagedFile]:
        """The files that the next commit adds or changes, as they are staged: never as they lie in the work tree."""
        return staged_files(self.workspace.git)

    def allowed_pickles(self) -> tuple[str, ...]:
        """Patterns of names that pickles may import here, from the staged lepton.toml: [pickles] allow. Raises BadLeptonToml."""
        table = Table("pickles", read_staged_lepton_toml(self.workspace.git).get("pickles", {}))
        allowed = table.texts("allow")
        table.end()
        return allowed

    def restore(self, what: Pointer | StagedFile, to: Path | str) -> None:
        """Write the file that a pointer stands for, its SHA-256 checked, or one that git holds itself, to the path `to`: whole or not
        at all.

        The weights have to be on this machine: `fetch` brings them. Raises WeightsMissing, CorruptData, and CannotWriteFile.
        """
        pointer = what.pointer if isinstance(what, StagedFile) else what
        if pointer is not None:
            write_file(pointer, self.workspace.store, Path(to))
        elif isinstance(what, StagedFile):
            Path(to).write_bytes(self.workspace.git.read_blob(what.blob))

    def close(self) -> None:
        self.workspace.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def download(source: str, to: Path | str, *, revision: str | None = None, paths: Sequence[str] = ()) -> Arrived:
    """Bring files of one version of a hosted repository into a folder: no clone, no git. See `git lepton download`."""
    address = f"{source}@{revision}" if revision else source
    return fetch_without_git(settings_outside(), address, Path(to), paths)
