"""One server process from start to end: the data folder's lock, the socket, the first account, and a clean end on SIGTERM."""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from git_lepton.errors import NetworkTrouble, WrongUse
from git_lepton.format.coding.memory import reuse_freed_memory
from lepton_server.backends import open_database
from lepton_server.backup.restored_git import MARK
from lepton_server.coordination.file_lock import only_one
from lepton_server.coordination.presence import refuse_other_hosts
from lepton_server.durable import write_private
from lepton_server.identity.accounts import ensure_account
from lepton_server.identity.tokens import create_token
from lepton_server.observability.logs import json_line
from lepton_server.observability.worker_metrics import shared_counts
from lepton_server.process.network_folders import refuse_network_folder
from lepton_server.process.workers import Workers
from lepton_server.settings import ServerSettings

_GRACE_SECONDS = 10
_log = logging.getLogger("lepton_server")


class PortTaken(NetworkTrouble):
    """Nobody can listen at this address."""


def serve(settings: ServerSettings) -> None:
    """Serve until SIGTERM or SIGINT. Raises FolderBusy, PortTaken, NewerSchema, FolderOnNetwork, OtherHost."""
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not settings.database:
        refuse_network_folder(settings.data)
    _refuse_half_restored(settings)
    _warn_of_readers(settings)
    with only_one(settings.lock_file, "serves"), _listening(settings) as listener:
        token = _first_token(settings)
        settings = replace(settings, port=listener.getsockname()[1])

        def ready() -> None:
            print(_first_line(settings, token), flush=True)

        if settings.workers == 1:
            _run(settings, listener, ready)
        else:
            with shared_counts(settings.data / "metrics"):
                workers = Workers(settings.workers, lambda number, told: _run(replace(settings, worker=number), listener, told))
                workers.run(ready)


def _first_line(settings: ServerSettings, token: str) -> str:
    """Where it listens; on the first start also the admin's token, or, where a program collects lines, only the file with it."""
    url = settings.public_url or settings.loopback_url
    said = f"lepton-server listening on {url}"
    if settings.log_form == "json":
        kept = {"admin_token_file": str(settings.admin_token_file)} if token else {}
        return json_line(logging.INFO, {"message": said, "url": url} | kept)
    return f"{said} - account admin, token {token} (kept in {settings.admin_token_file})" if token else said


def _warn_of_readers(settings: ServerSettings) -> None:
    """A folder that was there keeps the rights that it had."""
    if os.name == "posix" and settings.data.stat().st_mode & 0o077:
        _log.warning(
            "%s can be read by other accounts of this machine, and so can tokens' hashes and weights: chmod 700 it", settings.data
        )


def _refuse_half_restored(settings: ServerSettings) -> None:
    """Raises WrongUse where a restore has not come to its end: the next run of it would take away what is pushed meanwhile."""
    if (mark := settings.git_root / MARK).exists():
        raise WrongUse(
            f"a restore into {settings.git_root} was begun and has not come to its end",
            f"Run the same lepton-server restore again; or, if it was given up, remove {mark}.",
        )


def _run(settings: ServerSettings, listener: socket.socket, ready: Callable[[], None]) -> None:
    import uvicorn

    from lepton_server.http.app import create_app
    from lepton_server.process.bounded_http import BoundedHeads

    app = create_app(settings)
    config = uvicorn.Config(
        app,
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
        proxy_headers=False,  # `front.clients` knows whom to believe
        log_config=None,
        access_log=False,
        log_level="warning",
        lifespan="on",
        http=BoundedHeads,
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        timeout_keep_alive=75,
        backlog=512,
    )

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                ready()

        def handle_exit(self, sig: int, frame: Any) -> None:
            app.state.services.closing.set()
            super().handle_exit(sig, frame)

    reuse_freed_memory()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)  # a plan makes 100,000 small objects, none of them garbage
    signal.signal(signal.SIGTERM, _leave)  # uvicorn raises the signal again once it has ended well
    signal.signal(signal.SIGINT, _leave)
    server = Server(config)
    server.run([listener])
    if not server.started:
        raise WrongUse("the server could not start", "What went wrong is said above.")


def _leave(_signal: int, _frame: Any) -> None:
    sys.exit(0)


def _first_token(settings: ServerSettings) -> str:
    """On the first start: the account `admin` and its token, which is also kept in a file that only the owner may read."""
    database = open_database(settings)
    try:
        if not database.is_shared:
            refuse_other_hosts(database)
        if settings.admin_token_file.exists():
            return ""
        with database.write() as connection:
            if not _is_new(connection):
                return ""
            token = create_token(connection, ensure_account(connection, "admin", admin=True), "first start")
            write_private(settings.admin_token_file, token)
            return token
    finally:
        database.close()


def _is_new(connection: Any) -> bool:
    from lepton_server.identity.accounts import account_id

    return account_id(connection, "admin") is None


@contextmanager
def _listening(settings: ServerSettings) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
        except OSError as error:
            where = f"{settings.host}:{settings.port}"
            raise PortTaken(
                f"nobody can listen at {where}: {error.strerror}", "Choose another --port; 0 takes a free one."
            ) from error
        yield listener
