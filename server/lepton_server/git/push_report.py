"""The report of git-receive-pack about each ref, on its way to the client, with better reasons where there are any.

git says "failed to update ref" or "pre-receive hook declined"; where the server knows that a ref was moved by somebody else, the client is
to hear "fetch first", which it explains. Everything else goes through as it is, at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

_DATA, _LONGEST = 1, 65_515  # the band of the report; bytes that one packet of it takes
_BANDS = (1, 2, 3)
_KEPT_BYTES = 4096
Reasons = Callable[[], Mapping[str, str]]
"""Full names of refs and why they did not move; asked when git begins its report."""
Unpacking = Callable[[bytes], str]
"""Why git took no objects in, by the last words of the program that did; empty where those say it."""


class PushReport:
    """A stream of packets: `relayed` gives what may go on of each block, `rest` what is left at the end."""

    def __init__(self, reasons: Reasons, unpacking: Unpacking = lambda _: "") -> None:
        self._reasons = reasons
        self._unpacking = unpacking
        self._said = b""  # the last of what git told the user
        self._waiting = b""  # the beginning of a packet
        self._report = b""  # the data of the report, as far as it has come
        self._packets = b""  # the same as it came
        self._as_it_is = False

    def relayed(self, block: bytes) -> bytes:
        if self._as_it_is:
            return block
        self._waiting += block
        out = b""
        while (packet := self._next()) is not None:
            if packet[:4] == b"0000":
                out += self._told() + packet
            elif packet[4:5] == bytes([_DATA]) and (len(packet) > 5 or self._report):
                self._report += packet[5:]
                self._packets += packet
            elif len(packet) > 4 and packet[4] not in _BANDS:  # no bands: the report itself
                out += _packet(self._better(packet[4:]))
            else:
                self._said = (self._said + packet[5:])[-_KEPT_BYTES:]
                out += packet
        return out + (self._gives_up() if self._as_it_is else b"")

    def rest(self) -> bytes:
        return self._told() + self._waiting

    def _next(self) -> bytes | None:
        """The next whole packet; None where there is none yet, or what comes is no packet."""
        if len(self._waiting) < 4:
            return None
        try:
            length = max(4, int(self._waiting[:4], 16))
        except ValueError:
            self._as_it_is = True
            return None
        if len(self._waiting) < length:
            return None
        packet, self._waiting = self._waiting[:length], self._waiting[length:]
        return packet

    def _gives_up(self) -> bytes:
        """What waits; nothing more is looked at."""
        waiting, self._waiting = self._told() + self._waiting, b""
        return waiting

    def _told(self) -> bytes:
        """The report, with better reasons, in packets of its band."""
        report, self._report, as_it_came, self._packets = self._report, b"", self._packets, b""
        lines = list(_lines(report))
        better = list(map(self._better, lines))
        if better == lines:
            return as_it_came
        data = b"".join(map(_packet, better))
        parts = (data[start : start + _LONGEST] for start in range(0, len(data), _LONGEST))
        return b"".join(_packet(bytes([_DATA]) + part) for part in parts)

    def _better(self, line: bytes) -> bytes:
        word, _, rest = line.rstrip(b"\n").partition(b" ")
        if word == b"unpack" and rest != b"ok" and (why := self._unpacking(self._said)):
            return b"unpack %s: %s\n" % (rest, why.encode())
        ref = rest.partition(b" ")[0]
        reason = self._reasons().get(ref.decode("utf-8", "surrogateescape")) if word == b"ng" else None
        return line if reason is None else b"ng %s %s\n" % (ref, reason.encode())


def _packet(data: bytes) -> bytes:
    """A packet of git's: the data with their length before them; of no data a flush."""
    return b"%04x%s" % (len(data) + 4, data) if data else b"0000"


def _lines(report: bytes) -> Iterator[bytes]:
    """What stands in the packets of a report; a flush is no data."""
    while len(report) >= 4:
        length = max(4, int(report[:4], 16))
        yield report[4:length]
        report = report[length:]
