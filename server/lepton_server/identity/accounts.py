"""Accounts: users, robots and organisations, each of one tenant. No two of a server have the same name, whatever their tenants."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, insert, select, update

from git_lepton.errors import WrongUse
from lepton_server.database.tables import accounts
from lepton_server.database.transactions import clock
from lepton_server.errors import Refusal
from lepton_server.identity import audit_log, former_names
from lepton_server.identity.caller import ALL_SCOPES, DEFAULT_TENANT, NO_SCOPES, Caller

WELL_FORMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
KINDS = ("user", "robot", "organisation")


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
    deleted: int | None = None


class UnknownAccount(WrongUse):
    """There is no account of this name."""


def operator(tenant: int = DEFAULT_TENANT) -> Caller:
    """Whoever runs commands on the server's machine, at work in a tenant: may do everything there."""
    return Caller(0, audit_log.SERVER, tenant, admin=True)


def account_id(connection: Connection, name: str) -> int | None:
    """The account of this name, in whichever tenant; upper and lower case are the same."""
    here = (accounts.c.folded == name.lower()) & accounts.c.deleted.is_(None)
    return connection.execute(select(accounts.c.id).where(here)).scalar_one_or_none()


def account_in(connection: Connection, tenant: int, name: str) -> AccountRow | None:
    """The account of this name in a tenant. Another tenant's is not there."""
    return find(connection, name, tenant) if WELL_FORMED.fullmatch(name) else None


def find(connection: Connection, name: str, tenant: int | None = None) -> AccountRow | None:
    query = _rows().where(accounts.c.folded == name.lower(), accounts.c.deleted.is_(None))
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
    """The account of this name, with what is known of it. Raises UnknownAccount."""
    found = find(connection, name)
    if found is None:
        raise UnknownAccount(f"there is no account {name!r}", f"Make it with `lepton-server user add {name}`.")
    return found


def find_deleted(connection: Connection, name: str, tenant: int | None = None) -> AccountRow | None:
    """The account of this name that was deleted and can come back."""
    query = _rows().where(accounts.c.folded == name.lower(), accounts.c.deleted.is_not(None))
    row = connection.execute(query if tenant is None else query.where(accounts.c.tenant == tenant)).one_or_none()
    return AccountRow(*row) if row else None


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
    can hold, and for one that was another account's."""
    found = account_id(connection, name)
    if found is not None:
        return found
    if not WELL_FORMED.fullmatch(name) or name.lower() == audit_log.SERVER:
        raise Refusal(
            "bad_request", f"{name[:100]!r} cannot be the name of an account.", "Use letters, digits, '.', '_' and '-'."
        )
    former_names.check(connection, name)
    row = {"tenant": tenant, "name": name, "folded": name.lower(), "kind": kind, "admin": admin, "created": clock(connection)}
    made = connection.execute(insert(accounts).values(row)).inserted_primary_key
    assert made is not None
    audit_log.note(connection, by or operator(tenant), "account.create", subject=name, kind=kind, admin=admin)
    return int(made[0])


def set_disabled(connection: Connection, by: Caller, account: AccountRow, disabled: bool) -> None:
    """From now on none of the account's tokens is taken, or they are again. What is under way ends when it next asks."""
    if disabled == (account.disabled is not None):
        return
    when = clock(connection) if disabled else None
    connection.execute(update(accounts).where(accounts.c.id == account.id).values(disabled=when))
    audit_log.note(connection, by, "account.disable" if disabled else "account.enable", subject=account.name)


def set_admin(connection: Connection, by: Caller, account: AccountRow, admin: bool) -> None:
    """From now on the account may do everything in its tenant, or no longer."""
    if admin != account.admin:
        connection.execute(update(accounts).where(accounts.c.id == account.id).values(admin=admin))
        audit_log.note(connection, by, "account.admin", subject=account.name, admin=admin)


def listed(
    connection: Connection, tenant: int | None, after: str = "", limit: int | None = None, *, deleted: bool = False
) -> list[AccountRow]:
    """The accounts of a tenant (None: of all) by name, those after `after`; or those that were deleted and can come back."""
    state = accounts.c.deleted.is_not(None) & accounts.c.kind.in_(KINDS) if deleted else accounts.c.deleted.is_(None)
    query = _rows().where(accounts.c.folded > after.lower(), state).order_by(accounts.c.folded).limit(limit)
    rows = connection.execute(query if tenant is None else query.where(accounts.c.tenant == tenant))
    return [AccountRow(*row) for row in rows]


def _rows() -> Select[Any]:
    columns = accounts.c
    state = columns.created, columns.disabled, columns.deleted
    return select(columns.id, columns.tenant, columns.name, columns.kind, columns.admin, *state)
