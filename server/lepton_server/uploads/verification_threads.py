"""Threads that verify uploads in the background, when packs arrive or a commit comes: a step at a time of whichever upload is due.

Of several processes one has an upload open, by a lease, and stays at it, since it knows what it has hashed so far. Whoever learns news
of an upload that another has tells it so; one that nobody has, or whose process died, is taken up by who hears or notices first.
"""

from __future__ import annotations

import logging
import threading
import time
from functools import partial

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from lepton_server.content.decoder import Decoder
from lepton_server.database.transactions import Database, is_busy, is_disk_trouble, is_gone
from lepton_server.settings import ServerSettings
from lepton_server.storage.object_store import ObjectMissing, ObjectStore, StoreBusy, StoreFull, StoreTrouble
from lepton_server.uploads import records
from lepton_server.uploads.jobs import Jobs, LeaseLost
from lepton_server.uploads.journal_writer import JournalWriter
from lepton_server.uploads.notifications import Notices
from lepton_server.uploads.verification import Stopped, Verification, Workshop
from lepton_server.uploads.work_queue import WorkQueue

_log = logging.getLogger("lepton_server")
_THREADS = 2
_IDLE_SECONDS = 600.0  # after which what memory holds of an upload goes
_TRIES = 6  # of what fails by our own fault
_STORE_TRIES = 120  # of what fails by the store's, about an hour: it may be one pack that cannot be read
_PAUSE_SECONDS = 30.0  # at most, before a failed step is tried again
_HELD_BYTES = 128 * 1024 * 1024  # by verifications that nobody works at


class Verifier:
    """The verifier of one process. `wake` may be called from any thread."""

    def __init__(self, database: Database, store: ObjectStore, settings: ServerSettings) -> None:
        self._database = database
        self._decoder = Decoder(store, settings.decoders)
        self._jobs = Jobs(database, settings.session_seconds)
        self._stopping = threading.Event()
        self._queue = WorkQueue(self._stopping)
        self._journal = JournalWriter(database, store)
        waits, ended = self._queue.others_wait, self._journal.note
        self._shop = Workshop(database, store, self._decoder, self._jobs, self._stopping, waits, ended)
        self._notices = Notices(database, self._hear)
        self._open: dict[str, tuple[Verification, float]] = {}
        self._failed: dict[str, int] = {}
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Go on with what was left. Where no other process can use this database, whoever held a job is dead."""
        if not self._database.is_shared:
            self._jobs.release_all()
        with self._database.write() as connection:
            records.forget_old(connection)
        self._take_up()
        self._threads = [threading.Thread(target=self._work, name=f"verify-{n}", daemon=True) for n in range(_THREADS)]
        for thread in self._threads:
            thread.start()
        self._notices.start()
        self._journal.start()

    def stop(self) -> None:
        """End between two chunks; nothing is lost, and others may go on at once."""
        self._stopping.set()
        self._queue.wake_all()
        self._notices.stop()
        for thread in self._threads:
            thread.join()
        self._decoder.close()
        self._journal.stop()
        try:
            self._jobs.drop_all()
        except SQLAlchemyError as error:  # then the leases run out
            _log.warning("the verification's leases could not be ended: %s", str(error).partition("\n")[0])

    def wake(self, upload: str, delay: float = 0.0) -> None:
        """Tell the threads that there is news of this upload, in `delay` seconds."""
        self._queue.put(upload, delay)

    def look_around(self) -> None:
        """To be called every few seconds: keep what waits for news here, let go of what has long waited, take up what nobody has."""
        idle = {name for name in list(self._open) if not self._queue.is_busy(name)}
        for upload in idle - self._jobs.hold(idle):
            self._queue.idle(upload, partial(self._forget, upload))
        oldest = time.monotonic() - _IDLE_SECONDS
        for upload in [name for name, (_, used) in list(self._open.items()) if used < oldest]:
            self._queue.idle(upload, partial(self._let_go, upload))
        self._take_up()

    def verified_bytes(self, upload: str) -> int:
        """Raw bytes of this upload's files that went into their SHA-256 here; 0 if another process is at it."""
        found = self._open.get(upload)
        return found[0].verified_bytes if found else 0

    def _take_up(self) -> None:
        """A few at a time, so that what a dead process left is shared among the living."""
        if not self._queue.others_wait():
            for upload in self._jobs.waiting()[: _THREADS if self._database.is_shared else None]:
                self.wake(upload)

    def _hear(self, upload: str) -> None:
        for name in [upload] if upload else list(self._open):
            if name in self._open:
                self.wake(name)

    def _work(self) -> None:
        while (upload := self._queue.get()) is not None:
            try:
                delay = self._step(upload)
            except Stopped:
                return
            finally:
                self._queue.done(upload)
            if delay is not None:
                self.wake(upload, delay)

    def _step(self, upload: str) -> float | None:
        try:
            if upload not in self._open:
                if not self._jobs.take(upload):
                    self._notices.tell(upload)
                    return None
                self._open[upload] = Verification(self._shop, upload), 0.0
            verification, _ = self._open[upload]
            self._open[upload] = verification, time.monotonic()
            delay = verification.step()
        except Stopped:
            raise
        except LeaseLost:
            self._forget(upload)
            return None
        except Exception as error:
            return self._trouble(upload, error)
        self._failed.pop(upload, None)
        if verification.ended:
            self._forget(upload)
        self._make_room()
        return delay

    def _forget(self, upload: str) -> None:
        self._open.pop(upload, None)

    def _let_go(self, upload: str) -> None:
        self._forget(upload)
        try:
            self._jobs.drop(upload)
        except SQLAlchemyError as error:  # then the lease runs out
            _log.warning("the lease of upload %s could not be ended: %s", upload, str(error).partition("\n")[0])

    def _trouble(self, upload: str, error: Exception) -> float | None:
        """Something failed that is not the upload's fault: start again from the database, and give up at last unless it may pass."""
        self._forget(upload)
        tries = self._failed[upload] = self._failed.get(upload, 0) + 1
        patience = _patience(error)
        if patience == float("inf"):
            _log.warning("the verification of upload %s waits: %s", upload, str(error).partition("\n")[0])
        else:
            _log.error("the verification of upload %s failed", upload, exc_info=error)
        if tries < patience:
            return min(float(1 << min(tries, 10)), _PAUSE_SECONDS)
        return self._give_up(upload)

    def _give_up(self, upload: str) -> float | None:
        try:
            with self._database.write() as connection:
                self._jobs.confirm(connection, upload)
                message = "the server could not verify this upload; push again"
                records.fail(connection, upload, upload, "internal_error", message)
                records.end(connection, upload, 0)
            self._jobs.drop(upload)
        except LeaseLost:  # somebody else has better luck, or gives up
            pass
        except Exception:  # a full disk, for one; a thread that ends would verify nothing ever after
            _log.exception("the end of upload %s could not be noted", upload)
            return _PAUSE_SECONDS
        self._failed.pop(upload, None)
        return None

    def _make_room(self) -> None:
        """Forget verifications that nobody works at while they hold too much memory: the largest first, so that none of the others
        loses what it has done when its turn is over."""
        idle = [(name, found) for name, (found, _) in list(self._open.items()) if not self._queue.is_busy(name)]
        held = sorted(((found.held_bytes, name) for name, found in idle), reverse=True)
        excess = sum(size for size, _ in held) - _HELD_BYTES
        for size, name in held:
            if excess <= 0:
                return
            self._queue.idle(name, partial(self._let_go, name))
            excess -= size


def _patience(error: Exception) -> float:
    """How often to try what failed so."""
    if isinstance(error, StoreBusy | StoreFull):
        return float("inf")
    if is_gone(error) or is_busy(error) or (isinstance(error, DBAPIError) and is_disk_trouble(error)):
        return float("inf")
    return _STORE_TRIES if isinstance(error, StoreTrouble) and not isinstance(error, ObjectMissing) else _TRIES
