"""Numbers of bytes, times and paths, for people."""

from __future__ import annotations

import time

from git_lepton.format.visible import visible

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def told(size: float) -> str:
    """`size` bytes in the unit that suits it."""
    number, unit = float(size), 0
    while number >= 1024 and unit < len(_UNITS) - 1:
        number, unit = number / 1024, unit + 1
    return f"{size:,.0f} bytes" if unit == 0 else f"{number:.1f} {_UNITS[unit]}"


def utc_day(milliseconds: int) -> str:
    """The day in UTC of a time since 1970: `2026-11-27`."""
    return time.strftime("%Y-%m-%d", time.gmtime(milliseconds / 1000))


def utc_minute(milliseconds: int) -> str:
    """The minute in UTC of a time since 1970: `2026-11-27 14:05 UTC`."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(milliseconds / 1000))


def printable(path: bytes) -> str:
    """A path that is safe on a terminal."""
    return visible(path.decode("utf-8", "surrogateescape"))
