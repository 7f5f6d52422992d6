"""Options as values: what an argument's text means, and the sentence for what it cannot mean."""

from __future__ import annotations

import argparse

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_BYTES = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def port_number(text: str) -> int:
    if not 0 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is no port; ports are 0 to 65535")
    return int(text)


def number_of_days(text: str) -> float:
    if not 0 < float(text) <= 36500:
        raise argparse.ArgumentTypeError(f"a token cannot last {text} days")
    return float(text)


def codec_ids(text: str) -> set[int]:
    return {int(part) for part in text.split(",")}


def duration(text: str) -> float:
    """Seconds in `90`, `90s`, `15m`, `24h` or `7d`."""
    number, unit = (text[:-1], text[-1]) if text[-1:] in _SECONDS else (text, "s")
    if not 0 <= float(number) * _SECONDS[unit] <= 10 * 365 * _SECONDS["d"]:
        raise argparse.ArgumentTypeError(f"{text} is no time; write 90s, 15m, 24h or 7d")
    return float(number) * _SECONDS[unit]


def size(text: str) -> int:
    """Bytes in `1000`, `512k`, `20m`, `5g` or `2t` (powers of 1024)."""
    number, unit = (text[:-1], text[-1].lower()) if text[-1:].lower() in _BYTES else (text, "")
    count = int(float(number) * _BYTES.get(unit, 1))
    if not 0 <= count < 1 << 62:
        raise argparse.ArgumentTypeError(f"{text} is no size; write 512m, 20g or 2t")
    return count
