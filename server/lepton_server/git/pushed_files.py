"""Files that must be looked at before a push lands: commits that it brings, what they change, and their attributes.

A commit is compared with its first parent only, and that is complete: whatever a merge has in common with its first parent, under
the same attribute files, was looked at when that parent was; all else is looked at now. Where an attribute file changed, every
file in its folder counts as changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from git_lepton.format.attributes.lines import MAX_FILE_BYTES
from git_lepton.format.attributes.reading import BYTES_A_UNIT, AttributeReading
from git_lepton.format.attributes.work import Work
from lepton_server.git.blobs import UnsoundObject, blob_contents, blob_sizes
from lepton_server.git.program import Git
from lepton_server.git.tree_changes import (
    ATTRIBUTES,
    EMPTY_TREE,
    Change,
    Changes,
    PathCount,
    Snapshot,
    changes_of,
    difference,
    listed,
    rows_of_difference,
)
from lepton_server.git_bounds import UNBOUNDED, Bounds

AttributeFiles = Mapping[bytes, str]  # path of a .gitattributes file -> name of its blob

_MANY_FOLDERS = 50  # from here on the whole tree is listed instead
_AT_ONCE = 10_000


class PushedFile(NamedTuple):
    """A file as one commit of a push has it: `blob` is its object name, `commit` the commit (or tree) that brings it."""

    path: bytes
    blob: str
    commit: str


class FilesUnderAttributes(NamedTuple):
    """Files that all are judged by the same attribute files."""

    attributes: AttributeFiles
    files: list[PushedFile]


def brought_files(git: Git, tips: Iterable[str], bounds: Bounds = UNBOUNDED) -> Iterator[FilesUnderAttributes]:
    """Every file that must be looked at before these tips (object names of any type) become reachable: of each commit at least one
    item, and of one that changes much, several. Never more of it in memory than one item. Raises TooManyPaths."""
    count = PathCount(bounds)
    named = _peel(git, tips)
    commits = [oid for oid, kind in named if kind == "commit"]
    trees = [oid for oid, kind in named if kind == "tree"]
    snapshots = _new_commits(git, commits)
    children = Counter(snapshot.parent for snapshot in snapshots)  # by first parent, that are still to come
    known: dict[str, AttributeFiles] = {}
    for snapshot, changes in changes_of(git, snapshots, count):
        before = _attributes_before(git, snapshot, known, count)
        after = _updated(before, changes.attributes)
        if children[snapshot.name]:
            known[snapshot.name] = after
        children[snapshot.parent] -= 1
        if snapshot.parent and not children[snapshot.parent]:
            del known[snapshot.parent]  # thousands of commits may each have attribute files of their own
        if changes.any:
            folders = _judged_anew(changes.attributes) if snapshot.parent else []
            yield from _under(after, _files(git, snapshot.name, changes, folders, count))
    for tree in dict.fromkeys(trees):
        with listed(rows_of_difference(git, EMPTY_TREE, tree, count=count)) as changes:
            yield from _under(_updated({}, changes.attributes), _files(git, tree, changes, [], count))


def _under(attributes: AttributeFiles, files: Iterable[PushedFile]) -> Iterator[FilesUnderAttributes]:
    remaining = iter(files)
    while some := list(islice(remaining, _AT_ONCE)):
        yield FilesUnderAttributes(attributes, some)


def _files(git: Git, commit: str, changes: Changes, folders: Sequence[bytes], count: PathCount) -> Iterator[PushedFile]:
    """The files that a commit changes, and all in these folders, whose attribute files it changes."""
    within = tuple(folders)
    for change in changes:
        if change.is_file and not change.path.startswith(within):
            yield PushedFile(change.path, change.blob, commit)
    if folders:
        everywhere = b"" in folders or len(folders) > _MANY_FOLDERS
        for change in difference(git, EMPTY_TREE, commit, *([] if everywhere else sorted(folders)), count=count):
            if change.is_file and change.path.startswith(within):
                yield PushedFile(change.path, change.blob, commit)


def _judged_anew(attributes: Iterable[Change]) -> list[bytes]:
    return sorted({change.path.removesuffix(ATTRIBUTES) for change in attributes})


def _peel(git: Git, tips: Iterable[str]) -> list[tuple[str, str]]:
    """(object name, type) of what each tip names, through tags. Raises UnsoundObject for what is absent."""
    asked = b"".join(tip.encode() + b"^{}\n" for tip in tips)
    answers = [line.split(" ") for line in git.run("cat-file", "--batch-check", stdin=asked).decode().splitlines()]
    if any(len(answer) != 3 for answer in answers):
        raise UnsoundObject("a ref of this push names an object that is not there")
    return [(oid, kind) for oid, kind, _ in answers]


def _new_commits(git: Git, tips: Sequence[str]) -> list[Snapshot]:
    """Commits that no ref reaches yet, parents before children."""
    if not tips:
        return []
    listing = git.run(
        "rev-list", "--topo-order", "--reverse", "--parents", "--stdin", "--not", "--all", stdin="\n".join(tips).encode()
    )
    rows = (line.split(" ") for line in listing.decode().splitlines())
    return [Snapshot(row[0], row[1] if len(row) > 1 else None) for row in rows]


def _attributes_before(git: Git, snapshot: Snapshot, known: dict[str, AttributeFiles], count: PathCount) -> AttributeFiles:
    parent = snapshot.parent
    if parent is None:
        return {}
    if parent not in known:
        listed = difference(git, EMPTY_TREE, parent, b":(glob)**/.gitattributes", count=count, literal=False)
        known[parent] = _updated({}, listed)
    return known[parent]


def _updated(before: AttributeFiles, changes: Iterable[Change]) -> AttributeFiles:
    touched = {change.path: change for change in changes if change.is_attributes}
    if not touched:
        return before  # the same object, so that a thousand commits share it
    kept = {path: blob for path, blob in before.items() if path not in touched}
    return kept | {path: change.blob for path, change in touched.items() if change.is_file}


class AttributeReader:
    """Says which paths have `filter=lepton` under given attribute files, as git in a clone does; for one push."""

    def __init__(self, git: Git, work: Work | None = None) -> None:
        self._git = git
        self._work = work or Work()
        self._read: tuple[AttributeFiles, AttributeReading] | None = None

    def lepton_paths(self, attributes: AttributeFiles, paths: Iterable[bytes]) -> set[bytes]:
        """Those of the paths whose `filter` attribute is lepton. Raises TooMuchWork."""
        if not attributes:
            return set()
        if self._read is None or self._read[0] != attributes:
            self._read = attributes, AttributeReading(self._contents(attributes), work=self._work)
        return self._read[1].paths_with(b"lepton", paths)

    def _contents(self, attributes: AttributeFiles) -> dict[bytes, bytes]:
        sizes = blob_sizes(self._git, sorted(set(attributes.values())))
        small = [blob for blob, size in sizes.items() if size < MAX_FILE_BYTES]  # git ignores the others
        self._work.spend(sum(sizes[blob] for blob in small) // BYTES_A_UNIT)  # before they are in memory
        contents = blob_contents(self._git, small)
        return {path: contents[blob] for path, blob in attributes.items() if blob in contents}
