"""Tenants: parts of a server that know nothing of each other. By default there is one; more are made on the command line only."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select

from git_lepton.errors import WrongUse
from lepton_server.database.tables import tenants
from lepton_server.database.transactions import insert_new
from lepton_server.identity import audit_log
from lepton_server.identity.accounts import WELL_FORMED, operator


def add(connection: Connection, name: str) -> int:
    """A new tenant; its number. Raises WrongUse where there is one of this name."""
    if not WELL_FORMED.fullmatch(name):
        raise WrongUse(f"{name!r} cannot be the name of a tenant", "Use letters, digits, '.', '_' and '-'.")
    if name.lower() in {known.lower() for known in listed(connection)}:
        raise WrongUse(f"there is a tenant {name!r} already", "Choose another name.")
    made = connection.execute(insert(tenants).values(name=name)).inserted_primary_key
    assert made is not None
    audit_log.note(connection, operator(made[0]), "tenant.create", subject=name)
    return int(made[0])


def listed(connection: Connection) -> dict[str, int]:
    """All tenants, and their numbers."""
    return {row.name: row.id for row in connection.execute(select(tenants.c.name, tenants.c.id).order_by(tenants.c.id))}


def known(connection: Connection, name: str) -> int:
    """The number of a tenant. Raises WrongUse."""
    found = listed(connection).get(name)
    if found is None:
        raise WrongUse(f"there is no tenant {name!r}", f"Make it with `lepton-server tenant add {name}`.")
    return found


def prepare_tenant(connection: Connection) -> None:
    """By default a server is one tenant."""
    insert_new(connection, tenants, [{"name": "default"}])  # the first row of all: its number is DEFAULT_TENANT
