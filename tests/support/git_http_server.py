"""Smart HTTP for bare repositories in a folder: python's http.server in front of `git http-backend`, on 127.0.0.1.

`root`/owner/repo.git is served at `url`/owner/repo.git. With `token`, requests need `Authorization: Basic base64(any:token)`.
"""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class GitHttpServer:
    """A context manager: serves while it is entered. `authorizations` are those headers that came, in order."""

    def __init__(self, root: Path, token: str = "") -> None:
        self.root, self.token = root, token
        self.authorizations: list[str] = []
        owner = self

        class Handler(_Handler):
            server_of_tests = owner

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def create(self, name: str, **config: str) -> Path:
        """A bare repository `owner/repo`; keyword arguments are configuration, with __ for the dot."""
        folder = self.root / f"{name}.git"
        subprocess.run(["git", "init", "-q", "--bare", "--initial-branch=main", folder], check=True)
        for key, value in {"http__receivepack": "true", "uploadpack__allowfilter": "true", **config}.items():
            subprocess.run(["git", "-C", folder, "config", key.replace("__", "."), value], check=True)
        return folder

    def __enter__(self) -> GitHttpServer:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_of_tests: GitHttpServer

    def log_message(self, *arguments: object) -> None:
        """Nobody reads it."""

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self._body())

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _serve(self, body: bytes) -> None:
        given = self.headers.get("Authorization", "")
        self.server_of_tests.authorizations += [given] if given else []
        if self.server_of_tests.token and not self._may_enter(given):
            self._answer(401, [("WWW-Authenticate", 'Basic realm="lepton"')], b"")
            return
        done = subprocess.run(["git", "http-backend"], input=body, env=self._environment(body), capture_output=True, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = [tuple(line.split(": ", 1)) for line in head.decode().split("\r\n") if line]
        status = next((value for name, value in headers if name == "Status"), "200")
        self._answer(int(status.split()[0]), [pair for pair in headers if pair[0] != "Status"], content)

    def _may_enter(self, given: str) -> bool:
        _, _, text = given.partition("Basic ")
        return base64.b64decode(text).decode().partition(":")[2] == self.server_of_tests.token

    def _environment(self, body: bytes) -> dict[str, str]:
        path, _, query = self.path.partition("?")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        return kept | {
            "GIT_PROJECT_ROOT": str(self.server_of_tests.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "REMOTE_USER": "ada",
            "REMOTE_ADDR": "127.0.0.1",
        }

    def _answer(self, status: int, headers: list[tuple[str, ...]], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
