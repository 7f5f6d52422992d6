from __future__ import annotations

import itertools
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from git_lepton.format.coding.encoded import RELEASED
from git_lepton.format.pointer import Pointer
from git_lepton.store.local_store import LocalStore
from git_lepton.transfer.http.connection import Connection
from git_lepton.transfer.http.credentials import CredentialChain
from git_lepton.transfer.http.hosts import host_of
from git_lepton.transfer.http.retries import Patience
from git_lepton.transfer.remote_store import RemoteStore
from lepton_server.identity.tokens import token_digest
from tests.support.running_server import RunningServer
from tests.transfer.double_server import Double
from tests.transfer.weights import noise

HASTY = replace(Patience(), first_wait_s=0.01, longest_wait_s=0.05, total_s=5.0, first_contact_s=1.0)


@dataclass
class Watcher:
    """A Progress that remembers."""

    total: int = 0
    done: int = 0
    finished: int = 0
    notes: list[str] = field(default_factory=list)

    def start(self, total: int) -> None:
        self.total, self.done = total, 0

    def advance(self, count: int) -> None:
        self.done += count

    def note(self, text: str) -> None:
        self.notes.append(text)

    def finish(self) -> None:
        self.finished += 1


Connect = Callable[..., RemoteStore]


class Served:
    """The real server, with a repository of its own for each test and weights that nobody has pushed before."""

    def __init__(self, server: RunningServer, connect: Connect, number: int) -> None:
        self.server = server
        self.url = server.url
        self._connect = connect
        self._repository = f"admin/m{number}"
        self._seeds = iter(range(number * 1000, number * 1000 + 1000))

    def connect(self, url: str = "", **options: Any) -> RemoteStore:
        """The repository, by way of a proxy if its URL is given, with the admin's token unless told otherwise."""
        chain = CredentialChain(token=self.server.admin_token, token_host=host_of(url or self.url))
        return self._connect(url or self.url, self._repository, **{"credentials": chain, **options})

    def noise(self, length: int) -> bytes:
        return noise(length, next(self._seeds))

    def new_token(self) -> str:
        return self.server.run("token", "create", "admin")

    def revoke(self, token: str) -> None:
        """As an operator would, for want of a command."""
        with closing(sqlite3.connect(self.server.data / "lepton.sqlite")) as database, database:
            changed = database.execute("UPDATE tokens SET revoked = 1 WHERE digest = ?", [token_digest(token)])
            assert changed.rowcount == 1

    def wait_until_stored(self, store: LocalStore, pointer: Pointer, chunks: int) -> None:
        """Until the server has verified so many chunks of an object."""
        manifest = store.manifest(pointer.oid)
        assert manifest is not None
        remote = self.connect()
        session = remote.open_upload().session
        ends = time.monotonic() + 20
        while len(remote.have(session, [entry.chunk for entry in manifest.entries])) < chunks:
            assert time.monotonic() < ends, "the server does not verify what it received"
            time.sleep(0.02)


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Opens a repository behind a URL, with little patience; closed with the test."""
    opened: list[RemoteStore] = []

    def open_remote(url: str, repository: str = "ada/m", streams: int = 4, **options: Any) -> RemoteStore:
        connection = Connection(url, codecs=sorted(RELEASED), **{"patience": HASTY, **options})
        opened.append(RemoteStore(connection, repository, streams=streams))
        return opened[-1]

    yield open_remote
    for remote in opened:
        remote.close()


@pytest.fixture(scope="module")
def running_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("server")) as server:
        yield server


_numbers = itertools.count(1)


@pytest.fixture
def served(running_server: RunningServer, connect: Connect) -> Served:
    return Served(running_server, connect, next(_numbers))


@pytest.fixture
def here(tmp_path: Path) -> Iterator[LocalStore]:
    """The local store of who pushes."""
    with LocalStore(tmp_path / "here") as store:
        yield store


@pytest.fixture
def there(tmp_path: Path) -> Iterator[LocalStore]:
    """The local store of who fetches."""
    with LocalStore(tmp_path / "there") as store:
        yield store


@pytest.fixture
def double() -> Iterator[Double]:
    """A server in memory."""
    with Double() as server:
        yield server


@pytest.fixture
def progress() -> Watcher:
    return Watcher()
