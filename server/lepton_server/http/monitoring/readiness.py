"""Readiness of this process to serve, part by part: its database, the storage of packs, git, the disk.

Each part is `ok`, `warn` (it serves, and somebody should look) or `failed`; only the last makes the whole not ready. A full disk is a
warning: reading goes on. What is said may be read by anybody: no paths, no addresses, no names.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from git_lepton.errors import LeptonError
from lepton_server.backends import IDENTITY_KEY
from lepton_server.content import journal
from lepton_server.database import schema
from lepton_server.git.bare_repositories import GitRoot
from lepton_server.git.program import GitMissing, git_program
from lepton_server.http.state import Services

_log = logging.getLogger("lepton_server")
_FRESH_SECONDS = 1.0
_PATIENCE_SECONDS = 5.0
_PACKS_FREE = 4  # of the largest size: less room than for so many is worth a warning


@dataclass(frozen=True)
class Part:
    state: str  # ok, warn, failed
    detail: str = ""


@dataclass(frozen=True)
class Report:
    ready: bool
    parts: dict[str, Part]


@dataclass
class _Asked:
    """A check that runs in a thread of its own, since what it asks may never answer."""

    done: threading.Event = field(default_factory=threading.Event)
    part: Part = Part("failed", "no answer yet")


class Readiness:
    """Of one process. Safe to use from any thread; asked often, it looks once a second."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._lock = threading.Lock()
        self._running: dict[str, _Asked] = {}
        self._last: tuple[float, Report] | None = None
        self._checks: dict[str, Callable[[Services], Part]] = {
            "database": _database,
            "storage": _storage,
            "git": _git,
            "disk": _disk,
        }

    def report(self) -> Report:
        """Blocks, for some seconds at most."""
        with self._lock:
            if self._last is None or time.monotonic() - self._last[0] > _FRESH_SECONDS:
                parts = self._ask_all()
                ready = not self._services.closing.is_set() and all(part.state != "failed" for part in parts.values())
                self._last = time.monotonic(), Report(ready, parts)
            return self._last[1]

    def _ask_all(self) -> dict[str, Part]:
        for name in self._checks:
            if name not in self._running:  # else the last one still waits for its answer
                asked = self._running[name] = _Asked()
                threading.Thread(target=self._ask, args=(name, asked), daemon=True, name=f"ready-{name}").start()
        until = time.monotonic() + _PATIENCE_SECONDS
        found: dict[str, Part] = {}
        for name, asked in list(self._running.items()):
            if asked.done.wait(max(0.0, until - time.monotonic())):
                del self._running[name]
            found[name] = asked.part
        return found

    def _ask(self, name: str, asked: _Asked) -> None:
        try:
            asked.part = self._checks[name](self._services)
        except LeptonError as error:
            _log.warning("not ready: %s: %s", name, error)
            asked.part = Part("failed", "it does not do what it should; the log says why")
        except Exception as error:
            _log.warning("not ready: %s: %s: %s", name, type(error).__name__, getattr(error, "orig", error))
            asked.part = Part("failed", "it does not answer; the log says why")
        asked.done.set()


def _database(services: Services) -> Part:
    with services.database.read() as connection:
        usable = schema.is_usable(connection)
        older = usable and journal.older_than_packs(connection)
    if not usable:
        return Part("failed", "its schema is older than this program")
    return Part("warn", f"{journal.OLDER}; lepton-server scrub says what is missing") if older else Part("ok")


def _storage(services: Services) -> Part:
    services.store.size(IDENTITY_KEY)
    direct = services.store.direct is not None  # tries a bucket out, if nobody did
    probe = services.store.probe
    if probe is None:
        return Part("ok")
    found = ", ".join(f"{name} {'yes' if value else 'no'}" for name, value in asdict(probe).items() if isinstance(value, bool))
    return Part("ok", f"clients send and fetch packs {'at the bucket' if direct else 'through the server'} ({found})")


def _git(services: Services) -> Part:
    try:
        git_program()
    except GitMissing:
        return Part("warn", "git is not installed: weights are served, git is not")
    GitRoot(services.settings.git_root).check_hook()
    return Part("ok")


def _disk(services: Services) -> Part:
    least = min(free for _, free in free_bytes(services))
    if least < _PACKS_FREE * services.settings.max_pack_bytes:
        return Part("warn", f"{least // (1024 * 1024)} MiB are free: pushes will be refused")
    return Part("ok")


def free_bytes(services: Services) -> list[tuple[str, int]]:
    """Free bytes where the process's own data, the packs (if they are on a disk) and hosted git lie."""
    settings = services.settings
    places: dict[str, Path] = {"data": settings.data, "git": settings.git_root}
    if not settings.storage.startswith("s3://"):
        places["packs"] = settings.pack_root
    return [(name, shutil.disk_usage(path).free) for name, path in places.items() if path.is_dir()]
