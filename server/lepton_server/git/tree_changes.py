"""Changes of commits and trees, as git lists them: path by path, counted, never more in memory than a few of them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, NamedTuple, cast

from git_lepton.errors import WrongUse
from lepton_server.git.blobs import UnsoundObject
from lepton_server.git.program import Git
from lepton_server.git_bounds import Bounds

ATTRIBUTES = b".gitattributes"
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
_DIFF = ("diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", "--root")
_READ_BYTES = 1 << 16
_KEPT_BYTES = 1 << 20
_Row = tuple[bytes, bytes]  # git's words on modes and blobs, and the path


class TooManyPaths(WrongUse):
    """A push changes more paths than one may."""


class PathCount:
    """Counts the paths that were looked at for a push, up to its bound."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._seen = 0

    def one_more(self) -> None:
        """Count a path. Raises TooManyPaths."""
        self._seen += 1
        if self._seen > self._bounds.paths > 0:
            raise TooManyPaths(*self._bounds.too_many_paths())


class Change(NamedTuple):
    path: bytes
    mode: bytes
    blob: str

    @property
    def is_file(self) -> bool:
        return self.mode.startswith(b"100")

    @property
    def is_attributes(self) -> bool:
        return self.path.rpartition(b"/")[2] == ATTRIBUTES


class Snapshot(NamedTuple):
    """One commit of a push, and its first parent."""

    name: str
    parent: str | None

    def question(self) -> bytes:
        """The line that asks `git diff-tree --stdin` what this commit changes against its first parent."""
        return " ".join(filter(None, (self.name, self.parent))).encode() + b"\n"


class Changes:
    """What one commit changes: the attribute files at hand, all of it in a file once it is much. It is gone when the next is asked for."""

    def __init__(self, attributes: list[Change], kept: IO[bytes]) -> None:
        self.attributes = attributes
        self._kept = kept
        self.any = kept.tell() > 0

    def __iter__(self) -> Iterator[Change]:
        self._kept.seek(0)
        tokens = _zero_ended(self._kept)
        return (_change(entry, next(tokens)) for entry in tokens)


@contextmanager
def listed(rows: Iterable[_Row]) -> Iterator[Changes]:
    """These rows as Changes, kept until the block ends."""
    with tempfile.SpooledTemporaryFile(_KEPT_BYTES) as kept:
        attributes = []
        for entry, path in rows:
            kept.write(b"%s\0%s\0" % (entry, path))
            if path.endswith(ATTRIBUTES) and (change := _change(entry, path)).is_attributes:
                attributes.append(change)
        yield Changes(attributes, cast(IO[bytes], kept))


def changes_of(git: Git, snapshots: Sequence[Snapshot], count: PathCount) -> Iterator[tuple[Snapshot, Changes]]:
    """What each commit changes against its first parent (a first commit: everything)."""
    with tempfile.TemporaryFile() as pairs:
        pairs.writelines(snapshot.question() for snapshot in snapshots)
        pairs.seek(0)
        with git.stream(*_DIFF, "--stdin", stdin=pairs) as output:
            groups = _grouped(_zero_ended(output), count)
            group = next(groups, None)
            for snapshot in snapshots:
                if group is not None and group[0] == snapshot.name:
                    yield snapshot, group[1]
                    group = next(groups, None)
                else:  # git says nothing of a commit that changes nothing
                    with listed([]) as nothing:
                        yield snapshot, nothing
            if group is not None:
                raise UnsoundObject("git listed the commits of this push in an unexpected order")


def _grouped(tokens: Iterator[bytes], count: PathCount) -> Iterator[tuple[str, Changes]]:
    name = next(tokens, b"").decode()
    while name:
        following = [""]
        with listed(_of_one_commit(tokens, following, count)) as changes:
            yield name, changes
        (name,) = following


def _of_one_commit(tokens: Iterator[bytes], following: list[str], count: PathCount) -> Iterator[_Row]:
    """The changes of the commit at hand; the name of the next one goes into `following`."""
    for token in tokens:
        if not token.startswith(b":"):
            following[0] = token.decode()
            return
        count.one_more()
        yield token, next(tokens)


def _change(entry: bytes, path: bytes) -> Change:
    _, mode, _, blob, _ = entry[1:].split(b" ")
    return Change(path, mode, blob.decode())


def difference(git: Git, old: str, new: str, *paths: bytes, count: PathCount, literal: bool = True) -> Iterator[Change]:
    """What changes between two trees at or under these paths (none: everywhere)."""
    return (_change(*row) for row in rows_of_difference(git, old, new, *paths, count=count, literal=literal))


def rows_of_difference(git: Git, old: str, new: str, *paths: bytes, count: PathCount, literal: bool = True) -> Iterator[_Row]:
    """The difference between two trees in git's own words, row by row, for `listed`."""
    extra = {**git.extra, "GIT_LITERAL_PATHSPECS": str(int(literal))}
    with git._replace(extra=extra).stream(*_DIFF, old, new, "--", *paths) as output:
        tokens = _zero_ended(output)
        for entry in tokens:
            count.one_more()
            yield entry, next(tokens)


def _zero_ended(output: IO[bytes]) -> Iterator[bytes]:
    rest = b""
    while block := output.read(_READ_BYTES):
        *whole, rest = (rest + block).split(b"\0")
        yield from whole
    if rest:
        raise UnsoundObject("git's listing of this push is cut short")
