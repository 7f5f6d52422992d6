"""Options as values: what an argument's text means, and the sentence for what it cannot mean."""

from __future__ import annotations

import argparse

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_BYTES = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def port_number(text: str) -> int:
    found = _number(text)
    if found is None or not 0 <= found <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is no port; ports are 0 to 65535")
    return found


def how_many(text: str) -> int:
    found = _number(text)
    if found is None or found < 0:
        raise argparse.ArgumentTypeError(f"{text} is no number from 0 on")
    return found


def at_least_one(text: str) -> int:
    found = _number(text)
    if found is None or found < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number from 1 on")
    return found


def number_of_days(text: str) -> float:
    found = _amount(text)
    if found is None or not 0 < found <= 36500:
        raise argparse.ArgumentTypeError(f"a token cannot last {text} days")
    return found


def codec_ids(text: str) -> set[int]:
    found = [_number(part) for part in text.split(",")]
    if None in found:
        raise argparse.ArgumentTypeError(f"{text} are no codec ids; write 1,2,3")
    return {number for number in found if number is not None}


def duration(text: str) -> float:
    """Seconds in `90`, `90s`, `15m`, `24h` or `7d`."""
    number, unit = (text[:-1], text[-1]) if text[-1:] in _SECONDS else (text, "s")
    found = _amount(number)
    if found is None or not 0 <= found * _SECONDS[unit] <= 10 * 365 * _SECONDS["d"]:
        raise argparse.ArgumentTypeError(f"{text} is no time; write 90s, 15m, 24h or 7d")
    return found * _SECONDS[unit]


def size(text: str) -> int:
    """Bytes in `1000`, `512k`, `20m`, `5g` or `2t` (powers of 1024)."""
    number, unit = (text[:-1], text[-1].lower()) if text[-1:].lower() in _BYTES else (text, "")
    found = _amount(number)
    if found is None or not 0 <= found * _BYTES.get(unit, 1) < 1 << 62:
        raise argparse.ArgumentTypeError(f"{text} is no size; write 512m, 20g or 2t")
    return int(found * _BYTES.get(unit, 1))


def oid(text: str) -> bytes:
    """The 32 bytes of an object's name: 64 hex digits, perhaps with sha256: before them."""
    digits = text.removeprefix("sha256:")
    if len(digits) != 64 or set(digits) - set("0123456789abcdef"):
        raise argparse.ArgumentTypeError(f"{text} is no oid; one has 64 hex digits")
    return bytes.fromhex(digits)


def one_line(text: str) -> str:
    """The text without control characters, which a terminal would obey, and without space around it."""
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()


def _number(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def _amount(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
