"""The kinds of settings: how the text of one is read, and what it is called where that fails."""

from __future__ import annotations

from git_lepton.settings.git_config import flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_UNITS = {"k": 2**10, "m": 2**20, "g": 2**30}


def _size(text: str) -> int:
    unit = _UNITS.get(text[-1:].lower(), 0)
    value = int(text[:-1]) * unit if unit else int(text)
    if value < 0:
        raise ValueError(text)
    return value


def _count(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 64:
        raise ValueError(text)
    return value


def _flag(text: str) -> bool:
    value = flag(text)
    if value is None:
        raise ValueError(text)
    return value


def _codecs(text: str) -> frozenset[int]:
    codecs = frozenset(int(part) for part in text.replace(",", " ").split())
    if not codecs or not all(0 <= codec <= 255 for codec in codecs):
        raise ValueError(text)
    return codecs | {0}  # raw bytes are always possible: what does not shrink is kept as it is


def _secret(text: str) -> str | None:
    from git_lepton.format.tokens import clean_token

    return clean_token(text) or None


def _text(text: str) -> str | None:
    return text.strip() or None


READERS: dict[str, Callable[[str], Any]] = {
    "text": _text,
    "secret": _secret,
    "size": _size,
    "count": _count,
    "flag": _flag,
    "codecs": _codecs,
}
WORDS = {
    "size": "a size in bytes (k, m and g may follow)",
    "count": "a number from 1 to 64",
    "flag": "true or false",
    "codecs": "a list of codec ids",
    "text": "a text",
    "secret": "a token",
}
EXAMPLES = {"size": "128m", "count": "4", "flag": "true", "codecs": "0,1,2", "text": "TEXT", "secret": "TOKEN"}
