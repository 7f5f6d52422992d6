"""The lock of a hosted repository's refs: they move for one push at a time, over all processes, from the check of what may move to the last
note of what did."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from git_lepton.errors import NetworkTrouble
from lepton_server.coordination.advisory_lock import HeldLock, LockTaken, advisory_lock
from lepton_server.coordination.file_lock import FolderBusy, only_one
from lepton_server.database.transactions import Database
from lepton_server.repositories.registry import Repository
from lepton_server.settings import ServerSettings

_PATIENCE_SECONDS = 60.0  # of a push that waits for others of its repository
_MAINTENANCE_PATIENCE_SECONDS = 120.0
_LOOK_SECONDS = 0.02


class RefsBusy(NetworkTrouble):
    """Somebody else has been moving this repository's refs for too long."""


@contextmanager
def hold_refs(
    database: Database, settings: ServerSettings, repository: int, seconds: float = _PATIENCE_SECONDS
) -> Iterator[HeldLock]:
    """No ref of the repository (its number) moves but by the block. Waits up to `seconds`. Raises RefsBusy."""
    with ExitStack() as holding:
        try:
            if database.is_shared:
                held = holding.enter_context(advisory_lock(database, f"refs {repository}", seconds))
            else:
                held = HeldLock(None)
                _hold_file(holding, settings, repository, time.monotonic() + seconds)
        except (LockTaken, FolderBusy) as error:
            raise RefsBusy("others are moving refs of this repository", "Push again in a while.") from error
        yield held


def _hold_file(holding: ExitStack, settings: ServerSettings, repository: int, until: float) -> None:
    """On SQLite the lock is a file, not one of threads: gc runs in another process of the same host."""
    folder = settings.data / "ref-locks"
    folder.mkdir(exist_ok=True)
    while True:
        try:
            holding.enter_context(only_one(folder / str(repository), "moves refs in"))
            return
        except FolderBusy:
            if time.monotonic() >= until:
                raise
            time.sleep(_LOOK_SECONDS)


class Turn:
    """One push's hold on the refs of its repository, from `wait` to `end`, which may come first. For any threads."""

    def __init__(self, database: Database, settings: ServerSettings, repository: int) -> None:
        self._place = database, settings, repository
        self._holding = ExitStack()
        self._held: HeldLock | None = None
        self._ended = False
        self._mutex = threading.Lock()

    def wait(self) -> None:
        """Wait for the turn. Blocking. Raises RefsBusy."""
        with ExitStack() as holding:
            held = holding.enter_context(hold_refs(*self._place))
            with self._mutex:
                if not self._ended:  # else the push went away meanwhile
                    self._held, self._holding = held, holding.pop_all()

    def check(self) -> None:
        """See that the turn has come, and is not lost. Raises LockLost, RefsBusy."""
        if self._held is None:
            raise RefsBusy("this push has no turn to move refs", "Push again.")
        self._held.check()

    def end(self) -> None:
        """Let the next one have its turn. May be called again."""
        with self._mutex:
            self._ended = True
        self._held = None
        self._holding.close()


@contextmanager
def quiet_refs(database: Database, settings: ServerSettings, repository: Repository) -> Iterator[None]:
    """No ref of the repository moves while the block runs; pushes wait for its end, so it is short.
    Raises RefsBusy where pushes leave no moment for it."""
    with hold_refs(database, settings, repository.id, _MAINTENANCE_PATIENCE_SECONDS):
        yield
