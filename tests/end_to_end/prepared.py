"""Folders that are made once in a test process and copied by each test that wants one: a copy takes a hundredth of what it takes to make
a repository with weights again."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable, Hashable
from functools import cache
from pathlib import Path

from dulwich.index import Index, IndexEntry, index_entry_from_stat

_made: dict[Hashable, Path] = {}


def copied(what: Hashable, make: Callable[[Path], object], target: Path) -> None:
    """Make `target` a copy of the folder that `make` fills, in a folder of its own, the first time that `what` is asked for. A
    repository in it is as clean as it was: git knows the copied files."""
    if what not in _made:
        place = Path(tempfile.mkdtemp(dir=_root())) / "work"
        make(place)
        _made[what] = place
    shutil.copytree(_made[what], target, symlinks=True)
    for git in target.rglob(".git"):
        if (git / "index").exists():
            _know_files(git.parent)


@cache
def _root() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="lepton-prepared-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _know_files(place: Path) -> None:
    """Else git would ask the filter about each file, since a copy has another inode and another time of its change."""
    index = Index(place / ".git/index")
    for path in list(index):
        entry = index[path]
        assert isinstance(entry, IndexEntry), "this repository has conflicts"
        index[path] = index_entry_from_stat((place / path.decode()).lstat(), entry.sha, mode=entry.mode)
    index.write()
