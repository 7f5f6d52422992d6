"""Deletion of repositories and accounts, and their return. What is deleted is at once as absent, to everybody; nothing of it is touched
until gc deletes it for good (`maintenance.final_deletion`), so that it comes back whole: refs, weights, links, shares, roles.

The name of a repository is free at once. An account takes its repositories with it, and its name stays its own.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, select, update

from lepton_server.database.tables import accounts, redirects
from lepton_server.database.tables import repositories as rows
from lepton_server.database.transactions import clock
from lepton_server.errors import Refusal, not_found
from lepton_server.identity import audit_log
from lepton_server.identity.accounts import AccountRow
from lepton_server.identity.caller import Caller
from lepton_server.repositories import registry
from lepton_server.repositories.permissions import GRANTABLE, ROLES, former_role
from lepton_server.repositories.registry import Repository


def delete_repository(connection: Connection, by: Caller, repository: Repository) -> None:
    """From now on the repository is as absent, and its name free. Raises Refusal (not_found) where somebody has deleted it meanwhile."""
    repository = registry.by_id(connection, repository.id)
    if repository.deleted is not None:
        raise not_found()
    audit_log.note(connection, by, "repository.delete", repository=repository.full_name)
    _hide(connection, repository, clock(connection))


def undelete_repository(connection: Connection, by: Caller, repository: Repository, name: str = "") -> Repository:
    """Bring a deleted repository back, with all that it had; under its name unless another is given.

    Raises Refusal: not_found where it is not deleted or gone, conflict where its owner is deleted or another has the name."""
    if repository.deleted is None or repository.kind not in registry.KINDS:
        raise not_found()
    owner = connection.execute(select(accounts.c.deleted).where(accounts.c.id == repository.owner_account)).scalar_one()
    if owner is not None:
        hint = f"Bring the account back: lepton-server user undelete {repository.owner}"
        raise Refusal("conflict", f"{repository.owner}, whose repository it is, is deleted too.", hint)
    _show(connection, repository, name or repository.name)
    found = registry.by_id(connection, repository.id)
    audit_log.note(connection, by, "repository.undelete", repository=found.full_name, subject=repository.full_name)
    return found


def deleted_of(connection: Connection, caller: Caller) -> list[Repository]:
    """The deleted repositories that the caller may bring back: those that they owned."""
    least = ROLES.index(GRANTABLE[-1])
    roles = [
        (repository, former_role(connection, caller, repository)) for repository in registry.deleted(connection, caller.tenant)
    ]
    return [repository for repository, role in roles if role is not None and ROLES.index(role) >= least]


def delete_account(connection: Connection, by: Caller, account: AccountRow) -> None:
    """From now on the account is as absent, none of its tokens is taken, and its repositories are deleted."""
    now = clock(connection)
    for repository in _own(connection, account, rows.c.deleted.is_(None)):
        audit_log.note(connection, by, "repository.delete", repository=repository.full_name, account=account.name)
        _hide(connection, repository, now)
    gone: dict[str, Any] = {"deleted": now, "disabled": account.disabled or now}
    connection.execute(update(accounts).where(accounts.c.id == account.id).values(gone))
    audit_log.note(connection, by, "account.delete", subject=account.name)


def undelete_account(connection: Connection, by: Caller, account: AccountRow) -> None:
    """Bring a deleted account back as it was, with its tokens and the repositories that were deleted with it."""
    assert account.deleted is not None
    back: dict[str, Any] = {"deleted": None}
    if account.disabled == account.deleted:
        back["disabled"] = None
    connection.execute(update(accounts).where(accounts.c.id == account.id).values(back))
    audit_log.note(connection, by, "account.undelete", subject=account.name)
    for repository in _own(connection, account, rows.c.deleted == account.deleted):
        _show(connection, repository, repository.name)
        audit_log.note(connection, by, "repository.undelete", repository=repository.full_name, account=account.name)


def _hide(connection: Connection, repository: Repository, now: int) -> None:
    hidden = {"deleted": now, "folded": f".deleted-{repository.id}", "git_folder": repository.git_folder}
    connection.execute(update(rows).where(rows.c.id == repository.id).values(hidden))


def _show(connection: Connection, repository: Repository, name: str) -> None:
    """Raises Refusal (bad_request, conflict)."""
    full_name = f"{repository.owner}/{name}"
    if not registry.well_formed(repository.owner, name):
        raise Refusal(
            "bad_request", f"{name[:100]!r} cannot be the name of a repository.", "Use letters, digits, '.', '_' and '-'."
        )
    if registry.find_exactly(connection, repository.owner, name) is not None:
        raise Refusal("conflict", f"There is a repository {full_name} by now.", "Bring the deleted one back under another name.")
    led = (redirects.c.owner_folded == repository.owner.lower(), redirects.c.name_folded == name.lower())
    connection.execute(delete(redirects).where(*led))  # what is there is not elsewhere
    shown = {"deleted": None, "folded": name.lower(), "name": name}
    connection.execute(update(rows).where(rows.c.id == repository.id).values(shown))


def _own(connection: Connection, account: AccountRow, condition: Any) -> list[Repository]:
    own = select(rows.c.id).where(rows.c.owner == account.id, rows.c.kind.in_(registry.KINDS), condition)
    return [
        registry.by_id(connection, repository_id) for repository_id in connection.execute(own.order_by(rows.c.id)).scalars().all()
    ]
