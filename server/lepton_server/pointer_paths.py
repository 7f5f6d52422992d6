"""Which files must be looked at before a push lands: commits that it brings, what they change, and git's own word on attributes.

A commit is compared with its first parent only, and that is complete: whatever a merge has in common with its first parent, under
the same attribute files, was looked at when that parent was; all else is looked at now. Where an attribute file changed, every
file in its folder counts as changed.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

from git_lepton.errors import CorruptData
from lepton_server.git_program import Git, GitFailed

AttributeFiles = Mapping[bytes, str]  # path of a .gitattributes file -> name of its blob

_EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
_DIFF = ("diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", "--root")
_ATTRIBUTES = b".gitattributes"
_MANY_FOLDERS = 50  # from here on the whole tree is listed instead
_READ_BYTES = 1 << 16


class UnsoundObject(CorruptData):
    """A push brings something that git itself would not make."""


class PushedFile(NamedTuple):
    """A file as one commit of a push has it: `blob` is its object name, `commit` the commit (or tree) that brings it."""

    path: bytes
    blob: str
    commit: str


class _Change(NamedTuple):
    path: bytes
    mode: bytes
    blob: str

    @property
    def is_file(self) -> bool:
        return self.mode.startswith(b"100")

    @property
    def is_attributes(self) -> bool:
        return self.path.rpartition(b"/")[2] == _ATTRIBUTES


@dataclass(frozen=True)
class _Snapshot:
    """One commit of a push, and its first parent."""

    name: str
    parent: str | None

    def question(self) -> bytes:
        """The line that asks `git diff-tree --stdin` what this commit changes against its first parent."""
        return " ".join(filter(None, (self.name, self.parent))).encode() + b"\n"


class FilesUnderAttributes(NamedTuple):
    """Files that all are judged by the same attribute files."""

    attributes: AttributeFiles
    files: list[PushedFile]


def brought_files(git: Git, tips: Iterable[str]) -> Iterator[FilesUnderAttributes]:
    """Every file that must be looked at before these tips (object names of any type) become reachable: one item a commit."""
    named = _peel(git, tips)
    commits = [oid for oid, kind in named if kind == "commit"]
    trees = [oid for oid, kind in named if kind == "tree"]
    snapshots = _new_commits(git, commits)
    children = Counter(snapshot.parent for snapshot in snapshots)  # by first parent, that are still to come
    known: dict[str, AttributeFiles] = {}
    for snapshot, changes in _changes(git, snapshots):
        before = _attributes_before(git, snapshot, known)
        after = _updated(before, changes)
        if children[snapshot.name]:
            known[snapshot.name] = after
        children[snapshot.parent] -= 1
        if snapshot.parent and not children[snapshot.parent]:
            del known[snapshot.parent]  # thousands of commits may each have attribute files of their own
        if after and changes:
            covered = _newly_covered(git, snapshot.name, changes) if snapshot.parent else []
            yield FilesUnderAttributes(after, _files([*changes, *covered], snapshot.name))
    for tree in dict.fromkeys(trees):
        changes = _difference(git, _EMPTY_TREE, tree)
        yield FilesUnderAttributes(_updated({}, changes), _files(changes, tree))


def _files(changes: Iterable[_Change], commit: str) -> list[PushedFile]:
    return [PushedFile(change.path, change.blob, commit) for change in dict.fromkeys(changes) if change.is_file]


def _peel(git: Git, tips: Iterable[str]) -> list[tuple[str, str]]:
    """(object name, type) of what each tip names, through tags. Raises UnsoundObject for what is absent."""
    asked = b"".join(tip.encode() + b"^{}\n" for tip in tips)
    answers = [line.split(" ") for line in git.run("cat-file", "--batch-check", stdin=asked).decode().splitlines()]
    if any(len(answer) != 3 for answer in answers):
        raise UnsoundObject("a ref of this push names an object that is not there")
    return [(oid, kind) for oid, kind, _ in answers]


def _new_commits(git: Git, tips: Sequence[str]) -> list[_Snapshot]:
    """Commits that no ref reaches yet, parents before children."""
    if not tips:
        return []
    listing = git.run(
        "rev-list", "--topo-order", "--reverse", "--parents", "--stdin", "--not", "--all", stdin="\n".join(tips).encode()
    )
    rows = (line.split(" ") for line in listing.decode().splitlines())
    return [_Snapshot(row[0], row[1] if len(row) > 1 else None) for row in rows]


def _changes(git: Git, snapshots: Sequence[_Snapshot]) -> Iterator[tuple[_Snapshot, list[_Change]]]:
    """What each commit changes against its first parent (a first commit: everything)."""
    with tempfile.TemporaryFile() as pairs:
        pairs.writelines(snapshot.question() for snapshot in snapshots)
        pairs.seek(0)
        with git.stream(*_DIFF, "--stdin", stdin=pairs) as output:
            groups = _grouped(_zero_ended(output))
            group = next(groups, None)
            for snapshot in snapshots:
                if group is not None and group[0] == snapshot.name:
                    yield snapshot, group[1]
                    group = next(groups, None)
                else:  # git says nothing of a commit that changes nothing
                    yield snapshot, []
            if group is not None:
                raise UnsoundObject("git listed the commits of this push in an unexpected order")


def _grouped(tokens: Iterator[bytes]) -> Iterator[tuple[str, list[_Change]]]:
    name, changes = "", list[_Change]()
    for token in tokens:
        if token.startswith(b":"):
            changes.append(_change(token, next(tokens)))
        else:
            if name:
                yield name, changes
            name, changes = token.decode(), []
    if name:
        yield name, changes


def _change(entry: bytes, path: bytes) -> _Change:
    _, mode, _, blob, _ = entry[1:].split(b" ")
    return _Change(path, mode, blob.decode())


def _difference(git: Git, old: str, new: str, *paths: bytes, literal: bool = True) -> list[_Change]:
    """What changes between two trees at or under these paths (none: everywhere)."""
    with Git(git.directory, {**git.extra, "GIT_LITERAL_PATHSPECS": str(int(literal))}).stream(
        *_DIFF, old, new, "--", *paths
    ) as output:
        tokens = _zero_ended(output)
        return [_change(entry, next(tokens)) for entry in tokens]


def _zero_ended(output: IO[bytes]) -> Iterator[bytes]:
    rest = b""
    while block := output.read(_READ_BYTES):
        *whole, rest = (rest + block).split(b"\0")
        yield from whole
    if rest:
        raise UnsoundObject("git's listing of this push is cut short")


def _attributes_before(git: Git, snapshot: _Snapshot, known: dict[str, AttributeFiles]) -> AttributeFiles:
    parent = snapshot.parent
    if parent is None:
        return {}
    if parent not in known:
        known[parent] = _updated({}, _difference(git, _EMPTY_TREE, parent, b":(glob)**/.gitattributes", literal=False))
    return known[parent]


def _updated(before: AttributeFiles, changes: Iterable[_Change]) -> AttributeFiles:
    touched = {change.path: change for change in changes if change.is_attributes}
    if not touched:
        return before  # the same object, so that a thousand commits share it
    kept = {path: blob for path, blob in before.items() if path not in touched}
    return kept | {path: change.blob for path, change in touched.items() if change.is_file}


def _newly_covered(git: Git, commit: str, changes: Iterable[_Change]) -> list[_Change]:
    """All files in the folders whose attribute file this commit changed."""
    folders = {change.path.removesuffix(_ATTRIBUTES) for change in changes if change.is_attributes}
    if not folders:
        return []
    everywhere = b"" in folders or len(folders) > _MANY_FOLDERS
    return _difference(git, _EMPTY_TREE, commit, *([] if everywhere else sorted(folders)))


class AttributeReader:
    """Asks git which paths have `filter=lepton` under given attribute files. A context manager: it keeps a scratch index."""

    def __init__(self, git: Git) -> None:
        self._git = git
        self._folder = tempfile.TemporaryDirectory(prefix="lepton-attributes-")
        self._index = Path(self._folder.name, "index")
        self._indexed: AttributeFiles | None = None

    def __enter__(self) -> AttributeReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def lepton_paths(self, attributes: AttributeFiles, paths: Sequence[bytes]) -> set[bytes]:
        """Those of the paths whose `filter` attribute is lepton. Raises GitFailed if git's answer is not about these paths."""
        if not attributes or not paths:
            return set()
        self._write_index(attributes)
        answer = self._git.run(
            "check-attr", "--cached", "--stdin", "-z", "filter", stdin=b"\0".join([*paths, b""]), extra=self._scratch()
        )
        fields = answer.split(b"\0")[:-1]
        if fields[0::3] != list(paths):
            raise GitFailed("git check-attr answered for other paths than those it was asked for")
        return {path for path, value in zip(fields[0::3], fields[2::3], strict=True) if value == b"lepton"}

    def _write_index(self, attributes: AttributeFiles) -> None:
        if attributes == self._indexed:
            return
        self._indexed = None
        self._index.unlink(missing_ok=True)
        entries = b"".join(b"100644 %s\t%s\0" % (blob.encode(), path) for path, blob in attributes.items())
        self._git.run("update-index", "-z", "--index-info", stdin=entries, extra=self._scratch())
        self._indexed = attributes

    def _scratch(self) -> dict[str, str]:
        return {"GIT_INDEX_FILE": str(self._index)}
