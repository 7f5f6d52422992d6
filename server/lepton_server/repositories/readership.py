"""Readership: which repositories have at least the readers of another one, so that chunks of theirs may lie under that other's
(`content.borrowed_bases`).

Counted are people and their rights as they are now: visibility, grants, teams, owners of organisations, admins. Tokens do not count, nor
that an account is disabled: both may change without a word about any repository.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, Connection, FromClause, Subquery, exists, or_, select, union

from lepton_server.database.tables import accounts, grants, members, repositories, team_grants, team_members
from lepton_server.database.transactions import in_batches
from lepton_server.repositories import registry
from lepton_server.repositories.registry import Repository


def at_least_as_readable(connection: Connection, target: Repository, among: Collection[int]) -> set[int]:
    """Those of these repositories (ids) that everybody may read who may read `target`, by what the database says now."""
    target = registry.by_id(connection, target.id)  # it may have been shown to others since it was looked up
    here = (repositories.c.tenant == target.tenant) & repositories.c.deleted.is_(None)
    query = select(repositories.c.id).where(here, _open_to_readers_of(target))
    batches = (connection.execute(query.where(repositories.c.id.in_(some))) for some in in_batches(sorted(among)))
    return {repository for rows in batches for repository in rows.scalars()}


def _open_to_readers_of(target: Repository) -> ColumnElement[bool]:
    """For a query on `repositories`."""
    if target.visibility == "public":
        return repositories.c.visibility == "public"
    shown = repositories.c.visibility.in_(["public", "internal"])
    if target.visibility == "internal":
        return shown
    readers = _readers(target)
    shut_out = exists().where(readers.c.account.is_not(None), ~_may_read(readers)).correlate(repositories)
    return or_(shown, ~shut_out)


def _readers(target: Repository) -> Subquery:
    """The accounts that may read a private repository, but for admins, who may read all."""
    of_team = select(team_members.c.account).join(team_grants, team_grants.c.team == team_members.c.team)
    owning = select(members.c.account).where(members.c.organisation == target.owner_account, members.c.role == "owner")
    return union(
        select(grants.c.account).where(grants.c.repository == target.id),
        of_team.where(team_grants.c.repository == target.id),
        owning,
        select(accounts.c.id).where(accounts.c.id == target.owner_account, accounts.c.kind != "organisation"),
    ).subquery("readers")


def _may_read(readers: Subquery) -> ColumnElement[bool]:
    """Whether an account of `readers` has a role of its own in the repository at hand, or is an admin."""

    def there(table: FromClause, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
        return exists().select_from(table).where(*conditions).correlate(readers, repositories)

    account = readers.c.account
    mine = (team_members.c.team == team_grants.c.team) & (team_members.c.account == account)
    return or_(
        repositories.c.owner == account,
        there(grants, grants.c.repository == repositories.c.id, grants.c.account == account),
        there(team_grants.join(team_members, mine), team_grants.c.repository == repositories.c.id),
        there(members, members.c.organisation == repositories.c.owner, members.c.account == account, members.c.role == "owner"),
        there(accounts, accounts.c.id == account, accounts.c.admin),
    )
