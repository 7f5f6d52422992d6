"""git-lepton and git-lfs, each with a server of its own on this machine, driven by the same git commands."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from benchmarks.timing import Run, run

_TRACKED = ("*.safetensors", "*.bin", "*.pt", "*.gguf")
_IDENTITY = (
    "[user]\n\tname = Bench\n\temail = bench@example.org\n[init]\n\tdefaultBranch = main\n[advice]\n\tdetachedHead = false\n"
)


def folder_bytes(folder: Path) -> int:
    """The sizes of all files below."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


class Contender(ABC):
    """A tool under test. Everything it does happens below `folder`."""

    name = ""
    track: Sequence[str] = ()
    server_command: Sequence[str] = ()

    def __init__(self, folder: Path) -> None:
        self.folder = folder / self.name
        shutil.rmtree(self.folder, ignore_errors=True)
        self.data = self.folder / "server"
        self.home = self.folder / "home"
        self.home.mkdir(parents=True)
        (self.home / ".gitconfig").write_text(_IDENTITY)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") and "proxy" not in name.lower()}
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        self.environment = kept | {"HOME": str(self.home), "PATH": path, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
        self.server: subprocess.Popen[str] | None = None
        self.url = ""
        self.rounds = 0

    def start(self) -> None:
        self.server = subprocess.Popen(
            [sys.executable, "-m", *self.server_command], env=self.environment, stdout=subprocess.PIPE, text=True
        )
        assert self.server.stdout
        for line in self.server.stdout:
            if "http://" in line:
                self.url = "http://" + line.split("http://", 1)[1].split()[0].rstrip("/")
                break
        self.ready()

    @abstractmethod
    def ready(self) -> None:
        """After the server's start."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        if self.server:
            self.server.terminate()
            self.server.wait(20)

    def git(self, folder: Path, *arguments: str) -> Run:
        return run(["git", *arguments], folder, self.environment)

    def new_repository(self) -> Path:
        """An empty repository with the patterns tracked and a remote, and the attributes committed."""
        self.rounds += 1
        place = self.folder / f"work{self.rounds}"
        place.mkdir()
        self.git(place, "init", "-q")
        self.git(place, *self.track)
        self.git(place, "add", ".gitattributes")
        self.git(place, "commit", "-qm", "track")
        self.connect(place)
        return place

    def stored_bytes(self) -> int:
        """What the weights take on the disk of the store."""
        return sum(map(folder_bytes, self.stores()))

    @abstractmethod
    def stores(self) -> Sequence[Path]:
        """The folders of the server that hold weights."""

    @abstractmethod
    def behind(self, url: str) -> None:
        """From now on talk to the server through this address."""

    @property
    def port(self) -> int:
        """Where its server listens."""
        return int(self.url.rsplit(":", 1)[1])

    def reconnect(self, place: Path) -> None:
        """Give a repository the remote anew, after `behind`."""
        self.git(place, "remote", "set-url", "origin", self.clone_url())

    @abstractmethod
    def connect(self, place: Path) -> None:
        """Give the repository its remote."""

    @abstractmethod
    def clone_url(self) -> str:
        """What this round's repository is cloned from."""


class Lepton(Contender):
    name = "git-lepton"
    track = ("lepton", "track", *_TRACKED)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.server_command = ("lepton_server.cli", "serve", "--data", str(self.data), "--port", "0")

    def ready(self) -> None:
        deadline = time.monotonic() + 10
        while not (self.data / "admin-token").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        self.environment["GIT_LEPTON_TOKEN"] = (self.data / "admin-token").read_text().strip()
        self.behind(self.url)

    def stores(self) -> Sequence[Path]:
        return (self.data / "packs",)

    def behind(self, url: str) -> None:
        self.url = url
        self.environment["GIT_LEPTON_HOST"] = url.removeprefix("http://")

    def clone_url(self) -> str:
        return f"lepton::{self.url}/admin/bench{self.rounds}"

    def connect(self, place: Path) -> None:
        self.git(place, "remote", "add", "origin", self.clone_url())


class Lfs(Contender):
    name = "git-lfs"
    track = ("lfs", "track", *_TRACKED)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.server_command = ("benchmarks.lfs_server", str(self.data))

    def ready(self) -> None:
        run(["git", "lfs", "install"], self.home, self.environment)
        self.behind(self.url)

    def stores(self) -> Sequence[Path]:
        return (self.data,)

    def behind(self, url: str) -> None:
        self.url = url
        run(["git", "config", "--global", "lfs.url", url], self.home, self.environment)

    def clone_url(self) -> str:
        return str(self.folder / f"remote{self.rounds}.git")

    def connect(self, place: Path) -> None:
        self.git(self.folder, "init", "-q", "--bare", self.clone_url())
        self.git(place, "remote", "add", "origin", self.clone_url())
