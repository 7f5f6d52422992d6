"""One request and its answer as they go by: how many bytes, which status, how long; counted and written down at the end."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from git_lepton.wire.protocol import API, REQUEST_HEADER
from lepton_server.http.middleware.security_headers import SecurityHeaders
from lepton_server.observability import metrics
from lepton_server.observability.logs import told

_access = logging.getLogger("lepton_server.access")
_STALL_SECONDS = 120.0
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class Exchange:
    """Around one request. `receive` and `send` are to be used in place of the server's own."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, address: str, name: str, headers: SecurityHeaders) -> None:
        self.scope, self.address, self.name = scope, address, name
        self.status = 0  # until an answer begins
        self._receive, self._send, self._headers = receive, send, headers
        self._received = self._sent = 0
        self._kind = _kind(scope["path"])
        self._heard_all = self._kind == "git"  # which has a patience of its own, in `http_backend`
        self._began = time.monotonic()
        metrics.in_progress.inc()

    async def receive(self) -> Message:
        """The next message; who sends nothing more of a body for too long is taken for gone."""
        try:
            async with asyncio.timeout(None if self._heard_all else _STALL_SECONDS):
                message = await self._receive()
        except TimeoutError:
            message = {"type": "http.disconnect"}
        self._heard_all = self._heard_all or not message.get("more_body", False)
        self._received += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._headers.add(message)
            message["headers"] = [*message["headers"], (REQUEST_HEADER.lower().encode(), self.name.encode())]
        self._sent += len(message.get("body", b""))
        await self._send(message)

    @property
    def account(self) -> str:
        """Who asks, "" where nobody was asked for a token; set by `authentication`."""
        return getattr(self.scope.get("state", {}).get("caller"), "name", "")

    def end(self) -> None:
        """Count it, and write the line of the access log."""
        took = time.monotonic() - self._began
        route = getattr(self.scope.get("route"), "path", "none")
        method = self.scope["method"] if self.scope["method"] in _METHODS else "other"
        metrics.in_progress.dec()
        metrics.requests.labels(route, method, str(self.status)).inc()
        metrics.seconds.labels(route, method).observe(took)
        metrics.received.labels(self._kind).inc(self._received)
        metrics.sent.labels(self._kind).inc(self._sent)
        if _access.isEnabledFor(logging.INFO):
            self._write(route, method, took)

    def _write(self, route: str, method: str, took: float) -> None:
        fields: dict[str, Any] = {
            "request": self.name,
            "address": self.address,
            "account": self.account,
            "method": method,
            "path": told(self.scope.get("raw_path") or b""),
            "route": route,
            "status": self.status,
            "received": self._received,
            "sent": self._sent,
            "seconds": round(took, 4),
        }
        _access.info(
            " ".join("%s" for _ in fields),
            *("-" if value == "" else value for value in fields.values()),
            extra={"fields": fields},
        )


def _kind(path: str) -> str:
    if path.startswith(f"{API}/transfers/"):
        return "transfer"
    return "git" if ".git/" in path else "api"
