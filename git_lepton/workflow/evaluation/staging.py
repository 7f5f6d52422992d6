"""Staging: folders with exactly the files of a version, for as long as an evaluation looks at them."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from git_lepton.errors import CorruptData
from git_lepton.evidence.identity import VersionFile, below, shared_folder
from git_lepton.format.pointer import Pointer
from git_lepton.git.blob_content import BlobContent
from git_lepton.git.repository import GitRepository
from git_lepton.models.tree import LINK_MODE, TreeFile
from git_lepton.store.chunk_store import ChunkStore
from git_lepton.store.file_lock import lock, try_lock
from git_lepton.workflow.checkout.smudge import file_errors, write_file
from git_lepton.workflow.download.safe_paths import place_of

_LOCK = ".lock"


class UnsafeFile(CorruptData):
    """A version has a file that cannot be put into a folder: a link that leads out of it."""


@contextlib.contextmanager
def staged(
    git: GitRepository, store: ChunkStore, root: Path, files: tuple[VersionFile, ...], entries: Mapping[str, TreeFile]
) -> Iterator[Path]:
    """A folder below `root` with these files, under their paths below the folder that they share; gone when the block ends.

    Of a single file its own path. Nothing in it shares its bytes with the work tree or the store, so a program may write there. Raises
    WeightsMissing, CannotWriteFile, UnsafePath, CorruptData, GitFailed.
    """
    with own_folder(root) as folder:
        top = shared_folder([file.path for file in files])
        with BlobContent(git) as blobs:
            for file in files:
                name = below(top, file.path)
                path = place_of(folder, name)
                with file_errors(path):
                    _write(blobs, store, path, name, file, entries[file.path])
        yield folder / below(top, files[0].path) if len(files) == 1 else folder


@contextlib.contextmanager
def own_folder(root: Path) -> Iterator[Path]:
    """A new folder below `root`, gone when the block ends. What processes that were killed left there is removed first.

    A locked file beside it says that somebody uses it. The lock ends with its process, however that ends.
    """
    with file_errors(root):
        place, used = _new_folder(root)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        used.close()
        place.with_suffix(_LOCK).unlink(missing_ok=True)


def _new_folder(root: Path) -> tuple[Path, IO[bytes]]:
    root.mkdir(parents=True, exist_ok=True)
    with root.with_suffix(_LOCK).open("ab") as turn:
        lock(turn.fileno())  # one process at a time, so that nobody sweeps a folder that is not locked yet
        _sweep(root)
        place = root / f"{os.getpid()}-{os.urandom(6).hex()}"
        used = place.with_suffix(_LOCK).open("xb")
        try_lock(used.fileno())
        place.mkdir(mode=0o700)
    return place, used


def _sweep(root: Path) -> None:
    """Remove folders whose process is gone: their lock is free."""
    for path in [path for path in root.iterdir() if path.suffix != _LOCK]:
        with contextlib.suppress(OSError), path.with_suffix(_LOCK).open("ab") as used:
            if try_lock(used.fileno()):
                shutil.rmtree(path, ignore_errors=True)
    for path in root.glob(f"*{_LOCK}"):
        if not path.with_suffix("").exists():
            with contextlib.suppress(OSError):  # Windows, while its owner is about to do the same
                path.unlink()


def _write(blobs: BlobContent, store: ChunkStore, path: Path, name: str, file: VersionFile, entry: TreeFile) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(file.content, Pointer):
        write_file(file.content, store, path)
    elif entry.mode == LINK_MODE:
        target = bytearray()
        blobs.copy(file.content, target.extend)
        path.symlink_to(_inside(file.path, name, os.fsdecode(bytes(target))))
        return
    else:
        with path.open("xb") as content:
            blobs.copy(file.content, content.write)
    if entry.mode == "100755":
        path.chmod(0o755)


def _inside(path: str, name: str, target: str) -> str:
    """The target of a link at `name` in the folder, as it is. Raises UnsafeFile unless it surely lies in the folder: after a name no
    `..` may come, since that name may be a link itself."""
    parts = target.split("/")
    up = next((at for at, part in enumerate(parts) if part != ".."), len(parts))
    if target.startswith("/") or up > name.count("/") or ".." in parts[up:] or "\0" in target or not target:
        raise UnsafeFile(f"{path} is a link that may lead out of the model: {target[:200]}")
    return target
