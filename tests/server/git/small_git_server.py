"""A server of git alone: this package's responses on a loopback port, everybody may push, and a test says what is stored."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request, Response

from lepton_server.git.bare_repositories import GitRoot, create_bare
from lepton_server.git.http_backend import BackendResponse, backend_environment
from lepton_server.git.push import PushResponse, Receiver


class SmallGitServer:
    """`stored` maps oids (raw) to sizes; `mirrors` lists what was mirrored, the last last; `before_check` runs in each check."""

    def __init__(self, data: Path) -> None:
        self.root = GitRoot(data / "git")
        self.root.prepare()
        self.port = 0
        self.owner = 0
        self.forget()

    def forget(self) -> None:
        """As if new: another owner's empty name space, nothing stored, nothing seen."""
        self.owner += 1
        self.stored: dict[bytes, int] = {}
        self.mirrors: list[tuple[Mapping[str, str], str | None]] = []
        self.before_check: Callable[[], None] = lambda: None
        self.requests: list[tuple[str, str, dict[str, str]]] = []

    def path(self, name: str) -> str:
        return f"/ada{self.owner}/{name}.git"

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}{self.path(name)}"

    def directory(self, name: str) -> Path:
        return self.root.repository(f"ada{self.owner}", name)

    def app(self) -> FastAPI:
        app = FastAPI()

        def environment(request: Request, directory: Path, path: str) -> dict[str, str]:
            self.requests.append((request.method, path, dict(request.headers)))
            return backend_environment(request, directory, path, self.root.settings(), "ada")

        @app.get("/{owner}/{name}.git/info/refs")
        async def advertise(owner: str, name: str, request: Request) -> Response:
            directory = self.root.repository(owner, name)
            chosen = directory if directory.exists() else self.root.empty
            return BackendResponse(environment(request, chosen, "info/refs"))

        @app.post("/{owner}/{name}.git/git-upload-pack")
        async def upload_pack(owner: str, name: str, request: Request) -> Response:
            return BackendResponse(environment(request, self.root.repository(owner, name), "git-upload-pack"))

        @app.post("/{owner}/{name}.git/git-receive-pack")
        async def receive_pack(owner: str, name: str, request: Request) -> Response:
            directory = self.root.repository(owner, name)
            create_bare(directory)
            return PushResponse(environment(request, directory, "git-receive-pack"), self.receiver(directory))

        return app

    def receiver(self, directory: Path) -> Receiver:
        def stored_sizes(oids: object) -> dict[bytes, int]:
            self.before_check()
            return {oid: self.stored[oid] for oid in oids if oid in self.stored}  # type: ignore[attr-defined]

        return Receiver(directory, stored_sizes, lambda refs, head: self.mirrors.append((refs, head)))


@contextmanager
def small_git_server(data: Path) -> Iterator[SmallGitServer]:
    """A running server, stopped at the end."""
    server = SmallGitServer(data)
    with serving(server.app()) as server.port:
        yield server


@contextmanager
def serving(app: FastAPI) -> Iterator[int]:
    """The app on a free loopback port, which this gives, in a thread of this process."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=5)
    program = uvicorn.Server(config)
    thread = threading.Thread(target=program.run, args=([listener],))
    thread.start()
    try:
        while not program.started:
            time.sleep(0.005)
        yield listener.getsockname()[1]
    finally:
        program.should_exit = True
        thread.join()
        listener.close()
