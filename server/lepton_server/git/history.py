"""The git history of a hosted repository, and what it keeps alive: every object whose pointer a ref reaches. Errs only to the side of kept.

Nothing is inferred from what is absent: without the repository's folder, or where its refs are not those of the mirror, there is no
answer at all.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import IO

from git_lepton.errors import CorruptData, WrongUse
from git_lepton.format.pointer import (
    MAX_POINTER_BYTES,
    BadPointer,
    NotAPointer,
    Pointer,
    UnknownPointerVersion,
    claims_to_be_pointer,
    parse_pointer,
)
from lepton_server.database.transactions import Database
from lepton_server.git.program import Git
from lepton_server.git.ref_mirror import mirrored_refs
from lepton_server.git.refs import refs_of
from lepton_server.repositories.registry import Repository, git_directory
from lepton_server.settings import ServerSettings

_SMALL_BLOBS = f"--filter=combine:object:type=blob+blob:limit={MAX_POINTER_BYTES + 1}"
_NAMED = re.compile(rb"sha256:([0-9a-f]{64})")
_TRIES, _PAUSE_SECONDS = 20, 0.1  # for a push that has moved its refs and not yet said so in the mirror


class HistoryAbsent(WrongUse):
    """The git folder of a hosted repository is not where it should be."""


class RefsDiffer(WrongUse):
    """The refs of a hosted repository are not those that its pushes left."""


def open_history(settings: ServerSettings, repository: Repository) -> Git:
    """The git repository. Raises HistoryAbsent."""
    directory = git_directory(settings, repository)
    if not (directory / "HEAD").is_file():
        raise HistoryAbsent(
            f"the git history of {repository.full_name} is not at {directory}",
            "Check --git (or --data), or bring the folder back from a backup; nothing of it was touched.",
        )
    return Git(directory)


def settled_refs(database: Database, repository: Repository, git: Git, *, tries: int = _TRIES) -> dict[str, str]:
    """The refs, as git and the mirror both have them. Raises RefsDiffer."""
    for _ in range(tries):
        with database.read() as connection:
            mirror = mirrored_refs(connection, repository)
        there = refs_of(git)
        if there == mirror:
            return there
        time.sleep(_PAUSE_SECONDS)
    raise RefsDiffer(f"the refs of {repository.full_name} are not those of its last push: {_difference(there, mirror)}", _HINT)


_HINT = (
    "If they are right as git has them: lepton-server gc --adopt-refs OWNER/REPO. Else bring the folder back from a backup. "
    "Nothing of it was touched."
)


def _difference(there: Mapping[str, str], mirror: Mapping[str, str]) -> str:
    names = sorted(name for name in there.keys() | mirror.keys() if there.get(name) != mirror.get(name))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


class Reached:
    """The oids (32 raw bytes) of all pointers in what some commits reach, wherever in their trees they stand.

    A pointer that cannot be read, or of a later version, keeps every object that it names. `pointers` has those that can be read, by the
    name of their blob.
    """

    def __init__(self, git: Git) -> None:
        self._git = git
        self._tips: set[str] = set()
        self.oids: set[bytes] = set()
        self.pointers: dict[str, Pointer] = {}

    def follow(self, tips: Iterable[str]) -> None:
        """Take in what these (object names of any type) reach. Raises GitFailed, or CorruptData where the repository is damaged."""
        fresh = sorted(set(tips) - self._tips)
        if fresh:
            known = [f"^{tip}" for tip in sorted(self._tips)]
            for name, blob in small_blobs(self._git, [*fresh, *known]):
                self.oids |= named_in(blob)
                if pointer := _sound(blob):
                    self.pointers[name] = pointer
            self._tips.update(fresh)


def small_blobs(git: Git, revisions: Iterable[str], *options: str) -> Iterator[tuple[str, bytes]]:
    """Object name and content of every blob no longer than a pointer that these revisions (`^` before one: not what it reaches) bring."""
    with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as names:
        asked.write("".join(f"{revision}\n" for revision in revisions).encode())
        asked.seek(0)
        listing = ("rev-list", "--objects", "--no-object-names", _SMALL_BLOBS, "--filter-provided-objects", *options, "--stdin")
        with git.stream(*listing, stdin=asked) as output:
            for line in output:
                names.write(line)
        names.seek(0)
        with git.stream("cat-file", "--batch", stdin=names) as output:
            yield from _contents(output)


def _sound(blob: bytes) -> Pointer | None:
    try:
        return parse_pointer(blob) if claims_to_be_pointer(blob) else None
    except (NotAPointer, BadPointer, UnknownPointerVersion):
        return None


def named_in(blob: bytes) -> set[bytes]:
    """The oids that a blob keeps alive: none where it is no pointer."""
    try:
        return {parse_pointer(blob).oid.raw} if claims_to_be_pointer(blob) else set()
    except (BadPointer, UnknownPointerVersion):
        return {bytes.fromhex(name.decode()) for name in _NAMED.findall(blob)}
    except NotAPointer:
        return set()


def _contents(output: IO[bytes]) -> Iterator[tuple[str, bytes]]:
    for head in output:
        name, kind, *size = head.decode().split()
        if len(size) != 1 or kind != "blob":
            raise CorruptData(f"the git repository lacks object {name}", "Bring its folder back from a backup.")
        content = output.read(int(size[0]) + 1)[:-1]
        if len(content) != int(size[0]):
            raise CorruptData(f"the git repository gave object {name} cut short", "Run git fsck in it.")
        yield name, content
