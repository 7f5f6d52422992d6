"""One server process from start to end: the data folder's lock, the socket, the first account, and a clean end on SIGTERM."""

from __future__ import annotations

import gc
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
from lepton_server.accounts import ensure_account
from lepton_server.backup.git_folder import MARK
from lepton_server.folder_lock import only_one
from lepton_server.network_folders import refuse_network_folder
from lepton_server.places import open_database
from lepton_server.processes import refuse_other_hosts
from lepton_server.settings import ServerSettings
from lepton_server.tokens import create_token
from lepton_server.transfer_urls import write_private
from lepton_server.watching.logs import configure
from lepton_server.watching.shared_counts import shared_counts
from lepton_server.workers import Workers

_GRACE_SECONDS = 10


class PortTaken(NetworkTrouble):
    """Nobody can listen at this address."""


def serve(settings: ServerSettings) -> None:
    """Serve until SIGTERM or SIGINT. Raises FolderBusy, PortTaken, NewerSchema, FolderOnNetwork, OtherHost."""
    configure(settings.log_form, settings.log_level)
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not settings.database:
        refuse_network_folder(settings.data)
    _refuse_half_restored(settings)
    with only_one(settings.lock_file, "serves"), _listening(settings) as listener:
        token = _first_token(settings)
        settings = replace(settings, port=listener.getsockname()[1])
        line = f"lepton-server listening on {settings.public_url or settings.loopback_url}"
        if token:
            shown = "" if settings.log_form == "json" else f" {token}"  # a program that collects lines is no place for it
            line += f" - account admin, token{shown} (kept in {settings.admin_token_file})"

        def ready() -> None:
            print(line, flush=True)

        if settings.workers == 1:
            _run(settings, listener, ready)
        else:
            with shared_counts(settings.data / "metrics"):
                workers = Workers(settings.workers, lambda number, told: _run(replace(settings, worker=number), listener, told))
                workers.run(ready)


def _refuse_half_restored(settings: ServerSettings) -> None:
    """Raises WrongUse where a restore has not come to its end: the next run of it would take away what is pushed meanwhile."""
    if (mark := settings.git_root / MARK).exists():
        raise WrongUse(
            f"a restore into {settings.git_root} was begun and has not come to its end",
            f"Run the same lepton-server restore again; or, if it was given up, remove {mark}.",
        )


def _run(settings: ServerSettings, listener: socket.socket, ready: Callable[[], None]) -> None:
    import uvicorn

    from lepton_server.app import create_app
    from lepton_server.http_heads import BoundedHeads

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
    from lepton_server.accounts import account_id

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
