"""HTTP/1.1 as uvicorn speaks it, with bounds on what anybody may make it remember: the head of a request (its line and headers, and
what follows a chunked body) is short and comes soon."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_MOST_BYTES = 64 * 1024
_HEAD_SECONDS = 60.0
_TOO_LONG = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 36\r\n"
    b"connection: close\r\n\r\nThe head of this request is too long"
)


class BoundedHeads(HttpToolsProtocol):
    """One connection. The parser keeps a head until it is whole, and copies it with every piece that comes."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._held = 0  # bytes received since the parser last passed anything on
        self._overdue: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # asyncio hands over this kind
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_whole()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._held += len(data)
        super().data_received(data)
        if self._held > _MOST_BYTES and not self.transport.is_closing():
            self.transport.write(_TOO_LONG)
            self.transport.close()

    def on_message_begin(self) -> None:
        self._expect_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._head_is_whole()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._held = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._held = 0
        super().on_message_complete()

    def _expect_head(self) -> None:
        if self._overdue is None:
            self._overdue = self.loop.call_later(_HEAD_SECONDS, self.transport.close)

    def _head_is_whole(self) -> None:
        self._held = 0
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None
