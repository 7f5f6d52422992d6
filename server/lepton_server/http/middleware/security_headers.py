"""Headers that every answer carries, so that a browser that is led here does nothing with it but show it."""

from __future__ import annotations

from starlette.types import Message

_YEAR = b"max-age=31536000"
_ALWAYS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"cache-control": b"no-store",
}


class SecurityHeaders:
    """`encrypted`: clients come by https only, and should go on doing so."""

    def __init__(self, *, encrypted: bool) -> None:
        self._headers = _ALWAYS | ({b"strict-transport-security": _YEAR} if encrypted else {})

    def add(self, start: Message) -> None:
        """To the head of an answer; what a route says itself stays."""
        there = {name.lower() for name, _ in start.get("headers", ())}
        start["headers"] = [
            *start.get("headers", ()),
            *((name, value) for name, value in self._headers.items() if name not in there),
        ]
