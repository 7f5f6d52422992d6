"""How soon a server answers of a repository with a million chunks and ten thousand versions: a plan, and `have`, over HTTP, on both
databases. No peer: none of the others plans by chunks on the server."""

from __future__ import annotations

import shutil
import time
from statistics import median

import httpx

from benchmarks import large_store
from benchmarks.bench import Bench, Result, table
from git_lepton.wire.protocol import repository_path
from lepton_server.backends import open_database
from lepton_server.identity.accounts import caller_by_id
from lepton_server.repositories import registry
from tests.support.backends import Backends
from tests.support.running_server import RunningServer

_ROUNDS = 7
_HAVE = 100_000
_REPOSITORY = "admin/large"
_POSTGRES_MEMORY = "1GB"  # of a machine with four times as much, as docs/operations.md has it


def measure(bench: Bench) -> Result:
    folder = bench.place("lookups")
    found: Result = {}
    backends = Backends(_POSTGRES_MEMORY)
    try:
        for name, kind in (("sqlite-disk", "SQLite"), ("postgres-disk", "PostgreSQL")):
            for deltas in (False, True):
                bench.say(f"lookups: {kind}{', every chunk on a base' if deltas else ''}")
                own = folder / f"{name}-{deltas}"
                own.mkdir()
                with RunningServer(own, place=backends.place(name)) as server:
                    found[f"{kind}{', each on a base' if deltas else ''}"] = _times(server, deltas)
    finally:
        backends.close()
    shutil.rmtree(folder)
    return found


def _times(server: RunningServer, deltas: bool) -> dict[str, float]:
    database = open_database(server.settings)
    try:
        with database.write() as connection:
            admin = caller_by_id(connection, 1)
            repository = registry.create(connection, admin, *_REPOSITORY.split("/"))
        newest = large_store.fill(database, repository.id, deltas=deltas)
        with database.read() as connection:
            rows = connection.exec_driver_sql(f"SELECT chunk FROM encodings LIMIT {_HAVE}")
            many = b"".join(bytes(chunk) for chunk in rows.scalars())
    finally:
        database.close()
    headers = {"Authorization": f"Bearer {server.admin_token}", "Lepton-Protocol": "1"}
    with httpx.Client(base_url=server.url, headers=headers, timeout=120) as http:
        plans = [_seconds(http, "plan", b"".join(newest)) for _ in range(_ROUNDS)]
        sessions = [http.post(repository_path(_REPOSITORY, "uploads")).json()["session"] for _ in range(_ROUNDS)]
        haves = [_seconds(http, f"uploads/{session}/have", many) for session in sessions]
    return {"plan": median(plans), "plan worst": max(plans), "have": median(haves), "have worst": max(haves)}


def _seconds(http: httpx.Client, what: str, body: bytes) -> float:
    start = time.perf_counter()
    reply = http.post(repository_path(_REPOSITORY, what), content=body)
    taken = time.perf_counter() - start
    assert reply.status_code == 200, reply.text
    return taken


def report(found: Result) -> str:
    rows = [
        [kind, *(f"{times[key]:.2f} s" for key in ("plan", "plan worst", "have", "have worst"))] for kind, times in found.items()
    ]
    head = ["database", "plan of 50,000 chunks", "slowest", "have, 100,000 chunks", "slowest"]
    words = (
        f"Medians of {_ROUNDS}, from the first byte sent to the last received. Each session asks `have` once: its leases are new. "
        f"PostgreSQL has {_POSTGRES_MEMORY} of shared_buffers."
    )
    return f"{table(head, rows)}\n\n{words}"
