"""Names that accounts had before they were renamed or deleted. None is ever given to somebody else silently: addresses that people have
kept would lead to a stranger's repositories. Whoever runs the server can free one."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from lepton_server.database.tables import accounts, former_names, redirects
from lepton_server.database.transactions import clock
from lepton_server.errors import Refusal
from lepton_server.identity import audit_log


def hold(connection: Connection, account: int, name: str) -> None:
    """From now on nobody but this account gets the name."""
    connection.execute(delete(former_names).where(former_names.c.folded == name.lower()))
    connection.execute(insert(former_names).values(folded=name.lower(), account=account, since=clock(connection)))


def check(connection: Connection, name: str, account: int | None = None) -> None:
    """Raises Refusal (conflict) for a name that another account than this one had, or has though it was deleted."""
    deleted = select(accounts.c.id).where(accounts.c.folded == name.lower(), accounts.c.deleted.is_not(None))
    had = select(former_names.c.account).where(former_names.c.folded == name.lower())
    if any(holder != account for holder in connection.execute(had.union(deleted)).scalars()):
        hint = f"Choose another name. Whoever runs the server can free this one: lepton-server user free-name {name}"
        raise Refusal("conflict", f"{name} was the name of another account.", hint)


def free(connection: Connection, name: str) -> bool:
    """From now on anybody may be called so, and no old address below the name leads anywhere. Whether it was held. Raises Refusal
    (conflict) while it is still that of a deleted account, which may come back."""
    if connection.execute(select(accounts.c.id).where(accounts.c.folded == name.lower())).first():
        raise Refusal(
            "conflict", f"{name} is the name of an account, or of a deleted one that may come back.", "Rename that first."
        )
    held = connection.execute(delete(former_names).where(former_names.c.folded == name.lower())).rowcount > 0
    if held:
        connection.execute(delete(redirects).where(redirects.c.owner_folded == name.lower()))
        audit_log.note(connection, None, "account.free-name", subject=name)
    return held
