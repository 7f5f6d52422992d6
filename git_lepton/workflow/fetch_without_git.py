"""`git lepton download`: files of one version into a folder, without clone, without git, without installation.

What is there and right stays; what is missing or wrong is brought, verified and put in its place at once. What arrived before
a break stays in `.git-lepton-partial` inside the folder, which goes when all is done. A changed file brings only what its earlier
version in the folder does not have.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from git_lepton.errors import WeightsMissing, WrongUse
from git_lepton.format.pointer import MAX_POINTER_BYTES, NotAPointer, Pointer, parse_pointer
from git_lepton.settings import Settings
from git_lepton.settings.addresses import FORM, BadStoreUrl
from git_lepton.store.durable import write_durably
from git_lepton.store.local_store import LocalStore
from git_lepton.transfer.download import download
from git_lepton.transfer.git_snapshot import Snapshot, TreeFile, read_snapshot
from git_lepton.transfer.progress import SILENT
from git_lepton.transfer.ranges import read_plan
from git_lepton.transfer.remote_store import RemoteStore, connect
from git_lepton.workflow.arriving import ArrivingStore
from git_lepton.workflow.download_folder import FolderBusy, is_right, partial_folder
from git_lepton.workflow.safe_paths import UnsafePath, place_of
from git_lepton.workflow.smudge import write_file

if TYPE_CHECKING:
    from git_lepton.format.identifiers import ChunkId
    from git_lepton.transfer.progress import Progress

_GROUP_BYTES = 4 << 30  # weights brought before they are written and their chunks let go of: bounds the room beside the files
_BLOCK = 1 << 20
_EXECUTABLE = 0o100755
_REGULAR = (0o100644, 0o100664, _EXECUTABLE)


class NothingMatches(WrongUse):
    """A pattern matches no file of the version."""


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

    A pattern is a path, a folder or a glob. Raises BadStoreUrl, UnknownVersion, NothingMatches, FolderBusy, UnsafePath and what
    transfers raise; files that were in place by then stay.
    """
    address, revision = split_source(source)
    with _remote(settings, address) as remote, partial_folder(folder) as partial:
        snapshot = read_snapshot(remote, revision)
        arrived = Arrived(snapshot.commit)
        weights = _ordinary_files(folder, _chosen(snapshot, patterns), snapshot.tracked(), arrived)
        for group in _groups(_needed(folder, weights, arrived)):
            _bring(remote, folder, partial / "store", group, arrived, show)
        for path, (_, mode) in weights.items():
            _set_mode(folder / path, mode)
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


def _chosen(snapshot: Snapshot, patterns: Sequence[str]) -> dict[str, TreeFile]:
    """The entries that the patterns ask for, by path. Raises NothingMatches, UnsafePath."""
    files = {os.fsdecode(file.path): file for file in snapshot.files}
    if not patterns:
        return files
    found: dict[str, TreeFile] = {}
    for pattern in patterns:
        name = pattern.removeprefix("./").rstrip("/")
        matching = {path: file for path, file in files.items() if fnmatchcase(path, name) or path.startswith(f"{name}/")}
        if not matching:
            raise NothingMatches(f"no file of this version matches {pattern!r}", "Patterns are paths, folders or globs.")
        found |= matching
    return found


def _ordinary_files(
    folder: Path, files: dict[str, TreeFile], tracked: set[bytes], arrived: Arrived
) -> dict[str, tuple[Pointer, int]]:
    """Write what git itself has; returns the pointers, with git's modes. Checks every path first, before anything is written."""
    places = {path: place_of(folder, path) for path, file in files.items() if file.mode in _REGULAR}
    weights = {}
    for path, file in files.items():
        if file.mode not in _REGULAR:
            arrived.left_out[path] = "a submodule" if file.mode == 0o160000 else "a symbolic link"
        elif file.path in tracked and (pointer := _pointer(file.data)) is not None:
            weights[path] = pointer, file.mode
        elif places[path].is_file() and places[path].read_bytes() == file.data:
            arrived.kept.append(path)
        else:
            places[path].parent.mkdir(parents=True, exist_ok=True)
            write_durably(places[path], file.data)
            _set_mode(places[path], file.mode)
            arrived.brought.append(path)
    return weights


def _pointer(data: bytes) -> Pointer | None:
    if len(data) > MAX_POINTER_BYTES:
        return None
    try:
        return parse_pointer(data)
    except NotAPointer:
        return None


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
) -> None:
    """Bring some files' chunks and write the files meanwhile; then let the chunks go."""
    from concurrent.futures import ThreadPoolExecutor

    with LocalStore(place) as store, ThreadPoolExecutor(1) as pool:
        for path, pointer in group.items():
            _take_from_earlier(store, remote, folder / path, pointer)
        arriving = ArrivingStore(store, SILENT)
        progress = show("Downloading") if show else SILENT
        fetching = pool.submit(_download, store, remote, list(dict.fromkeys(group.values())), progress, arriving)
        try:
            for path, pointer in group.items():
                file = place_of(folder, path)
                file.parent.mkdir(parents=True, exist_ok=True)
                write_file(pointer, arriving, file, durably=True)
                arrived.brought.append(path)
        except WeightsMissing:
            fetching.result()  # says why they are
            raise
        arrived.bytes_received += fetching.result()
    shutil.rmtree(place)


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
    if os.name == "posix" and mode == _EXECUTABLE:
        file.chmod(file.stat().st_mode | 0o111)


__all__ = ["Arrived", "FolderBusy", "NothingMatches", "UnsafePath", "fetch_without_git", "split_source"]
