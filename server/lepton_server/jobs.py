"""Who verifies which upload: a lease in the database, so that another process goes on if this one ends."""

from __future__ import annotations

import secrets
import time

from sqlalchemy import delete, select, update

from git_lepton.errors import LeptonError
from lepton_server.database import Database, clock, insert_new
from lepton_server.tables import jobs, upload_packs, uploads

_LEASE_MS = 15_000
_RENEW_SECONDS = 4.0


class LeaseLost(LeptonError):
    """Another process took this job over."""


class Jobs:
    """The jobs that this process holds. Safe to use from any thread; one thread works at a job."""

    def __init__(self, database: Database, session_seconds: int) -> None:
        self._database = database
        self._session_ms = session_seconds * 1000
        self._owner = secrets.token_hex(8)
        self._renewed: dict[str, float] = {}

    def release_all(self) -> None:
        """End all leases. Only for the one process that uses this database."""
        with self._database.write() as connection:
            connection.execute(delete(jobs))

    def unfinished(self) -> list[str]:
        """Uploads in which something is left to verify: committed ones, and open ones that have not expired."""
        received = select(upload_packs.c.upload).where(upload_packs.c.pack.is_not(None))
        with self._database.read() as connection:
            alive = uploads.c.expires > clock(connection)
            open_ones = (uploads.c.state == "open") & alive & uploads.c.id.in_(received)
            return list(connection.execute(select(uploads.c.id).where((uploads.c.state == "verifying") | open_ones)).scalars())

    def take(self, upload: str) -> bool:
        """Whether this process holds the job from now on (or did before)."""
        try:
            self.keep(upload)
        except LeaseLost:
            return False
        return True

    def keep(self, upload: str) -> None:
        """Renew the lease if it is time to, and with it the upload's life unless that is over. Raises LeaseLost."""
        if time.monotonic() - self._renewed.get(upload, -_RENEW_SECONDS) < _RENEW_SECONDS:
            return
        with self._database.write() as connection:
            now = clock(connection)
            expires = now + _LEASE_MS
            mine = (jobs.c.upload == upload) & ((jobs.c.owner == self._owner) | (jobs.c.expires < now))
            insert_new(connection, jobs, [{"upload": upload, "owner": self._owner, "expires": 0}])
            taken = connection.execute(update(jobs).where(mine).values(owner=self._owner, expires=expires)).rowcount
            alive = (uploads.c.state == "verifying") | (uploads.c.expires > now)
            connection.execute(update(uploads).where(uploads.c.id == upload, alive).values(expires=now + self._session_ms))
        if not taken:
            self._renewed.pop(upload, None)
            raise LeaseLost(f"another process verifies upload {upload}")
        self._renewed[upload] = time.monotonic()

    def drop(self, upload: str) -> None:
        """Let go of the job."""
        self._renewed.pop(upload, None)
        with self._database.write() as connection:
            connection.execute(delete(jobs).where(jobs.c.upload == upload, jobs.c.owner == self._owner))
