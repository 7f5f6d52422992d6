"""Renaming of repositories, their visibility and their owner. Old names lead to a repository as long as nothing else is called so;
nothing moves on disk."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, update

from lepton_server.database.tables import redirects, team_grants
from lepton_server.database.tables import repositories as rows
from lepton_server.errors import Refusal, not_found
from lepton_server.identity import accounts, audit_log
from lepton_server.identity.caller import Caller
from lepton_server.repositories import registry
from lepton_server.repositories.registry import VISIBILITIES, Repository


def set_visibility(connection: Connection, by: Caller, repository: Repository, visibility: str) -> None:
    """From now on the repository is private, internal or public. Raises Refusal."""
    if visibility not in VISIBILITIES:
        raise Refusal("bad_request", f"There is no visibility {visibility[:50]!r}.", f"There are {', '.join(VISIBILITIES)}.")
    if visibility != repository.visibility:
        connection.execute(update(rows).where(rows.c.id == repository.id).values(visibility=visibility))
        before = repository.visibility
        audit_log.note(
            connection, by, "repository.visibility", repository=repository.full_name, visibility=visibility, before=before
        )


def move(connection: Connection, by: Caller, repository: Repository, owner: str, name: str) -> Repository:
    """Call the repository OWNER/NAME from now on. `by` owns it and may make repositories there; what teams of the former owner were granted
    ends where the owner changes. Raises Refusal."""
    repository = registry.by_id(connection, repository.id)  # somebody may have moved or deleted it meanwhile
    if repository.deleted is not None:
        raise not_found()
    holder = accounts.account_in(connection, repository.tenant, owner)
    if holder is None or not registry.may_create(connection, by, owner, name):
        raise not_found()
    holding = registry.find_exactly(connection, owner, name)
    if holding is not None and holding.id != repository.id:
        raise Refusal("conflict", f"There is a repository {holding.full_name} already.", "Choose another name.")
    changed = {"owner": holder.id, "name": name, "folded": name.lower(), "git_folder": repository.git_folder}
    connection.execute(update(rows).where(rows.c.id == repository.id).values(changed))
    _redirect(connection, repository, holder.name, name)
    if holder.id != repository.owner_account:
        connection.execute(delete(team_grants).where(team_grants.c.repository == repository.id))
    moved = registry.by_id(connection, repository.id)
    if moved.full_name != repository.full_name:
        audit_log.note(connection, by, "repository.move", repository=moved.full_name, subject=repository.full_name)
    return moved


def _redirect(connection: Connection, repository: Repository, owner: str, name: str) -> None:
    """Let the new name lead nowhere else, and the old one lead to the repository."""
    old, new = (repository.owner.lower(), repository.name.lower()), (owner.lower(), name.lower())
    for folded in (old, new):
        connection.execute(delete(redirects).where(redirects.c.owner_folded == folded[0], redirects.c.name_folded == folded[1]))
    if old != new:
        connection.execute(insert(redirects).values(owner_folded=old[0], name_folded=old[1], repository=repository.id))
