"""A link of so many Mbit/s each way on the loopback: a TCP relay whose connections share one token bucket a direction.

`python -m benchmarks.shaped_link PORT RATE` listens in front of PORT on a free port, prints it, relays until its input ends, and prints the
bytes that went to the server and back and its CPU seconds: it copies every byte, in a process of its own.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from types import TracebackType
from typing import Self

_BLOCK_BYTES = 128 * 1024
_BURST_S = 0.002
_SHORTEST_SLEEP_S = 0.0005


class Bucket:
    """Lets `rate` bytes a second through, and counts them. Thread safe."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._lock = threading.Lock()
        self._paid_until = time.monotonic()
        self.passed = 0

    def take(self, count: int) -> None:
        """Return when `count` bytes may go on."""
        with self._lock:
            now = time.monotonic()
            self._paid_until = max(self._paid_until, now - _BURST_S) + count / self._rate
            wait = self._paid_until - now
            self.passed += count
        if wait > _SHORTEST_SLEEP_S:
            time.sleep(wait)


class ShapedLink:
    """A context manager: a link in a process of its own in front of 127.0.0.1:`port`; `url` is its near end."""

    def __init__(self, port: int, megabits: float) -> None:
        self._command = [sys.executable, "-m", "benchmarks.shaped_link", str(port), str(megabits)]
        self.sent = self.received = 0
        self.cpu = 0.0

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Bytes to the server and back are in `sent` and `received` from here on, the relay's own CPU seconds in `cpu`."""
        said, _ = self._process.communicate(timeout=20)
        sent, received, cpu = said.split()
        self.sent, self.received, self.cpu = int(sent), int(received), float(cpu)


def _relay(source: socket.socket, target: socket.socket, bucket: Bucket) -> None:
    block = memoryview(bytearray(_BLOCK_BYTES))
    try:
        while count := source.recv_into(block):
            bucket.take(count)
            target.sendall(block[:count])
        target.shutdown(socket.SHUT_WR)
    except OSError:
        source.close()  # One side is gone; the other direction notices the same way
        target.close()


def _accept(listener: socket.socket, port: int, up: Bucket, down: Bucket) -> None:
    while True:
        near, _ = listener.accept()
        far = socket.create_connection(("127.0.0.1", port))
        for end in (near, far):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for way in ((near, far, up), (far, near, down)):
            threading.Thread(target=_relay, args=way, daemon=True).start()


def main() -> None:
    port, rate = int(sys.argv[1]), float(sys.argv[2]) * 1e6 / 8
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2 * _BLOCK_BYTES)  # What waits in a buffer has not travelled
    up, down = Bucket(rate), Bucket(rate)
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=_accept, args=(listener, port, up, down), daemon=True).start()
    sys.stdin.read()
    print(up.passed, down.passed, time.process_time(), flush=True)


if __name__ == "__main__":
    main()
