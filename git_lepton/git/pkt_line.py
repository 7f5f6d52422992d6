"""Git's pkt-lines, read from and written to raw file descriptors.

A packet is four lower-case hex digits, its length with these four, and at most 65516 bytes of payload; "0000" is a flush. A
message is a list of packets that a flush ends: lines of text, or content of any size, which is handed out as a stream and
never held whole.
"""

from __future__ import annotations

import os

from git_lepton.errors import LeptonError

MAX_PAYLOAD = 65516
FLUSH = b"0000"
_HEADER_BYTES = 4
_FULL_HEADER = b"%04x" % (MAX_PAYLOAD + _HEADER_BYTES)
_BUFFER_BYTES = 1 << 20
_MAX_LINES = 65536  # in one message; git sends fewer than ten
_BATCH = 128  # packets in one write: 8 MiB


class BadPacket(LeptonError):
    """The other side sent something that is not a pkt-line."""


class PipeClosed(LeptonError):
    """The other side ended in the middle of a message."""


def encode_line(text: bytes) -> bytes:
    """One packet with one line of text."""
    return b"%04x%b\n" % (len(text) + _HEADER_BYTES + 1, text)


def encode_message(lines: list[bytes]) -> bytes:
    """Lines of text and the flush that ends them."""
    return b"".join(map(encode_line, lines)) + FLUSH


class PacketReader:
    """Reads messages from a file descriptor; keeps what it has read ahead."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._buffer = bytearray(_BUFFER_BYTES)
        self._view = memoryview(self._buffer)
        self._start = self._end = 0
        _widen_pipe(fd)

    def read_message(self) -> list[bytes] | None:
        """The lines up to the next flush, without their line ends; None where the input ends before one begins.

        Raises PipeClosed where it ends later, BadPacket for what is no packet.
        """
        lines: list[bytes] = []
        while True:
            length = self.next_length(at_start=not lines)
            if length is None:
                return None
            if length == 0:
                return lines
            if len(lines) == _MAX_LINES:
                raise BadPacket("git sent a message that does not end")
            self._need(length)
            lines.append(bytes(self._view[self._start : self._start + length]).removesuffix(b"\n"))
            self._start += length

    def content(self) -> Content:
        """The content that begins here, up to its flush."""
        return Content(self)

    def next_length(self, *, at_start: bool = False) -> int | None:
        """Payload bytes of the next packet, 0 for a flush; None where the input ends and `at_start` allows it."""
        if self._end - self._start < _HEADER_BYTES:
            if at_start and self._start == self._end and not self._fill():
                return None
            self._need(_HEADER_BYTES)
        header = bytes(self._view[self._start : self._start + _HEADER_BYTES])
        self._start += _HEADER_BYTES
        return MAX_PAYLOAD if header == _FULL_HEADER else _payload_length(header)

    def take(self, target: memoryview) -> int:
        """Move bytes of the current packet into `target`, as many as have arrived, at least one, at most all of it."""
        if self._start == self._end and not self._fill():
            raise PipeClosed("git ended in the middle of a file")
        count = min(len(target), self._end - self._start)
        target[:count] = self._view[self._start : self._start + count]
        self._start += count
        return count

    def _need(self, count: int) -> None:
        while self._end - self._start < count:
            if not self._fill():
                raise PipeClosed("git ended in the middle of a message")

    def _fill(self) -> bool:
        if self._start:  # a few bytes at most, unless a line is cut
            rest = self._end - self._start
            self._view[:rest] = self._view[self._start : self._end]
            self._start, self._end = 0, rest
        count = _read_into(self._fd, self._view[self._end :])
        self._end += count
        return count > 0


class Content:
    """The bytes of one file as they come through the pipe. `readinto` blocks until its buffer is full or the content is over."""

    def __init__(self, reader: PacketReader) -> None:
        self._reader = reader
        self._left = 0  # of the current packet
        self._over = False
        self._ahead = b""  # what `peek` took

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """Fill a buffer of bytes; fewer than its length only at the end, 0 after it. Raises PipeClosed or BadPacket."""
        view = memoryview(buffer)
        position = self._take_ahead(view)
        while position < len(view) and self._packet():
            count = self._reader.take(view[position : position + self._left])
            self._left -= count
            position += count
        return position

    def peek(self, count: int) -> bytes:
        """The next `count` bytes, fewer only where the content is shorter; the next `readinto` gives them again."""
        if len(self._ahead) < count:
            buffer = bytearray(count)
            self._ahead = bytes(buffer[: self.readinto(buffer)])
        return self._ahead[:count]

    def drain(self) -> None:
        """Read the rest and forget it: git says nothing new before it has written all."""
        self._ahead = b""
        scratch = memoryview(bytearray(_BUFFER_BYTES))
        while self._packet():
            self._left -= self._reader.take(scratch[: self._left])

    def _packet(self) -> bool:
        if self._left == 0 and not self._over:
            self._left = self._reader.next_length() or 0
            self._over = self._left == 0
        return not self._over

    def _take_ahead(self, view: memoryview) -> int:
        count = min(len(view), len(self._ahead))
        view[:count] = self._ahead[:count]
        self._ahead = self._ahead[count:]
        return count


class PacketWriter:
    """Writes messages and content to a file descriptor, in few and large writes."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        _widen_pipe(fd)

    def write(self, data: bytes) -> None:
        """Bytes that are packets already."""
        _write_all(self._fd, [data])

    def write_content(self, data: bytes | bytearray | memoryview) -> None:
        """A piece of content; a flush ends the content when all pieces are written."""
        view = memoryview(data).cast("B")
        parts: list[bytes | memoryview] = []
        for start in range(0, len(view), MAX_PAYLOAD):
            payload = view[start : start + MAX_PAYLOAD]
            parts += [b"%04x" % (len(payload) + _HEADER_BYTES), payload]
            if len(parts) == 2 * _BATCH:
                _write_all(self._fd, parts)
                parts = []
        if parts:
            _write_all(self._fd, parts)


def _payload_length(header: bytes) -> int:
    try:
        digits = bytes.fromhex(header.decode("ascii"))  # stricter than int(): no sign, no prefix
        length = int.from_bytes(digits, "big") if len(digits) == 2 else -1
    except ValueError:
        length = -1
    if length == 0:
        return 0
    if not _HEADER_BYTES < length <= MAX_PAYLOAD + _HEADER_BYTES:
        raise BadPacket(f"git sent {header!r} where the length of a packet belongs")
    return length - _HEADER_BYTES


def _read_into(fd: int, view: memoryview) -> int:
    if hasattr(os, "readv"):
        return os.readv(fd, [view])
    data = os.read(fd, len(view))
    view[: len(data)] = data
    return len(data)


def _write_all(fd: int, parts: list[bytes | memoryview]) -> None:
    if not hasattr(os, "writev"):
        parts = [b"".join(parts)]
    while parts:
        written = os.writev(fd, parts) if hasattr(os, "writev") else os.write(fd, parts[0])
        while parts and written >= len(parts[0]):
            written -= len(parts.pop(0))
        if written:
            parts[0] = memoryview(parts[0])[written:]


def _widen_pipe(fd: int) -> None:
    """Ask for a pipe of 1 MiB where the system has that: a quarter of the switches between git and us."""
    try:
        import fcntl

        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _BUFFER_BYTES)
    except (ImportError, AttributeError, OSError):
        return  # Windows, macOS, a file, or a user with many pipes: it is as wide as it is
