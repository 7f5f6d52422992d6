"""Tools that keep versions of files, each with a store of its own on this machine's disk: what does the next version cost there?"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from benchmarks.contenders import Contender, Lepton, Lfs, folder_bytes
from benchmarks.timing import run

Files = Mapping[str, Path]


class Store(ABC):
    """Below `folder`; a context manager that starts and stops what the tool needs."""

    name = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, files: Files) -> int:
        """Put the files there under these names as the next version; the bytes by which the store grew."""
        before = self.stored_bytes()
        self.put(files)
        return self.stored_bytes() - before

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    @classmethod
    def lacks(cls) -> str:
        """What is not installed, "" where nothing is missing."""
        return ""

    @abstractmethod
    def put(self, files: Files) -> None:
        """Store them as the next version, up to the store that a team would share."""

    @abstractmethod
    def stored_bytes(self) -> int:
        """What the store takes on disk."""


class GitStore(Store):
    """A tool that git calls: add, commit, push."""

    kind: type[Contender]

    def __enter__(self) -> Self:
        self._contender = self.kind(self.folder)
        self._contender.start()
        self._work = self._contender.new_repository()
        return self

    def __exit__(self, *_: object) -> None:
        self._contender.stop()
        super().__exit__()

    def put(self, files: Files) -> None:
        for name, path in files.items():
            shutil.copyfile(path, self._work / name)
        for command in (("add", "."), ("commit", "-qm", "version", "--allow-empty"), ("push", "-q", "origin", "main")):
            self._contender.git(self._work, *command)

    def stored_bytes(self) -> int:
        return self._contender.stored_bytes()


class LeptonStore(GitStore):
    name, kind = "git-lepton", Lepton


class LfsStore(GitStore):
    name, kind = "git-lfs", Lfs

    @classmethod
    def lacks(cls) -> str:
        return "" if shutil.which("git-lfs") else "git-lfs is not on PATH"


class DvcStore(Store):
    """dvc add and dvc push to a folder."""

    name = "DVC"

    def __enter__(self) -> Self:
        self._work, self._remote, home = (self.folder / name for name in ("dvc", "dvc-remote", "dvc-home"))
        for place in (self._work, self._remote, home):
            place.mkdir(parents=True)
        self._environment = os.environ | {"HOME": str(home), "DVC_NO_ANALYTICS": "1"}
        self._dvc("init", "-q", "--no-scm")
        self._dvc("remote", "add", "-q", "-d", "store", str(self._remote))
        return self

    @classmethod
    def lacks(cls) -> str:
        return "" if shutil.which("dvc") else "dvc is not on PATH"

    def put(self, files: Files) -> None:
        for name, path in files.items():
            shutil.copyfile(path, self._work / name)
        self._dvc("add", "-q", *files)
        self._dvc("push", "-q")

    def stored_bytes(self) -> int:
        return folder_bytes(self._remote)

    def _dvc(self, *arguments: str) -> None:
        run(["dvc", *arguments], self._work, self._environment)


class XetStore(Store):
    """hf-xet's upload to a local content-addressed store, in a process of its own for each version."""

    name = "hf-xet"

    def __enter__(self) -> Self:
        self._place, home = self.folder / "xet", self.folder / "xet-home"
        for place in (self._place, home):
            place.mkdir(parents=True)
        self._environment = os.environ | {"HOME": str(home), "HF_HOME": str(home)}
        return self

    @classmethod
    def lacks(cls) -> str:
        return "" if importlib.util.find_spec("hf_xet") else "hf-xet is not installed"

    def put(self, files: Files) -> None:
        program = [
            sys.executable,
            "-m",
            "benchmarks.xet_upload",
            str(self._place.resolve()),
            *(str(path.resolve()) for path in files.values()),
        ]
        run(program, self._place, self._environment | {"PYTHONPATH": str(Path(__file__).parents[1])})

    def stored_bytes(self) -> int:
        return folder_bytes(self._place / "xet" / "xorbs")  # beside it lie caches of the client


STORES: Sequence[type[Store]] = (LeptonStore, LfsStore, DvcStore, XetStore)
