"""Staging: folders with exactly the files of a version, for as long as an evaluation looks at them."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from git_lepton.errors import CorruptData
from git_lepton.evidence.identity import VersionFile, below, shared_folder
from git_lepton.format.pointer import Pointer
from git_lepton.git.repository import GitRepository
from git_lepton.models.tree import LINK_MODE, TreeFile
from git_lepton.store.chunk_store import ChunkStore
from git_lepton.store.file_lock import try_lock
from git_lepton.workflow.checkout.smudge import write_file

_LOCK = ".lock"


class UnsafeFile(CorruptData):
    """A version has a file that cannot be put into a folder: a link that leads out of it."""


@contextlib.contextmanager
def staged(
    git: GitRepository, store: ChunkStore, root: Path, files: tuple[VersionFile, ...], entries: Mapping[str, TreeFile]
) -> Iterator[Path]:
    """A folder below `root` with these files, under their paths below the folder that they share; gone when the block ends.

    Of a single file its own path. What processes that were killed left behind is removed first. Raises WeightsMissing, CorruptData.
    """
    root.mkdir(parents=True, exist_ok=True)
    _sweep(root)
    with own_folder(root) as folder:
        top = shared_folder([file.path for file in files])
        for file in files:
            _write(git, store, folder, below(top, file.path), file, entries[file.path])
        yield folder / below(top, files[0].path) if len(files) == 1 else folder


@contextlib.contextmanager
def own_folder(root: Path) -> Iterator[Path]:
    """A new folder below `root`, and beside it a locked file that says that somebody uses it. Gone when the block ends, or swept later."""
    place = root / f"{os.getpid()}-{os.urandom(6).hex()}"
    with place.with_suffix(_LOCK).open("xb") as lock:
        try_lock(lock.fileno())
        place.mkdir(mode=0o700)
        try:
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)
            place.with_suffix(_LOCK).unlink(missing_ok=True)


def _sweep(root: Path) -> None:
    """Remove folders whose process is gone: their lock is free."""
    for path in root.glob(f"*{_LOCK}"):
        with contextlib.suppress(OSError), path.open("rb") as lock:
            if try_lock(lock.fileno()):
                shutil.rmtree(path.with_suffix(""), ignore_errors=True)
                path.unlink(missing_ok=True)


def _write(git: GitRepository, store: ChunkStore, folder: Path, name: str, file: VersionFile, entry: TreeFile) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(file.content, Pointer):
        write_file(file.content, store, path)
        return
    data = git.read_blob(file.content)
    if entry.mode == LINK_MODE:
        path.symlink_to(_inside(file.path, name, os.fsdecode(data)))
        return
    path.write_bytes(data)
    if entry.mode == "100755":
        path.chmod(0o755)


def _inside(path: str, name: str, target: str) -> str:
    """The target of a link at `name` in the folder, as it is. Raises UnsafeFile unless it surely lies in the folder: after a name no
    `..` may come, since that name may be a link itself."""
    parts = target.split("/")
    up = next((at for at, part in enumerate(parts) if part != ".."), len(parts))
    if target.startswith("/") or up > name.count("/") or ".." in parts[up:]:
        raise UnsafeFile(f"{path} is a link that may lead out of the model: {target[:200]}")
    return target
