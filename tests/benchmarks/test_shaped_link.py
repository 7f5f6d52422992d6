"""The slow link: it passes every byte, as slowly as it says, and counts."""

from __future__ import annotations

import socket
import threading
import time

from benchmarks.shaped_link import ShapedLink


def _echo(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        while block := connection.recv(1 << 16):
            connection.sendall(block)


def test_bytes_come_through_at_the_rate_of_the_link() -> None:
    data = bytes(range(256)) * 4096  # 1 MiB: 0.42 s at 20 Mbit/s
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_echo, args=(listener,), daemon=True).start()
        with ShapedLink(listener.getsockname()[1], 20) as link:
            host, port = link.url.removeprefix("http://").split(":")
            with socket.create_connection((host, int(port))) as connection:
                start = time.monotonic()
                threading.Thread(target=connection.sendall, args=(data,), daemon=True).start()
                back = bytearray()
                while len(back) < len(data):
                    back += connection.recv(1 << 16)
                took = time.monotonic() - start
    assert bytes(back) == data
    assert took > 0.38
    assert (link.sent, link.received) == (len(data), len(data))
