"""Gauges: figures that are asked of the database when somebody scrapes: waiting work, storage, who is alive, when maintenance last ran.

What is asked costs milliseconds and is kept for half a minute; the sums over all packs, which grow with the store, for five.
While the database does not answer, `lepton_database_up` is 0 and the figures are left out: no answer is not zero.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Column, Connection, Select, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import QueuePool

from git_lepton import __version__
from lepton_server.coordination.maintenance_runs import last_runs
from lepton_server.database.tables import accounts, backups, jobs, leases, packs, processes, repositories, uploads
from lepton_server.database.transactions import clock
from lepton_server.http.monitoring.readiness import free_bytes
from lepton_server.http.state import Services

_log = logging.getLogger("lepton_server")
_FRESH_SECONDS, _SUMS_FRESH_SECONDS = 30.0, 300.0
_ALIVE_MS = 30_000  # since a process was last seen
Families = list[GaugeMetricFamily]


class Figures(Collector):
    """Of the server that one process belongs to; all its processes say the same."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._queries = [_Kept(_work, _FRESH_SECONDS), _Kept(_storage, _SUMS_FRESH_SECONDS)]

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return []  # or to register would be to scrape

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield _gauge("lepton_build", "Version of this process.", ["version"], [((__version__,), 1)])
        yield _gauge(
            "lepton_disk_free_bytes", "Room where data lie.", ["place"], [((n,), f) for n, f in free_bytes(self._services)]
        )
        pool = self._services.database.engine.pool
        if isinstance(pool, QueuePool):
            states = [(("in use",), pool.checkedout()), (("idle",), pool.checkedin())]
            yield _gauge("lepton_database_connections", "Of this process.", ["state"], states)
        found: Families = []
        is_up = 1
        try:
            for kept in self._queries:
                found += kept.families(self._services)
        except SQLAlchemyError as error:
            _log.warning("no figures of the database: %s", getattr(error, "orig", error))
            is_up = 0
        yield _gauge("lepton_database_up", "Whether the database answers.", [], [((), is_up)])
        if is_up:
            yield from found


class _Kept:
    """What a query said a moment ago. Safe to use from any thread."""

    def __init__(self, query: Callable[[Connection], Families], seconds: float) -> None:
        self._query, self._seconds = query, seconds
        self._lock = threading.Lock()
        self._last: tuple[float, Families] | None = None

    def families(self, services: Services) -> Families:
        with self._lock:
            if self._last is None or time.monotonic() - self._last[0] > self._seconds:
                with services.database.read() as connection:
                    self._last = time.monotonic(), self._query(connection)
            return self._last[1]


def _work(connection: Connection) -> Families:
    now = clock(connection)
    by_state = connection.execute(select(uploads.c.state, func.count()).group_by(uploads.c.state)).all()
    held = select(jobs.c.upload).where(jobs.c.expires > now)
    waiting = uploads.c.state == "verifying"
    idle = _count(connection, select(func.count()).select_from(uploads).where(waiting, uploads.c.id.not_in(held)))
    running = _count(connection, select(func.count()).select_from(jobs).where(jobs.c.expires > now))
    oldest = connection.execute(select(func.min(uploads.c.created)).where(waiting)).scalar_one()
    alive = _count(connection, select(func.count()).select_from(processes).where(processes.c.seen > now - _ALIVE_MS))
    backup = connection.execute(select(func.max(backups.c.finished))).scalar_one()
    runs = last_runs(connection) | ({"backup": int(backup)} if backup else {})
    return [
        _gauge("lepton_uploads", "Uploads of the last day, by state.", ["state"], [((state,), n) for state, n in by_state]),
        _gauge("lepton_verifications", "Uploads in verification.", ["state"], [(("waiting",), idle), (("running",), running)]),
        _gauge(
            "lepton_verification_age_seconds", "Of the oldest upload in it.", [], [((), (now - oldest) / 1000 if oldest else 0)]
        ),
        _gauge("lepton_leases", "Promises to uploads that a pack stays.", [], [((), _rows(connection, leases.c.upload))]),
        _gauge("lepton_processes", "Server processes that are alive.", [], [((), alive)]),
        _gauge("lepton_accounts", "Accounts.", [], [((), _rows(connection, accounts.c.id))]),
        _gauge("lepton_repositories", "Repositories.", [], [((), _rows(connection, repositories.c.id))]),
        _gauge(
            "lepton_last_run_timestamp_seconds",
            "When care was last taken, and ended well.",
            ["what"],
            [((w,), at / 1000) for w, at in runs.items()],
        ),
    ]


def _storage(connection: Connection) -> Families:
    rows = connection.execute(select(packs.c.state, func.count(), func.sum(packs.c.size)).group_by(packs.c.state)).all()
    return [
        _gauge("lepton_packs", "Packs, by state.", ["state"], [((state,), count) for state, count, _ in rows]),
        _gauge("lepton_stored_bytes", "Bytes of packs, by state.", ["state"], [((state,), int(size)) for state, _, size in rows]),
    ]


def _count(connection: Connection, query: Select[int]) -> int:
    return int(connection.execute(query).scalar_one())


def _rows(connection: Connection, column: Column[Any]) -> int:
    return _count(connection, select(func.count(column)))


def _gauge(name: str, text: str, labels: list[str], values: Sequence[tuple[tuple[str, ...], float]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for of, value in values:
        family.add_metric(of, value)
    return family
