"""Accounts and their tokens. A token is shown once; the database keeps its SHA-256."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select

from git_lepton.errors import WrongUse
from lepton_server.database import clock, insert_new
from lepton_server.tables import accounts, tenants, tokens

WELL_FORMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
DEFAULT_TENANT = 1
ALL_SCOPES = frozenset({"read", "write", "evidence", "admin"})
_DAY_MS = 86_400_000


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


class UnknownAccount(WrongUse):
    """There is no account of this name."""


def prepare_tenant(connection: Connection) -> None:
    """By default a server is one tenant."""
    insert_new(connection, tenants, [{"name": "default"}])  # the first row of all: its number is DEFAULT_TENANT


def account_id(connection: Connection, name: str) -> int | None:
    """The account of this name; upper and lower case are the same."""
    return connection.execute(select(accounts.c.id).where(accounts.c.folded == name.lower())).scalar_one_or_none()


def caller_by_id(connection: Connection, account: int) -> Caller:
    """The caller that this account would be."""
    columns = accounts.c.id, accounts.c.name, accounts.c.tenant, accounts.c.admin
    return Caller(*connection.execute(select(*columns).where(accounts.c.id == account)).one())


def known_account(connection: Connection, name: str) -> int:
    """The account of this name. Raises UnknownAccount."""
    found = account_id(connection, name)
    if found is None:
        raise UnknownAccount(f"there is no account {name!r}", f"Make it with `lepton-server user add {name}`.")
    return found


def ensure_account(connection: Connection, name: str, *, kind: str = "user", admin: bool = False) -> int:
    """The account of this name, made if it is not there. Raises WrongUse for a name that no URL can hold."""
    if not WELL_FORMED.fullmatch(name):
        raise WrongUse(f"{name!r} cannot be the name of an account", "Use letters, digits, '.', '_' and '-'.")
    row: dict[str, Any] = {"tenant": DEFAULT_TENANT, "name": name, "folded": name.lower(), "kind": kind, "admin": admin}
    insert_new(connection, accounts, [{**row, "created": clock(connection)}])
    return known_account(connection, name)


def create_token(connection: Connection, account: int, label: str = "", days: float | None = None) -> str:
    """A new token of this account, which ends after `days`, or never."""
    token = f"lpt_{secrets.token_urlsafe(32)}"
    now = clock(connection)
    expires = None if days is None else now + int(days * _DAY_MS)
    row = {"account": account, "digest": token_digest(token), "label": label, "scopes": "", "created": now, "expires": expires}
    connection.execute(insert(tokens).values(row))
    return token


def token_digest(token: str) -> bytes:
    """What the database keeps of a token: 32 bytes from which nobody gets it back, for it has 256 random bits."""
    return hashlib.sha256(token.encode()).digest()
