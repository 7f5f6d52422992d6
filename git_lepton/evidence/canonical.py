"""Canonical JSON, and digests of lines of it (docs/evaluation.md, sections 2 and 4): one value has one text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from git_lepton.errors import CorruptData


class NotCanonical(CorruptData):
    """A text is not what its value's canonical form is, or its value has none."""


def canonical(value: Any) -> bytes:
    """The canonical form of a JSON value. Raises NotCanonical for a value that has none: NaN, an infinity, half a letter."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
        return text.encode("utf-8")
    except (ValueError, TypeError) as error:  # UnicodeEncodeError is a ValueError
        raise NotCanonical(f"this has no canonical form: {error}") from error


def parse_canonical(data: bytes) -> Any:
    """The value of a canonical text. Raises NotCanonical for any other text."""
    try:
        value = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise NotCanonical(f"this is no JSON: {error}") from error
    if canonical(value) != data:
        raise NotCanonical("this JSON is not in canonical form")
    return value


def digest_of_lines(head: str, lines: Iterable[bytes]) -> bytes:
    """SHA-256 of these lines under their head, each ended by a line feed: 32 bytes."""
    found = hashlib.sha256(head.encode() + b"\n")
    for line in lines:
        found.update(line + b"\n")
    return found.digest()
