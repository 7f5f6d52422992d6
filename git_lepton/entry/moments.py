"""Times as people write and read them."""

from __future__ import annotations

import argparse
from datetime import datetime

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LONGEST = 366 * 86_400


def duration(text: str) -> float:
    """Seconds in `90s`, `15m`, `24h` or `7d`, for argparse."""
    unit = _SECONDS.get(text[-1:], 0)
    try:
        seconds = float(text[:-1]) * unit
    except ValueError:
        seconds = 0
    if not 1 <= seconds <= _LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is no time of at most a year; write 90s, 15m, 24h or 7d")
    return seconds


def moment(milliseconds: int) -> str:
    """A time since 1970 as `2026-11-27 09:30`, by this machine's clock."""
    return datetime.fromtimestamp(milliseconds / 1000).astimezone().strftime("%Y-%m-%d %H:%M")
