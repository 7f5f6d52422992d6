"""Staged files: what the next commit adds or changes, and whether it is what should be at its path."""

from __future__ import annotations

import os
from typing import NamedTuple

from git_lepton.errors import LeptonError
from git_lepton.format.pointer import Pointer, claims_to_be_pointer, parse_pointer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from git_lepton.git.repository import GitRepository

_EMPTY_TREES = {
    40: "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    64: "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}


class StagedFile(NamedTuple):
    """A file that the next commit adds or changes. `tracked`: its path has filter=lepton. `pointer`: what it is, None for an ordinary
    file; `damage`: why a text that begins like a pointer is none, "" where it does not. `size` is that of its blob in bytes."""

    path: str
    blob: str
    size: int
    tracked: bool
    pointer: Pointer | None
    damage: str = ""


def staged_files(git: GitRepository) -> list[StagedFile]:
    """All of them, by path; links and submodules left out. Three runs of git, however many there are."""
    against = "HEAD" if git.rev_parse("HEAD") else _empty_tree(git)
    arguments = ("diff-index", "--cached", "-z", "--no-renames", "--diff-filter=ACMT", against)
    fields = os.fsdecode(git.run_at_top(*arguments)).split("\0")[:-1]
    blobs = {}
    for head, path in zip(fields[::2], fields[1::2], strict=True):
        _, mode, _, blob, _ = head.split(" ")
        if mode.startswith("100"):
            blobs[path] = blob
    if not blobs:
        return []
    from git_lepton.git.repository import SIZES, SMALL

    names = "".join(f"{blob}\n" for blob in blobs.values())
    lines = git.run(*SIZES, stdin=names.encode()).splitlines()
    sizes = {path: int(line.split(b" ")[2]) for path, line in zip(blobs, lines, strict=True)}
    small = {blob.path: blob.data for blob in git.read_small((path, blobs[path]) for path in blobs if sizes[path] <= SMALL)}
    tracked = git.lepton_paths(blobs)
    return [_staged(path, blob, sizes[path], path in tracked, small.get(path, b"")) for path, blob in blobs.items()]


def _staged(path: str, blob: str, size: int, tracked: bool, text: bytes) -> StagedFile:
    if not claims_to_be_pointer(text):
        return StagedFile(path, blob, size, tracked, None)
    try:
        return StagedFile(path, blob, size, tracked, parse_pointer(text))
    except LeptonError as error:
        return StagedFile(path, blob, size, tracked, None, error.message)


def _empty_tree(git: GitRepository) -> str:
    return _EMPTY_TREES[64 if git.config("extensions.objectFormat") == "sha256" else 40]
