"""The interface of a check: a name, and one look at one file of a version. Each check is a module of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import NamedTuple, Protocol

from git_lepton.api import Pointer, Repository, StagedFile


class Outcome(StrEnum):
    """How a check ended for one file. The value is the word that reports and evidence use."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


class Finding(NamedTuple):
    """What a check found in one file. The sentence is shown to people; after SKIPPED it says why the check did not apply."""

    outcome: Outcome
    sentence: str


class CheckedFile(NamedTuple):
    """One file that a check looks at. `pointer` is None for a file that git holds itself. `content` is a copy of its bytes under its own
    name, there while the check looks at it."""

    path: str
    pointer: Pointer | None
    content: Path


class Check(Protocol):
    """Something that a model must satisfy before its version lands. A check needs no git and no network: all that it may know
    of a file is the CheckedFile."""

    @property
    def name(self) -> str:
        """The check's name in commands, reports and evidence, such as "pickles"."""

    def wants(self, path: str) -> bool:
        """Whether a file with this name could be one that the check knows: others are not even written out."""

    def look(self, file: CheckedFile) -> Finding:
        """Judge one file. A file of a kind that the check does not know is SKIPPED, never PASSED."""


def findings(check: Check, repository: Repository, revision: str = "HEAD") -> Iterator[tuple[str, Finding]]:
    """Let a check look at every weight file of a version, one after the other; gives each path with what was found there.

    The weights have to be on this machine: `Repository.fetch` brings them. Raises WeightsMissing for a file whose weights are
    not here, CorruptData for one that cannot be rebuilt: neither is ever taken for a passed check.
    """
    for path, pointer in repository.pointers(revision).items():
        if check.wants(path):
            with _copy(repository, path, pointer) as content:
                finding = check.look(CheckedFile(path, pointer, content))
            yield path, finding


def staged_findings(check: Check, repository: Repository) -> Iterator[tuple[str, Finding]]:
    """The same for the files that the next commit changes, those included that git holds itself. Raises likewise."""
    for file in repository.staged():
        if check.wants(file.path) and file.size:
            with _copy(repository, file.path, file.pointer or file) as content:
                finding = check.look(CheckedFile(file.path, file.pointer, content))
            yield file.path, finding


@contextmanager
def _copy(repository: Repository, path: str, what: Pointer | StagedFile) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="git-lepton-check-") as folder:
        content = Path(folder) / PurePosixPath(path).name
        repository.restore(what, content)
        yield content
