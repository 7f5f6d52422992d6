"""The part of a file that a request asks for (RFC 9110, section 14): one range of bytes, or all of it."""

from __future__ import annotations

import re

_RANGE = re.compile(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*")


class NoSuchRange(Exception):
    """The file has no byte of what was asked for."""


def wanted_range(header: str | None, condition: str | None, etag: str, size: int) -> tuple[int, int] | None:
    """Start and end (exclusive) of what `Range` asks for; None: the whole file, as where `If-Range` names another version, or for
    several ranges at once. Raises NoSuchRange."""
    found = _RANGE.fullmatch(header or "")
    if found is None or (condition is not None and condition != etag):
        return None
    first, last = found[1], found[2]
    if not first and not last:
        return None
    if not first:  # the last so many bytes
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < start:
            return None  # no range at all, says the standard
    if start >= end:
        raise NoSuchRange
    return start, end
