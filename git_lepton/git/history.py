"""History as git tells it: what its commits changed, the oldest first, and the small blobs that they reach, the newest first."""

from __future__ import annotations

import os
from typing import NamedTuple

from git_lepton.git.repository import SIZES, SMALL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from git_lepton.git.repository import GitRepository

_HEAD = "\x01"
_FORMAT = f"--format={_HEAD}%H%x01%cs%x01%s"
_FILES = ("100644", "100755")
_MOST_COMMITS = 10_000  # that are looked through for small blobs
_BLOBS_AT_ONCE = 256


class CommitFiles(NamedTuple):
    """A commit: its name, its day (`2026-11-21`), the first line of its message, and the files that it brought: path and blob."""

    commit: str
    day: str
    subject: str
    files: list[tuple[str, str]]


def commits_with_files(git: GitRepository, revision: str) -> Iterator[CommitFiles]:
    """The commits of a revision along first parents, with the files that each added or changed. A merge counts as one change."""
    how = ("--first-parent", "--diff-merges=first-parent", "--raw", "-z", "--no-abbrev", "--no-renames", "--root", "--reverse")
    output = git.run("-c", "log.showSignature=false", "log", *how, _FORMAT, "--end-of-options", revision, "--")
    current: CommitFiles | None = None
    fields = iter(os.fsdecode(output).split("\0"))
    for field in fields:
        if field.startswith(_HEAD):
            if current:
                yield current
            commit, day, subject = field[1:].split(_HEAD, 2)
            current = CommitFiles(commit, day, subject, [])
        elif field.lstrip("\n").startswith(":") and current:
            _, mode, _, blob, _ = field.lstrip("\n").split(" ")
            path = next(fields)
            if mode in _FILES:
                current.files.append((path, blob))
    if current:
        yield current


def blobs_brought(git: GitRepository, tips: Sequence[str], known: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(path, blob) of each file that the commits of `tips` which `known` do not reach added or changed, also where its blob was there
    before. Of merges nothing: what they have is their parents'."""
    stdin = "".join([*(f"{tip}\n" for tip in tips), *(f"^{name}\n" for name in git.present(known))])
    how = ("-r", "--root", "--stdin", "--no-commit-id", "--no-renames", "--no-abbrev", "--diff-filter=AM")
    commands = ("--no-replace-objects", "rev-list", "--stdin"), ("-c", "core.quotePath=false", "diff-tree", *how)
    for line in git.pipeline(*commands, stdin=stdin.encode()):
        head, _, path = os.fsdecode(line).rstrip("\n").partition("\t")
        _, mode, _, blob, _ = head.split(" ")
        if mode in _FILES:
            yield path, blob


def small_blobs_reached(git: GitRepository, commits: Sequence[str]) -> Iterator[bytes]:
    """The blobs of at most SMALL bytes that these commits reach, each once, those of the newest commits first; git goes only as far as
    somebody asks, and so many commits back. Names that are not here, and what a partial clone lacks, are passed over."""
    known = git.present(commits)
    if not known:
        return
    lacking = ("--missing=allow-any", "--ignore-missing") if git.is_partial() else ()
    how = ("--objects", "--in-commit-order", f"--max-count={_MOST_COMMITS}", *lacking, "--stdin")
    names = git.pipeline(("--no-replace-objects", "rev-list", *how), SIZES, stdin="".join(f"{n}\n" for n in known).encode())
    waiting: list[tuple[str, str]] = []
    for line in names:
        name, kind, size = [*line.split(b" ", 3), b"", b""][:3]
        if kind != b"blob" or int(size) > SMALL:
            continue
        waiting.append(("", name.decode()))
        if len(waiting) == _BLOBS_AT_ONCE:
            yield from (blob.data for blob in git.read_small(waiting))
            waiting = []
    yield from (blob.data for blob in git.read_small(waiting))
