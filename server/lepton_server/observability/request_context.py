"""Context of the request at hand: where it comes from, for the audit log and for the lines of the log."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Origin:
    """Where a request comes from: the client's address and the request's name. Set around each request."""

    address: str = ""
    request: str = ""


origin: ContextVar[Origin] = ContextVar("origin", default=Origin())  # noqa: B039 (frozen)
