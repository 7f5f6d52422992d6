"""Renaming of accounts. An account's tokens, roles and repositories stay what they are; the old addresses of its repositories lead to
them, and the old name stays its own (`former_names`). Nothing moves on disk."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select, update

from lepton_server.database.tables import accounts, redirects
from lepton_server.database.tables import former_names as held
from lepton_server.database.tables import repositories as rows
from lepton_server.errors import Refusal
from lepton_server.identity import audit_log, former_names
from lepton_server.identity.accounts import WELL_FORMED, AccountRow
from lepton_server.identity.caller import Caller
from lepton_server.repositories import registry


def rename(connection: Connection, by: Caller, account: AccountRow, name: str) -> None:
    """From now on the account is called so. Raises Refusal: bad_request, conflict where another has, or had, the name."""
    old, new = account.name.lower(), name.lower()
    if not WELL_FORMED.fullmatch(name) or new == audit_log.SERVER:
        raise Refusal(
            "bad_request", f"{name[:100]!r} cannot be the name of an account.", "Use letters, digits, '.', '_' and '-'."
        )
    holder = connection.execute(select(accounts.c.id).where(accounts.c.folded == new)).scalar_one_or_none()
    if holder not in (None, account.id):
        raise Refusal("conflict", f"The name {name} is taken.", "Choose another name.")
    former_names.check(connection, name, account.id)
    _keep_addresses(connection, account, old, new)
    connection.execute(update(accounts).where(accounts.c.id == account.id).values(name=name, folded=new))
    if old != new:
        connection.execute(delete(held).where(held.c.folded == new))
        former_names.hold(connection, account.id, account.name)
    if account.name != name:
        audit_log.note(connection, by, "account.rename", subject=name, before=account.name)


def _keep_addresses(connection: Connection, account: AccountRow, old: str, new: str) -> None:
    """The git folders of its repositories stay where they are, and each old address leads to the new one."""
    own = select(rows.c.id, rows.c.folded, rows.c.deleted).where(rows.c.owner == account.id)
    for repository_id, folded, deleted in connection.execute(own).all():
        folder = registry.by_id(connection, repository_id).git_folder
        connection.execute(update(rows).where(rows.c.id == repository_id).values(git_folder=folder))
        if old == new or deleted is not None:
            continue
        for owner in (old, new):
            this = (redirects.c.owner_folded == owner, redirects.c.name_folded == folded)
            connection.execute(delete(redirects).where(*this))
        connection.execute(insert(redirects).values(owner_folded=old, name_folded=folded, repository=repository_id))
