"""One server process from start to end: the data folder's lock, the socket, the first account, and a clean end on SIGTERM."""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from git_lepton.errors import NetworkTrouble, WrongUse
from git_lepton.format.coding.memory import reuse_freed_memory
from lepton_server.accounts import create_token, ensure_account
from lepton_server.disk_store import DiskStore
from lepton_server.folder_lock import only_one
from lepton_server.places import open_database
from lepton_server.settings import ServerSettings
from lepton_server.transfer_urls import write_private

_GRACE_SECONDS = 10


class PortTaken(NetworkTrouble):
    """Nobody can listen at this address."""


def serve(settings: ServerSettings) -> None:
    """Serve until SIGTERM or SIGINT. Raises FolderBusy, PortTaken, NewerSchema."""
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    with only_one(settings.lock_file, "serves"), _listening(settings) as listener:
        token = _first_token(settings)
        DiskStore(settings.pack_root).clear_incoming()
        settings = replace(settings, port=listener.getsockname()[1])
        line = f"lepton-server listening on {settings.public_url or settings.loopback_url}"
        if token:
            line += f" - account admin, token {token} (kept in {settings.admin_token_file})"
        _run(settings, listener, line)


def _run(settings: ServerSettings, listener: socket.socket, line: str) -> None:
    import uvicorn

    from lepton_server.app import create_app
    from lepton_server.http_heads import BoundedHeads

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    app = create_app(settings)
    config = uvicorn.Config(
        app,
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
                print(line, flush=True)

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
