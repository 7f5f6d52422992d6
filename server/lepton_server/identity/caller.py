"""The caller of a request: an account, and what its token allows."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_TENANT = 1


ALL_SCOPES = frozenset({"read", "write", "evidence", "admin"})


NO_SCOPES: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Caller:
    """The account that a request comes from, and what the token that it came with may be used for: `scopes`, and in which
    repositories (`limited_to`; None: all of the account's)."""

    account: int
    name: str
    tenant: int
    admin: bool
    scopes: frozenset[str] = ALL_SCOPES
    limited_to: frozenset[int] | None = None
    token: int | None = None
    token_label: str = ""
