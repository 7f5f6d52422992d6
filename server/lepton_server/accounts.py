"""Accounts: users, robots and organisations, each of one tenant. No two of a server have the same name, whatever their tenants."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy import Connection, Select, insert, select, update

from git_lepton.errors import WrongUse
from lepton_server import audit
from lepton_server.database import clock, insert_new
from lepton_server.refusals import Refusal
from lepton_server.tables import accounts, tenants

WELL_FORMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
DEFAULT_TENANT = 1
KINDS = ("user", "robot", "organisation")
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


@dataclass(frozen=True)
class AccountRow:
    """An account as whoever administers it sees it."""

    id: int
    tenant: int
    name: str
    kind: str
    admin: bool
    created: int
    disabled: int | None


class UnknownAccount(WrongUse):
    """There is no account of this name."""


def operator(tenant: int = DEFAULT_TENANT) -> Caller:
    """Whoever runs commands on the server's machine, at work in a tenant: may do everything there."""
    return Caller(0, audit.SERVER, tenant, admin=True)


def prepare_tenant(connection: Connection) -> None:
    """By default a server is one tenant."""
    insert_new(connection, tenants, [{"name": "default"}])  # the first row of all: its number is DEFAULT_TENANT


def account_id(connection: Connection, name: str) -> int | None:
    """The account of this name, in whichever tenant; upper and lower case are the same."""
    return connection.execute(select(accounts.c.id).where(accounts.c.folded == name.lower())).scalar_one_or_none()


def account_in(connection: Connection, tenant: int, name: str) -> AccountRow | None:
    """The account of this name in a tenant. Another tenant's is not there."""
    return find(connection, name, tenant) if WELL_FORMED.fullmatch(name) else None


def find(connection: Connection, name: str, tenant: int | None = None) -> AccountRow | None:
    query = _rows().where(accounts.c.folded == name.lower())
    row = connection.execute(query if tenant is None else query.where(accounts.c.tenant == tenant)).one_or_none()
    return AccountRow(*row) if row else None


def caller_by_id(connection: Connection, account: int) -> Caller:
    """The caller that this account would be, with a token for everything; a disabled one may do nothing."""
    columns = accounts.c.id, accounts.c.name, accounts.c.tenant, accounts.c.admin, accounts.c.disabled
    number, name, tenant, admin, disabled = connection.execute(select(*columns).where(accounts.c.id == account)).one()
    return Caller(number, name, tenant, admin, ALL_SCOPES if disabled is None else NO_SCOPES)


def known_account(connection: Connection, name: str) -> int:
    """The account of this name. Raises UnknownAccount."""
    return known(connection, name).id


def known(connection: Connection, name: str) -> AccountRow:
    """The same, with what is known of it."""
    found = find(connection, name)
    if found is None:
        raise UnknownAccount(f"there is no account {name!r}", f"Make it with `lepton-server user add {name}`.")
    return found


def ensure_account(
    connection: Connection,
    name: str,
    *,
    kind: str = "user",
    admin: bool = False,
    tenant: int = DEFAULT_TENANT,
    by: Caller | None = None,
) -> int:
    """The account of this name, made if it is not there; `by` makes it (None: the operator). Raises Refusal for a name that no URL
    can hold."""
    found = account_id(connection, name)
    if found is not None:
        return found
    if not WELL_FORMED.fullmatch(name) or name.lower() == audit.SERVER:
        raise Refusal(
            "bad_request", f"{name[:100]!r} cannot be the name of an account.", "Use letters, digits, '.', '_' and '-'."
        )
    row = {"tenant": tenant, "name": name, "folded": name.lower(), "kind": kind, "admin": admin, "created": clock(connection)}
    made = connection.execute(insert(accounts).values(row)).inserted_primary_key
    assert made is not None
    audit.note(connection, by or operator(tenant), "account.create", subject=name, kind=kind, admin=admin)
    return int(made[0])


def set_disabled(connection: Connection, by: Caller, account: AccountRow, disabled: bool) -> None:
    """From now on none of the account's tokens is taken, or they are again. What is under way ends when it next asks."""
    if disabled == (account.disabled is not None):
        return
    when = clock(connection) if disabled else None
    connection.execute(update(accounts).where(accounts.c.id == account.id).values(disabled=when))
    audit.note(connection, by, "account.disable" if disabled else "account.enable", subject=account.name)


def set_admin(connection: Connection, by: Caller, account: AccountRow, admin: bool) -> None:
    """From now on the account may do everything in its tenant, or no longer."""
    if admin != account.admin:
        connection.execute(update(accounts).where(accounts.c.id == account.id).values(admin=admin))
        audit.note(connection, by, "account.admin", subject=account.name, admin=admin)


def listed(connection: Connection, tenant: int | None, after: str = "", limit: int | None = None) -> list[AccountRow]:
    """The accounts of a tenant (None: of all) by name, those after `after`."""
    query = _rows().where(accounts.c.folded > after.lower()).order_by(accounts.c.folded).limit(limit)
    rows = connection.execute(query if tenant is None else query.where(accounts.c.tenant == tenant))
    return [AccountRow(*row) for row in rows]


def _rows() -> Select[int, int, str, str, bool, int, int | None]:
    columns = accounts.c
    return select(columns.id, columns.tenant, columns.name, columns.kind, columns.admin, columns.created, columns.disabled)
