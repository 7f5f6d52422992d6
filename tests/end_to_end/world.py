"""A server, a home without any configuration but an identity, and git: what a team has on its first day."""

from __future__ import annotations

import hashlib
import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from tests.end_to_end.in_process import run_here
from tests.end_to_end.prepared import copied
from tests.support.running_server import RunningServer

PROGRAMS = Path(sys.executable).parent
CONFIGURATION = '[init]\n\tdefaultBranch = main\n[advice]\n\tdetachedHead = false\n[protocol "file"]\n\tallow = always\n'
_times = itertools.count(1_000_000_000, 60)


class World:
    """`home` is HOME, `folder` where repositories are made. Commands run with our programs on PATH and the admin's token."""

    def __init__(self, folder: Path, home: Path, server: RunningServer | None = None) -> None:
        self.folder = folder
        self.home = home
        self.server = server
        self.environment = dict(os.environ) | {
            "HOME": str(home),
            "PATH": os.pathsep.join([str(PROGRAMS), os.environ["PATH"]]),
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        with (home / ".gitconfig").open("a") as file:  # two worlds of one home have it twice, which is the same
            file.write(CONFIGURATION)
        if server:
            self.environment["GIT_LEPTON_TOKEN"] = server.admin_token
            self.environment["GIT_LEPTON_HOST"] = server.url.removeprefix("http://")

    def url(self, name: str = "admin/models") -> str:
        assert self.server
        return f"lepton::{self.server.url}/{name}"

    def run(
        self,
        command: Sequence[str],
        folder: Path | None = None,
        *,
        extra: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
        fails: bool = False,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run it; a command that fails (or, with `fails`, one that does not) is an AssertionError with its words. A command of ours
        runs in this process, and not at the same time as another: what git itself starts are processes of their own in any case."""
        environment = self.environment | dict(extra or {})
        if arguments := _ours(command):
            done = run_here(arguments, folder or self.folder, environment)
        else:
            done = subprocess.run(
                command,
                cwd=folder or self.folder,
                env=environment,
                input=stdin,
                stdin=subprocess.DEVNULL if stdin is None else None,
                capture_output=True,
                timeout=240,
                check=False,
            )
        said = [stream.decode(errors="replace") for stream in (done.stdout, done.stderr)]
        words = "\n".join([f"{' '.join(command)} -> {done.returncode}", *said])
        assert (done.returncode != 0) == fails, words
        assert "Traceback" not in words, words
        return done

    def git(self, folder: Path, *arguments: str, fails: bool = False, extra: Mapping[str, str] | None = None) -> str:
        """What this git command printed on stdout (with `fails`: on stderr)."""
        done = self.run(["git", *arguments], folder, fails=fails, extra=extra)
        return (done.stderr if fails else done.stdout).decode()

    def repository(self, name: str = "work", *, remote: str | None = None, track: str = "*.safetensors") -> Path:
        """A new repository whose first commit tracks `track`; `remote` becomes its origin."""
        place = self.folder / name
        copied(track, partial(_make_repository, track), place)
        if remote:
            self.git(place, "remote", "add", "origin", remote)
        return place

    def like(self, make: Callable[[World], Path], remote: str | None = None) -> Path:
        """A copy of the repository `work` that `make` makes in a world without a server; `remote` becomes its origin."""
        place = self.folder / "work"
        copied(make, lambda made: make(world_at(made.parent)), place)
        if remote:
            self.git(place, "remote", "add", "origin", remote)
        return place

    def commit(self, place: Path, name: str, data: bytes, message: str = "model") -> str:
        """Write, add and commit one file; gives the commit."""
        return self.commit_files(place, {name: data}, message)

    def commit_files(self, place: Path, files: Mapping[str, bytes], message: str = "model") -> str:
        """The same for several files."""
        for name, data in files.items():
            write(place / name, data)
        self.git(place, "add", *files)
        self.git(place, "commit", "-qm", message)
        return self.git(place, "rev-parse", "HEAD").strip()

    def clean(self, place: Path) -> None:
        """git sees no change."""
        assert self.git(place, "status", "--porcelain") == ""

    def is_pointer(self, place: Path, revision_and_path: str, data: bytes) -> None:
        """What git stores there is the pointer of these bytes."""
        expected = f"version git-lepton/v1\noid sha256:{hashlib.sha256(data).hexdigest()}\nsize {len(data)}\n"
        assert self.git(place, "show", revision_and_path) == expected


def write(file: Path, data: bytes) -> None:
    """A file that looks old: about one that changed in the second in which it was added, git asks the filter with each command."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    os.utime(file, (next(_times),) * 2)


def _ours(command: Sequence[str]) -> list[str]:
    """What `git lepton` is asked to do, if that is the command."""
    if command[0] == "git-lepton":
        return [*command[1:]]
    return [*command[2:]] if command[:2] == ["git", "lepton"] else []


def world_at(folder: Path) -> World:
    (folder / "home").mkdir()
    return World(folder, folder / "home")


def _make_repository(track: str, place: Path) -> None:
    world = world_at(place.parent)
    place.mkdir()
    world.git(place, "init", "-q")
    world.git(place, "lepton", "track", track)
    world.git(place, "add", ".gitattributes")
    world.git(place, "commit", "-qm", "track weights")
