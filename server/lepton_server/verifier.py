"""Verifies uploads in the background, when packs arrive or a commit comes: a step at a time of whichever upload is due."""

from __future__ import annotations

import logging
import threading
import time

from lepton_server import upload_records
from lepton_server.database import Database
from lepton_server.decoding import Decoder
from lepton_server.jobs import Jobs, LeaseLost
from lepton_server.object_store import ObjectStore
from lepton_server.settings import ServerSettings
from lepton_server.verification import Stopped, Verification, Workshop

_log = logging.getLogger("lepton_server")
_THREADS = 2
_IDLE_SECONDS = 600.0  # after which what memory holds of an upload goes
_OTHERS_SECONDS = 5.0  # until we look whether another process has ended
_TRIES = 6
_PAUSE_SECONDS = 30.0  # at most, before a failed step is tried again
_HELD_BYTES = 128 * 1024 * 1024  # by verifications that nobody works at


class Verifier:
    """One for a process. `wake` may be called from any thread."""

    def __init__(self, database: Database, store: ObjectStore, settings: ServerSettings) -> None:
        self._database = database
        self._decoder = Decoder(store, settings.decoders)
        jobs = Jobs(database, settings.session_seconds)
        self._shop = Workshop(database, store, self._decoder, jobs, threading.Event(), self._others_wait)
        self._news = threading.Condition()
        self._due: dict[str, float] = {}
        self._busy: set[str] = set()
        self._open: dict[str, tuple[Verification, float]] = {}
        self._failed: dict[str, int] = {}
        self._threads: list[threading.Thread] = []

    def start(self, *, alone: bool) -> None:
        """Go on with what was left. `alone`: no other process uses this database, so whoever held a job is dead."""
        if alone:
            self._shop.jobs.release_all()
        with self._database.write() as connection:
            upload_records.forget_old(connection)
        for upload in self._shop.jobs.unfinished():
            self.wake(upload)
        self._threads = [threading.Thread(target=self._work, name=f"verify-{n}", daemon=True) for n in range(_THREADS)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End between two chunks; nothing is lost."""
        self._shop.stopping.set()
        with self._news:
            self._news.notify_all()
        for thread in self._threads:
            thread.join()
        self._decoder.close()

    def wake(self, upload: str, delay: float = 0.0) -> None:
        """There is news of this upload."""
        with self._news:
            self._due[upload] = min(time.monotonic() + delay, self._due.get(upload, float("inf")))
            self._news.notify()

    def verified_bytes(self, upload: str) -> int:
        """Raw bytes of this upload's files that went into their SHA-256 here; 0 if another process is at it."""
        found = self._open.get(upload)
        return found[0].verified_bytes if found else 0

    def _work(self) -> None:
        while (upload := self._next()) is not None:
            try:
                delay = self._step(upload)
            except Stopped:
                return
            finally:
                with self._news:
                    self._busy.discard(upload)
                    self._news.notify()
            if delay is not None:
                self.wake(upload, delay)

    def _next(self) -> str | None:
        """The upload that is due, once there is one; None when the server stops."""
        with self._news:
            while not self._shop.stopping.is_set():
                ready = [(due, upload) for upload, due in self._due.items() if upload not in self._busy]
                due, upload = min(ready, default=(float("inf"), ""))
                wait = due - time.monotonic()
                if wait <= 0:
                    del self._due[upload]
                    self._busy.add(upload)
                    return upload
                self._news.wait(min(wait, 60.0))
                self._forget_idle()
        return None

    def _others_wait(self) -> bool:
        with self._news:
            now = time.monotonic()
            return any(due <= now and upload not in self._busy for upload, due in self._due.items())

    def _step(self, upload: str) -> float | None:
        try:
            if upload not in self._open:
                if not self._shop.jobs.take(upload):
                    return _OTHERS_SECONDS
                self._open[upload] = Verification(self._shop, upload), 0.0
            verification, _ = self._open[upload]
            self._open[upload] = verification, time.monotonic()
            delay = verification.step()
        except Stopped:
            raise
        except LeaseLost:
            self._open.pop(upload, None)
            return _OTHERS_SECONDS
        except Exception:
            return self._trouble(upload)
        self._failed.pop(upload, None)
        self._make_room()
        return delay

    def _trouble(self, upload: str) -> float | None:
        """Something failed that is not the upload's fault: start again from the database, and give up at last."""
        _log.exception("the verification of upload %s failed", upload)
        self._open.pop(upload, None)
        tries = self._failed[upload] = self._failed.get(upload, 0) + 1
        if tries < _TRIES:
            return min(float(1 << tries), _PAUSE_SECONDS)
        return self._give_up(upload)

    def _give_up(self, upload: str) -> float | None:
        try:
            with self._database.write() as connection:
                message = "the server could not verify this upload; push again"
                upload_records.fail(connection, upload, upload, "internal_error", message)
                upload_records.end(connection, upload, 0)
        except Exception:  # a full disk, for one; a thread that ends would verify nothing ever after
            _log.exception("the end of upload %s could not be noted", upload)
            return _PAUSE_SECONDS
        self._failed.pop(upload, None)
        return None

    def _make_room(self) -> None:
        """Forget verifications that nobody works at while they hold too much memory: the largest first, so that none of the others
        loses what it has done when its turn is over."""
        idle = [(name, found) for name, (found, _) in list(self._open.items()) if name not in self._busy]
        held = sorted(((found.held_bytes, name) for name, found in idle), reverse=True)
        excess = sum(size for size, _ in held) - _HELD_BYTES
        for size, name in held:
            if excess <= 0:
                return
            self._open.pop(name, None)
            excess -= size

    def _forget_idle(self) -> None:
        oldest = time.monotonic() - _IDLE_SECONDS
        for upload in [name for name, (_, used) in list(self._open.items()) if used < oldest and name not in self._busy]:
            del self._open[upload]
