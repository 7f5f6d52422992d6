"""A small HTTP server in a thread whose answers a test writes down as a function."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from git_lepton.wire.messages import Capabilities, to_json

CAPABILITIES = Capabilities("lepton", "0.1", 1, 1, [0, 1, 2], 1 << 26)


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def json_answer(message: Any, status: int = 200) -> Answer:
    return Answer(status, json.dumps(to_json(message)).encode(), {"Content-Type": "application/json"})


def error_answer(status: int, code: str, message: str = "", **headers: str) -> Answer:
    body = {"error": {"code": code, "message": message, "hint": "", "request": "r-1"}}
    return Answer(status, json.dumps(body).encode(), {name.replace("_", "-"): value for name, value in headers.items()})


class ScriptedServer:
    """Answers the greeting by `capabilities` and everything else by `answer`. `requests` lists all but the greetings."""

    def __init__(
        self, answer: Callable[[Request], Answer], capabilities: Answer | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self.answer = answer
        self.capabilities = capabilities or json_answer(CAPABILITIES)
        self.requests: list[Request] = []
        self.greetings = 0
        script = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                answer = script.take(Request(self.command, self.path, headers, body))
                self.send_response(answer.status)
                for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)

            do_GET = do_PUT = do_POST = do_any

            def log_message(self, *arguments: object) -> None:
                """Tests are quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that go away are part of the test
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def take(self, request: Request) -> Answer:
        if request.path.endswith("/api/v1/capabilities"):
            self.greetings += 1
            return self.capabilities
        self.requests.append(request)
        return self.answer(request)

    def __enter__(self) -> ScriptedServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
