"""The answer to a push that git itself never sees: in git's own form, so that its client shows the reason and each ref as refused."""

from __future__ import annotations

import contextlib
import gzip
import os
import zlib
from collections.abc import Iterator
from typing import IO

from lepton_server.git_bounds import MOST_PUSHED_BYTES

CONTENT_TYPE = b"application/x-git-receive-pack-result"
_LONGEST_PART = 65_515
_MOST_COMMANDS_BYTES = 64 * 1024 * 1024
_BLOCK_BYTES = 1 << 20
_COMPRESSED = b"\x1f\x8b"
_NOT_COMMANDS = (b"shallow ", b"push-cert")
_Readable = IO[bytes] | gzip.GzipFile


class NoCommands(Exception):
    """A body does not begin as that of a push does."""


def pack_bytes(body: IO[bytes]) -> int:
    """How many bytes of objects this push brings; 0 where it only deletes refs. Of what is damaged, as many as git may find."""
    start, count = body.tell(), 0
    plain = _plain(body)
    with contextlib.suppress(OSError, EOFError, zlib.error):  # git has what came before the damage
        with contextlib.suppress(NoCommands):  # git may read on
            _commands(plain)
        if isinstance(plain, gzip.GzipFile):
            while count <= MOST_PUSHED_BYTES and (block := plain.read1(_BLOCK_BYTES)):  # git takes no more than that
                count += len(block)
        else:
            after = body.tell()
            count = body.seek(0, os.SEEK_END) - after
    body.seek(start)
    return count


def refused(body: IO[bytes], text: str) -> bytes:
    """The answer to the push that this file begins with; `text` ends with a line end. Raises NoCommands."""
    try:
        refs, abilities = _commands(_plain(body))
    except (OSError, EOFError, zlib.error) as error:
        raise NoCommands from error
    report = b""
    if {b"report-status", b"report-status-v2"} & abilities:
        lines = [b"unpack refused\n", *(b"ng %s refused\n" % ref for ref in refs)]
        report = b"".join(map(packet, lines)) + b"0000"
    if b"side-band-64k" not in abilities:
        return report
    return b"".join([_band(2, text.encode()), _band(1, report), b"0000"])


def packet(data: bytes) -> bytes:
    """A packet of git's: the data with their length before them."""
    return b"%04x%s" % (len(data) + 4, data)


def _band(number: int, data: bytes) -> bytes:
    parts = (data[start : start + _LONGEST_PART] for start in range(0, len(data), _LONGEST_PART))
    return b"".join(packet(bytes([number]) + part) for part in parts)


def _plain(body: IO[bytes]) -> _Readable:
    """Some clients compress what they send."""
    start, head = body.tell(), body.read(len(_COMPRESSED))
    body.seek(start)
    return gzip.GzipFile(fileobj=body, mode="rb") if head == _COMPRESSED else body


def _commands(body: _Readable) -> tuple[list[bytes], set[bytes]]:
    """The refs that are to move, and what the client can do."""
    refs, abilities = [], set[bytes]()
    for line in _lines(body):
        command, _, said = line.rstrip(b"\n").partition(b"\0")
        abilities |= set(said.split())
        if not command.startswith(_NOT_COMMANDS):
            refs.append(command.split(b" ", 2)[-1])
    return refs, abilities


def _lines(body: _Readable) -> Iterator[bytes]:
    left = _MOST_COMMANDS_BYTES
    while left > 0:
        head = body.read(4)
        try:
            length = int(head, 16)
        except ValueError:
            raise NoCommands from None
        if length <= 4:
            return
        left -= length
        yield body.read(length - 4)
    raise NoCommands
