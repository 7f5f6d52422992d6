from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from git_lepton.format.coding.codec import RELEASED
from git_lepton.store.local_store import LocalStore
from git_lepton.transfer.connection import Connection
from git_lepton.transfer.patience import Patience
from git_lepton.transfer.remote_store import RemoteStore
from tests.transfer.double_server import Double

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
