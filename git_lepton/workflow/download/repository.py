"""`git lepton download`: files of one version into a folder, without clone, without git, without installation.

What is there and right stays; what is missing or wrong is brought, verified and put in its place at once. What arrived before
a break stays in `.git-lepton-partial` inside the folder, which goes when all is done. A changed file brings only what its earlier
version in the folder does not have.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from git_lepton.errors import WeightsMissing, WrongUse
from git_lepton.format.globs import named_by
from git_lepton.format.pointer import Pointer
from git_lepton.settings import Settings
from git_lepton.settings.addresses import FORM, BadStoreUrl
from git_lepton.store.durable import write_durably
from git_lepton.store.local_store import LocalStore
from git_lepton.transfer.download import ObjectsAbsent, download
from git_lepton.transfer.git_snapshot import TreeFile, read_snapshot
from git_lepton.transfer.progress import SILENT
from git_lepton.transfer.ranges import read_plan
from git_lepton.transfer.remote_store import RemoteStore, connect
from git_lepton.workflow.checkout.arriving_store import ArrivingStore
from git_lepton.workflow.checkout.smudge import write_file
from git_lepton.workflow.download.folder import FolderBusy, is_right, partial_folder
from git_lepton.workflow.download.safe_paths import UnsafePath, place_of

if TYPE_CHECKING:
    from git_lepton.format.identifiers import ChunkId
    from git_lepton.transfer.progress import Progress

_GROUP_BYTES = 4 << 30  # weights brought before they are written and their chunks let go of: bounds the room beside the files
_BLOCK = 1 << 20
_NAMED = 5  # paths in a message
_EXECUTABLE = 0o100755
_REGULAR = (0o100644, 0o100664, _EXECUTABLE)
File = TypeVar("File", TreeFile, Pointer)


class NothingMatches(WrongUse):
    """A pattern matches no file of the version."""


class FilesAbsent(WeightsMissing):
    """Files whose weights the server does not have, by path, and why; all others are in place."""

    def __init__(self, absent: Mapping[str, WeightsMissing]) -> None:
        told = [f"{path}: {error.message}" for path, error in absent.items()]
        more = f"; and {len(told) - _NAMED} more" if len(told) > _NAMED else ""
        files = "1 file" if len(told) == 1 else f"{len(told)} files"
        super().__init__(
            f"{files} could not be brought, all others are in place: {'; '.join(told[:_NAMED])}{more}",
            next(iter(absent.values())).hint,
        )
        self.absent = absent


@dataclass
class Arrived:
    """What a download did: the commit (of a share: what it is called), the paths brought and kept, what was left out and why, and
    the payload bytes that travelled."""

    commit: str
    brought: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    bytes_received: int = 0


def split_source(source: str) -> tuple[str, str]:
    """(address, revision) of SOURCE[@REV]; the revision is HEAD where none is given. Raises BadStoreUrl."""
    scheme, mark, rest = source.partition("://")
    host, slash, path = rest.partition("/")
    path, at, revision = path.partition("@")
    if not mark or not slash or (at and not revision):
        raise BadStoreUrl(f"{source!r} is not SOURCE[@REV]", FORM)
    return f"{scheme}://{host}/{path}", revision or "HEAD"


def fetch_without_git(
    settings: Settings, source: str, folder: Path, patterns: Sequence[str] = (), show: Callable[[str], Progress] | None = None
) -> Arrived:
    """Bring the files of SOURCE[@REV] that match the patterns (all where none is given) into `folder`.

    A pattern is a path, a folder or a glob. Raises BadStoreUrl, UnknownVersion, NothingMatches, FolderBusy, UnsafePath, FilesAbsent
    (after all others were brought) and what transfers raise; files that were in place by then stay.
    """
    address, revision = split_source(source)
    with _remote(settings, address) as remote, partial_folder(folder) as partial:
        snapshot = read_snapshot(remote, revision)
        arrived = Arrived(snapshot.commit)
        chosen = files_named({os.fsdecode(file.path): file for file in snapshot.files}, patterns, "of this version")
        weights = _ordinary_files(folder, chosen, snapshot.pointers(chosen.values()), arrived)
        absent: dict[str, WeightsMissing] = {}
        for group in _groups(_needed(folder, weights, arrived)):
            absent |= _bring(remote, folder, partial / "store", group, arrived, show)
        for path, (_, mode) in weights.items():
            if path not in absent:
                _set_mode(folder / path, mode)
        if absent:
            raise FilesAbsent(absent)
    return arrived


@contextmanager
def _remote(settings: Settings, address: str) -> Iterator[RemoteStore]:
    location = settings.location_of_url(address)
    if location.kind == "folder":
        raise BadStoreUrl(f"{address!r} is a folder; a download needs a server", FORM)
    remote = connect(location, settings)
    try:
        yield remote
    finally:
        remote.close()


def files_named(files: dict[str, File], patterns: Sequence[str], place: str) -> dict[str, File]:
    """The files, by path, that the patterns ask for; all where there is none. Raises NothingMatches, which says that no file of
    `place` is so called."""
    if not patterns:
        return files
    found: dict[str, File] = {}
    for pattern in patterns:
        matching = {path: files[path] for path in named_by(pattern, files)}
        if not matching:
            raise NothingMatches(f"no file {place} matches {pattern!r}", "Patterns are paths, folders or globs.")
        found |= matching
    return found


def _ordinary_files(
    folder: Path, files: dict[str, TreeFile], pointers: dict[bytes, Pointer], arrived: Arrived
) -> dict[str, tuple[Pointer, int]]:
    """Write what git itself has; returns the pointers, with git's modes. Checks every path first, before anything is written."""
    places = {path: place_of(folder, path) for path, file in files.items() if file.mode in _REGULAR}
    weights = {}
    for path, file in files.items():
        if file.mode not in _REGULAR:
            arrived.left_out[path] = "a submodule" if file.mode == 0o160000 else "a symbolic link"
        elif file.path in pointers:
            weights[path] = pointers[file.path], file.mode
        elif places[path].is_file() and places[path].read_bytes() == file.data:
            _set_mode(places[path], file.mode)
            arrived.kept.append(path)
        else:
            places[path].parent.mkdir(parents=True, exist_ok=True)
            write_durably(places[path], file.data)
            _set_mode(places[path], file.mode)
            arrived.brought.append(path)
    return weights


def _needed(folder: Path, weights: dict[str, tuple[Pointer, int]], arrived: Arrived) -> dict[str, Pointer]:
    needed = {}
    for path, (pointer, _) in weights.items():
        if is_right(folder / path, pointer):
            arrived.kept.append(path)
        else:
            needed[path] = pointer
    return needed


def _groups(files: dict[str, Pointer]) -> Iterator[dict[str, Pointer]]:
    group: dict[str, Pointer] = {}
    for path, pointer in files.items():
        if group and sum(one.size for one in group.values()) + pointer.size > _GROUP_BYTES:
            yield group
            group = {}
        group[path] = pointer
    if group:
        yield group


def _bring(
    remote: RemoteStore,
    folder: Path,
    place: Path,
    group: dict[str, Pointer],
    arrived: Arrived,
    show: Callable[[str], Progress] | None,
) -> dict[str, WeightsMissing]:
    """Bring some files' chunks and write the files meanwhile; then let the chunks go. Those that the server does not have, and why."""
    from concurrent.futures import ThreadPoolExecutor

    with LocalStore(place) as store, ThreadPoolExecutor(1) as pool:
        for path, pointer in group.items():
            _take_from_earlier(store, remote, folder / path, pointer)
        arriving = ArrivingStore(store, SILENT)
        progress = show("Downloading") if show else SILENT
        absent: dict[str, WeightsMissing] = {}
        fetching = pool.submit(_download, store, remote, list(dict.fromkeys(group.values())), progress, arriving)
        try:
            for path, pointer in group.items():
                file = place_of(folder, path)
                file.parent.mkdir(parents=True, exist_ok=True)
                try:
                    write_file(pointer, arriving, file, durably=True)
                except WeightsMissing as error:  # what was fetched says more
                    absent[path] = error
                else:
                    arrived.brought.append(path)
            arrived.bytes_received += fetching.result()
        except ObjectsAbsent as error:
            arrived.bytes_received += error.bytes_received
            absent = {path: error.about(group[path].oid) for path in absent}
    if place.exists():
        shutil.rmtree(place)
    return absent


def _download(
    store: LocalStore, remote: RemoteStore, pointers: list[Pointer], progress: Progress, arriving: ArrivingStore
) -> int:
    """The bytes that were received."""
    try:
        return download(store, remote, pointers, progress, announce=arriving.announce).bytes_received
    finally:
        arriving.finish()


def _take_from_earlier(store: LocalStore, remote: RemoteStore, earlier: Path, pointer: Pointer) -> None:
    """Put what the new file needs and its earlier version has into the store, chunks and bases of chunks: cuts depend on content
    alone."""
    from git_lepton.format.chunking import pieces
    from git_lepton.format.coding.codec import encode
    from git_lepton.format.coding.encoded import RAW
    from git_lepton.format.identifiers import ChunkId

    if not earlier.is_file() or earlier.stat().st_size <= _BLOCK:
        return
    wanted = store.missing(_needed_chunks(remote, pointer))
    with earlier.open("rb", buffering=0) as source:
        for piece in pieces(source):
            name = ChunkId.of(piece.data)
            if name in wanted:
                wanted.discard(name)
                store.add(encode(piece.data, "", frozenset({RAW}), name))
    store.sync()


def _needed_chunks(remote: RemoteStore, pointer: Pointer) -> set[ChunkId]:
    """An object's chunks and their bases, as far as the server has them."""
    chunks = list({entry.chunk: None for manifest in remote.manifests([pointer.oid]) for entry in manifest.entries})
    return {chunk.name for asked, plan in remote.plans(chunks) for chunk in read_plan(asked, plan)[0]}


def _set_mode(file: Path, mode: int) -> None:
    """What the version says: what was executable is so no longer, too."""
    if os.name == "posix":
        before = file.stat().st_mode
        after = before | 0o111 if mode == _EXECUTABLE else before & ~0o111
        if after != before:
            file.chmod(after)


__all__ = ["Arrived", "FolderBusy", "NothingMatches", "UnsafePath", "fetch_without_git", "files_named", "split_source"]
