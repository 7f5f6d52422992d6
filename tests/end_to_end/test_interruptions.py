"""kill -9 in the middle of everything: the same command again completes, and little travels twice.

The bytes that travel are counted by a proxy between client and server. The file has 200 MB, or, with GIT_LEPTON_LARGE_TESTS=1, 1 GB.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.end_to_end.conftest import HERE
from tests.end_to_end.prepared import copied
from tests.end_to_end.test_large import LARGE, dense_model
from tests.end_to_end.world import World, world_at
from tests.support.backends import Backends
from tests.support.faulty_proxy import FaultyProxy
from tests.support.running_server import RunningServer

NAME = "model.safetensors"
SIZE = 1 << 30 if LARGE else 200_000_000
STREAMS = 4 if LARGE else 1
PACK = 64 << 20
TWICE = STREAMS * PACK
pytestmark = [
    pytest.mark.timeout(1200),
    pytest.mark.skipif(os.name == "nt", reason="process groups are POSIX"),
    pytest.mark.thorough,
]


@pytest.fixture(scope="module")
def large_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("large") / NAME
    dense_model(path, SIZE)
    return path


@pytest.fixture
def server(tmp_path: Path, backend: str, backends: Backends) -> Iterator[RunningServer]:
    """A server of this test's own: what another test sent would not have to travel. All bytes pass it, so that they can be counted."""
    with RunningServer(tmp_path, ["--s3-direct", "never"], place=backends.place(backend)) as running:
        yield running


@pytest.fixture
def proxy(server: RunningServer) -> Iterator[FaultyProxy]:
    with FaultyProxy(server.url) as running:
        yield running


@pytest.fixture
def place(world: World, proxy: FaultyProxy, large_file: Path, url: str) -> Path:
    """A repository with the large file in its work tree, not added; origin goes through the proxy."""
    _goes_through(world, proxy)
    place = world.repository(remote=through(proxy, url))
    shutil.copyfile(large_file, place / NAME)
    return place


@pytest.fixture
def committed(world: World, proxy: FaultyProxy, large_file: Path, url: str) -> Path:
    """The same with the file committed: a copy of one that was made once."""
    _goes_through(world, proxy)
    place = world.folder / "work"
    copied(large_file, partial(_commit, large_file), place)
    world.git(place, "remote", "add", "origin", through(proxy, url))
    return place


def _goes_through(world: World, proxy: FaultyProxy) -> None:
    world.environment["GIT_LEPTON_HOST"] = proxy.url.removeprefix("http://")
    world.git(world.folder, "config", "--global", "lepton.concurrency", str(STREAMS))


def _commit(file: Path, place: Path) -> None:
    world = world_at(place.parent)
    world.repository()
    shutil.copyfile(file, place / NAME)
    world.git(place, "add", NAME)
    world.git(place, "commit", "-qm", "model")


def through(proxy: FaultyProxy, url: str) -> str:
    return f"lepton::{proxy.url}/{'/'.join(url.split('/')[-2:])}"


def start(world: World, folder: Path, *command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        cwd=folder,
        env=world.environment,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def kill_when(process: subprocess.Popen[bytes], happened: Callable[[], bool]) -> None:
    """kill -9 for the whole group of processes as soon as `happened`; it must not have ended by then."""
    deadline = time.monotonic() + 120
    while not happened():
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def unlock(folder: Path) -> None:
    """What git itself asks a user to do after a kill -9."""
    (folder / ".git/index.lock").unlink(missing_ok=True)


@HERE
def test_add(world: World, place: Path) -> None:
    packs = place / ".git/lepton/packs"

    def half() -> bool:
        return packs.exists() and sum(pack.stat().st_size for pack in packs.iterdir()) > SIZE // 3

    kill_when(start(world, place, "git", "add", NAME), half)
    unlock(place)
    world.git(place, "add", NAME)
    world.git(place, "commit", "-qm", "model")
    world.git(place, "lepton", "fsck")
    world.git(place, "push", "-q", "origin", "main")


def test_push_by_a_killed_client(world: World, committed: Path, proxy: FaultyProxy) -> None:
    kill_when(start(world, committed, "git", "push", "origin", "main"), lambda: proxy.sent > SIZE // 3)
    assert world.git(committed, "ls-remote", "origin", "main") == ""
    world.git(committed, "push", "-q", "origin", "main")
    stored = sum(pack.stat().st_size for pack in (committed / ".git/lepton/packs").iterdir())
    print(f"stored {stored / 1e6:.1f} MB, sent {proxy.sent / 1e6:.1f} MB")
    assert proxy.sent <= stored * 1.01 + TWICE


def test_push_to_a_killed_server(world: World, committed: Path, proxy: FaultyProxy, server: RunningServer) -> None:
    pushing = start(world, committed, "git", "push", "origin", "main")
    deadline = time.monotonic() + 120
    while proxy.sent < SIZE // 3:
        assert pushing.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.002)
    server.kill()
    time.sleep(0.5)
    server.restart()
    code = pushing.wait(600)
    if code:
        world.git(committed, "push", "-q", "origin", "main")
    stored = sum(pack.stat().st_size for pack in (committed / ".git/lepton/packs").iterdir())
    print(f"exit code {code}; stored {stored / 1e6:.1f} MB, sent {proxy.sent / 1e6:.1f} MB")
    assert proxy.sent <= stored * 1.01 + TWICE
    assert world.git(committed, "ls-remote", "origin", "main") != ""


def test_clone(world: World, committed: Path, proxy: FaultyProxy) -> None:
    world.git(committed, "push", "-q", "origin", "main")
    proxy.reset_counts()
    source = world.git(committed, "remote", "get-url", "origin").strip()
    clone = world.folder / "elsewhere"
    kill_when(start(world, world.folder, "git", "clone", source, "elsewhere"), lambda: proxy.received > SIZE // 4)
    unlock(clone)
    world.git(clone, "reset", "-q", "--hard")
    world.git(clone, "lepton", "pull")
    stored = sum(pack.stat().st_size for pack in (committed / ".git/lepton/packs").iterdir())
    print(f"stored {stored / 1e6:.1f} MB, received {proxy.received / 1e6:.1f} MB")
    assert proxy.received <= stored * 1.01 + TWICE
    assert same(clone / NAME, committed / NAME)
    world.clean(clone)
    shutil.rmtree(clone)
    world.git(world.folder, "clone", "-q", source, "elsewhere")
    assert same(clone / NAME, committed / NAME)


@HERE
def test_download_without_git(world: World, committed: Path, proxy: FaultyProxy) -> None:
    world.git(committed, "push", "-q", "origin", "main")
    proxy.reset_counts()
    source = world.git(committed, "remote", "get-url", "origin").strip()
    command = ["git-lepton", "download", source, "--to", "served"]
    kill_when(start(world, world.folder, *command), lambda: proxy.received > SIZE // 4)
    assert not (world.folder / "served" / NAME).exists()
    world.run(command)
    stored = sum(pack.stat().st_size for pack in (committed / ".git/lepton/packs").iterdir())
    assert proxy.received <= stored * 1.01 + TWICE
    assert same(world.folder / "served" / NAME, committed / NAME)
    again = proxy.received
    world.run(command)
    assert proxy.received - again < 1_000_000


def same(one: Path, other: Path) -> bool:
    return subprocess.run(["cmp", str(one), str(other)], check=False).returncode == 0
