"""A proxy in a thread between client and server that breaks what it is told to break.

Faults are data: each says which requests it is for, how often, and what goes wrong with them. The proxy counts the bytes of
bodies each way. One request goes over one connection, so that a cut hits just that request.
"""

from __future__ import annotations

import re
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

_BLOCK = 64 * 1024


@dataclass
class Fault:
    """What goes wrong with requests whose method and path match (`path` is a regular expression that is searched for).

    `times`: how many of them (None: all), after the first `skip`. `above`: only those with a longer body, in bytes.
    """

    path: str = ""
    method: str = ""
    times: int | None = 1
    skip: int = 0
    above: int = -1
    cut_request_after: int | None = None  # bytes of the request's body; then both connections are reset
    cut_answer_after: int | None = None  # bytes of the answer's body
    status: int = 0  # answered by the proxy itself, the body read and dropped
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    hang: bool = False  # the request is swallowed and never answered
    hang_after: int | None = None  # bytes of the answer's body; then silence
    corrupt_request_at: int | None = None  # this byte of the request's body is flipped
    corrupt_answer_at: int | None = None
    rate: int = 0  # bytes per second, of both bodies
    then: Callable[[], object] | None = None  # called when the fault strikes, before anything else
    struck: int = 0

    def is_for(self, method: str, path: str, length: int) -> bool:
        """Whether it strikes this request. Counts."""
        if (self.method and method != self.method) or not re.search(self.path, path) or length <= self.above:
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.times is not None and self.struck >= self.times:
            return False
        self.struck += 1
        return True


@dataclass(frozen=True)
class Seen:
    """One request as it came in. `length` is that of its body; headers' names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    length: int


class FaultyProxy:
    """Listens on a free port of this machine (`url`) and passes on to `target`. `sent` and `received` count bytes of bodies, as
    the client sees them; `requests` lists what came."""

    def __init__(self, target: str, faults: list[Fault] | None = None) -> None:
        parts = urlsplit(target)
        self.target = (parts.hostname or "", parts.port or 80)
        self.faults = faults or []
        self.requests: list[Seen] = []
        self.sent = self.received = 0
        self.lock = threading.Lock()
        self.over = threading.Event()
        self._server = _Listener(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> FaultyProxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()

    def reset_counts(self) -> None:
        with self.lock:
            self.sent = self.received = 0
            self.requests = []

    def count(self, path: str, method: str = "") -> int:
        """How many requests had this method and a path that this regular expression finds."""
        return sum(1 for seen in self.requests if re.search(path, seen.path) and method in ("", seen.method))

    def fault_for(self, seen: Seen) -> Fault:
        with self.lock:
            self.requests.append(seen)
            return next((fault for fault in self.faults if fault.is_for(seen.method, seen.path, seen.length)), Fault())


class _Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    proxy: FaultyProxy

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that a fault has cut is no error of the proxy's."""


class _Cut(Exception):
    """The fault wants the connections cut here."""


class _Handler(socketserver.BaseRequestHandler):
    server: _Listener

    def handle(self) -> None:
        proxy, client = self.server.proxy, self.request
        with client.makefile("rb") as incoming:
            head = _read_head(incoming)
            if not head:
                return
            method, path, headers = _parse_request(head)
            length = int(headers.get("content-length", "0"))
            fault = proxy.fault_for(Seen(method, path, headers, length))
            try:
                self._serve(fault, head, incoming, length)
            except _Cut:
                _reset(client)

    def _serve(self, fault: Fault, head: bytes, incoming: Any, length: int) -> None:
        proxy, client = self.server.proxy, self.request
        if fault.then:
            fault.then()
        if fault.status or fault.hang:
            for block in _blocks(incoming, length):
                proxy.sent += len(block)
            if fault.hang:
                proxy.over.wait(60)
                return
            client.sendall(_answer(fault))
            return
        with _connected(proxy.target) as server, server.makefile("rb") as answers:
            server.sendall(_without_keep_alive(head))
            self._relay_request(fault, incoming, length, server)
            self._relay_answer(fault, answers, client)

    def _relay_request(self, fault: Fault, incoming: Any, length: int, server: socket.socket) -> None:
        proxy = self.server.proxy
        for block in _faulted(_blocks(incoming, length), fault.cut_request_after, fault.corrupt_request_at, fault.rate):
            with proxy.lock:
                proxy.sent += len(block)
            try:
                server.sendall(block)
            except OSError:
                return  # the server answered early
        if fault.cut_request_after is not None:
            _reset(server)
            raise _Cut

    def _relay_answer(self, fault: Fault, answers: Any, client: socket.socket) -> None:
        proxy = self.server.proxy
        head = _read_head(answers)
        if not head:
            raise _Cut
        client.sendall(_without_keep_alive(head))
        cut = fault.cut_answer_after if fault.cut_answer_after is not None else fault.hang_after
        for block in _faulted(iter(lambda: answers.read1(_BLOCK), b""), cut, fault.corrupt_answer_at, fault.rate):
            with proxy.lock:
                proxy.received += len(block)
            client.sendall(block)
        if fault.cut_answer_after is not None:
            raise _Cut
        if fault.hang_after is not None:
            proxy.over.wait(60)


def _read_head(stream: Any) -> bytes:
    lines = []
    while line := stream.readline(65536):
        lines.append(line)
        if line in (b"\r\n", b"\n"):
            return b"".join(lines)
    return b""


def _parse_request(head: bytes) -> tuple[str, str, dict[str, str]]:
    first, *rest = head.decode("latin-1").splitlines()
    method, path, _ = first.split(" ", 2)
    pairs = (line.partition(":") for line in rest if line)
    return method, path, {name.strip().lower(): value.strip() for name, _, value in pairs}


def _without_keep_alive(head: bytes) -> bytes:
    lines = [line for line in head[:-2].splitlines(keepends=True) if not line.lower().startswith(b"connection:")]
    return b"".join(lines) + b"Connection: close\r\n\r\n"


def _blocks(stream: Any, length: int) -> Iterator[bytes]:
    while length > 0:
        block = stream.read1(min(length, _BLOCK))
        if not block:
            return
        length -= len(block)
        yield block


def _faulted(blocks: Iterator[bytes], cut: int | None, corrupt: int | None, rate: int) -> Iterator[bytes]:
    """The blocks up to where they are to be cut, one byte flipped, slowed down."""
    position = 0
    for block in blocks:
        kept = block if cut is None else block[: cut - position]
        if corrupt is not None and position <= corrupt < position + len(kept):
            at = corrupt - position
            kept = kept[:at] + bytes([kept[at] ^ 0x40]) + kept[at + 1 :]
        if kept:
            yield kept
        if rate:
            time.sleep(len(kept) / rate)
        position += len(kept)
        if cut is not None and position >= cut:
            return


def _answer(fault: Fault) -> bytes:
    headers = {"Content-Length": str(len(fault.body)), "Connection": "close", **fault.headers}
    lines = [f"HTTP/1.1 {fault.status} Fault", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + fault.body


@contextmanager
def _connected(target: tuple[str, int]) -> Iterator[socket.socket]:
    try:
        server = socket.create_connection(target, timeout=60)
    except OSError as error:
        raise _Cut from error
    with server:
        try:
            yield server
        except OSError as error:
            raise _Cut from error


def _reset(connection: socket.socket) -> None:
    """Close with a reset, as a broken network does."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)
        connection.close()
