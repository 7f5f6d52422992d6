"""Jobs of verification: for each upload a lease in the database, so that another process goes on if this one ends."""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection

from sqlalchemy import Connection, delete, select, update

from lepton_server.database.tables import jobs, packs, upload_packs, uploads
from lepton_server.database.transactions import Database, clock, insert_new

_LEASE_MS = 15_000
_RENEW_SECONDS = 4.0


class LeaseLost(Exception):
    """Another process took this job over."""


class Jobs:
    """The jobs that this process holds. Safe to use from any thread; one thread works at a job."""

    def __init__(self, database: Database, session_seconds: int) -> None:
        self._database = database
        self._session_ms = session_seconds * 1000
        self._owner = secrets.token_hex(8)
        self._mine = jobs.c.owner == self._owner
        self._renewed: dict[str, float] = {}

    def release_all(self) -> None:
        """End all leases. Only for the one process that uses this database."""
        with self._database.write() as connection:
            connection.execute(delete(jobs))

    def waiting(self) -> list[str]:
        """Uploads in which something is left to verify and that no living process holds, the oldest first: committed ones, and open
        ones that have not expired."""
        with_packs = select(upload_packs.c.pack).join(packs, packs.c.id == upload_packs.c.pack)
        received = with_packs.where(upload_packs.c.upload == uploads.c.id, packs.c.state == "received").exists()
        with self._database.read() as connection:
            now = clock(connection)
            open_ones = (uploads.c.state == "open") & (uploads.c.expires > now) & received
            held = select(jobs.c.upload).where(jobs.c.expires >= now)
            unfinished = ((uploads.c.state == "verifying") | open_ones) & uploads.c.id.not_in(held)
            return list(connection.execute(select(uploads.c.id).where(unfinished).order_by(uploads.c.created)).scalars())

    def take(self, upload: str) -> bool:
        """Take the job of an upload; whether this process holds it now."""
        with self._database.read() as connection:
            row = connection.execute(select(jobs.c.owner, jobs.c.expires).where(jobs.c.upload == upload)).one_or_none()
            if row and row.owner != self._owner and row.expires >= clock(connection):
                return False
        with self._database.write() as connection:
            taken = self._lease(connection, upload, clock(connection))
        if taken:
            self._renewed[upload] = time.monotonic()
        return taken

    def keep(self, upload: str) -> None:
        """Renew the lease of a job that is worked at if it is time to, and with it the upload's life unless that is over. Raises
        LeaseLost."""
        if time.monotonic() - self._renewed.get(upload, -_RENEW_SECONDS) < _RENEW_SECONDS:
            return
        with self._database.write() as connection:
            now = clock(connection)
            taken = self._lease(connection, upload, now)
            alive = (uploads.c.state == "verifying") | (uploads.c.expires > now)
            connection.execute(update(uploads).where(uploads.c.id == upload, alive).values(expires=now + self._session_ms))
        if not taken:
            self._renewed.pop(upload, None)
            raise LeaseLost(f"another process verifies upload {upload}")
        self._renewed[upload] = time.monotonic()

    def _lease(self, connection: Connection, upload: str, now: int) -> bool:
        insert_new(connection, jobs, [{"upload": upload, "owner": self._owner, "expires": 0}])
        free = (jobs.c.upload == upload) & (self._mine | (jobs.c.expires < now))
        return bool(connection.execute(update(jobs).where(free).values(owner=self._owner, expires=now + _LEASE_MS)).rowcount)

    def confirm(self, connection: Connection, upload: str) -> None:
        """See, in the transaction that writes what came of the work, that nobody has taken the job over. Raises LeaseLost."""
        if connection.execute(select(jobs.c.owner).where(jobs.c.upload == upload)).scalar_one_or_none() != self._owner:
            self._renewed.pop(upload, None)
            raise LeaseLost(f"another process verifies upload {upload}")

    def hold(self, idle: Collection[str]) -> set[str]:
        """Renew the leases of jobs that wait for news here; those that this process holds still."""
        if not idle:
            return set()
        mine = jobs.c.upload.in_(idle) & self._mine
        with self._database.write() as connection:
            connection.execute(update(jobs).where(mine).values(expires=clock(connection) + _LEASE_MS))
            return set(connection.execute(select(jobs.c.upload).where(mine)).scalars())

    def drop(self, upload: str) -> None:
        """Let go of the job."""
        self._renewed.pop(upload, None)
        with self._database.write() as connection:
            connection.execute(delete(jobs).where(jobs.c.upload == upload, self._mine))

    def drop_all(self) -> None:
        """Let go of all jobs of this process."""
        self._renewed.clear()
        with self._database.write() as connection:
            connection.execute(delete(jobs).where(self._mine))
