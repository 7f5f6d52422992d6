"""Final deletion of what was deleted longer ago than it is kept: first it can no longer come back, then its links and rows go, its git
folder last. A run that is killed leaves what the next one goes on with.

A row stays of each, with its number and no name that anything can have: numbers are never used again, and the audit log tells by them what
was done to what.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, Table, delete, select, update

from lepton_server.database.tables import (
    accepted_versions,
    accounts,
    borrowed_chunks,
    chunk_links,
    evidence,
    grants,
    locks,
    members,
    object_links,
    redirects,
    refs,
    rules,
    share_files,
    shares,
    team_grants,
    team_members,
    teams,
    token_repositories,
    tokens,
    tombstones,
)
from lepton_server.database.tables import repositories as rows
from lepton_server.database.transactions import Database, clock
from lepton_server.durable import sync_folder
from lepton_server.git import folder_marks
from lepton_server.identity import audit_log, former_names
from lepton_server.identity.accounts import KINDS as ACCOUNT_KINDS
from lepton_server.identity.accounts import operator
from lepton_server.repositories import quotas, registry
from lepton_server.repositories.registry import KINDS, Repository
from lepton_server.settings import ServerSettings

_GOING, _GONE = "going", "gone"  # kinds
_LINKS_AT_ONCE = 1_000
_OF_REPOSITORY = (
    *(refs, grants, team_grants, rules, evidence, accepted_versions, locks, tombstones, redirects, token_repositories),
    borrowed_chunks,
)


def due(connection: Connection, keep_ms: int) -> tuple[list[Repository], list[int]]:
    """The repositories, and the numbers of the accounts, that are to go: deleted for as long as that."""
    then = clock(connection) - keep_ms
    old = (rows.c.deleted <= then) & rows.c.kind.in_([*KINDS, _GOING])
    found = [registry.by_id(connection, number) for number in connection.execute(select(rows.c.id).where(old)).scalars().all()]
    people = (accounts.c.deleted <= then) & accounts.c.kind.in_(ACCOUNT_KINDS)
    return found, list(connection.execute(select(accounts.c.id).where(people)).scalars())


def bury(database: Database, settings: ServerSettings, keep_ms: int) -> tuple[int, int]:
    """Delete for good what was deleted at least `keep_ms` ago; the numbers of repositories and of accounts. No other maintenance may run
    meanwhile."""
    with database.read() as connection:
        old, people = due(connection, keep_ms)
    gone = [repository for repository in old if _bury_repository(database, settings, repository)]
    return len(gone), sum(_bury_account(database, account) for account in people)


def _bury_repository(database: Database, settings: ServerSettings, repository: Repository) -> bool:
    """Delete a repository for good; False where it came back meanwhile."""
    here = (rows.c.id == repository.id) & (rows.c.deleted == repository.deleted)
    with database.write() as connection:
        if not connection.execute(update(rows).where(here).values(kind=_GOING)).rowcount:
            return False
    for links, name in ((object_links, object_links.c.oid), (chunk_links, chunk_links.c.chunk)):
        while _drop_some(database, links, name, repository.id):
            pass
    with database.write() as connection:
        quotas.forget_count(connection, repository.tenant)
        own = select(shares.c.id).where(shares.c.repository == repository.id)
        connection.execute(delete(share_files).where(share_files.c.share.in_(own)))
        for table in (*_OF_REPOSITORY, shares):
            connection.execute(delete(table).where(table.c.repository == repository.id))
    _remove_folder(database, settings, repository)
    with database.write() as connection:
        nowhere = registry.unnamed_folder()
        nothing = {"git_bytes": None, "evidence_bytes": None}
        connection.execute(update(rows).where(rows.c.id == repository.id).values(kind=_GONE, git_folder=nowhere, **nothing))
        audit_log.note_gone(connection, operator(repository.tenant), "repository.gone", repository.full_name, repository.id)
    return True


def _remove_folder(database: Database, settings: ServerSettings, repository: Repository) -> None:
    """Delete the git folder, durably, before the row gives its name free for a new repository. A folder marked as another's stays."""
    folder = registry.git_directory(settings, repository)
    with database.read() as connection:
        if folder_marks.is_of_another(connection, settings, repository):
            return
    if folder.exists():
        shutil.rmtree(folder)
    if folder.parent.exists():
        sync_folder(folder.parent)


def _drop_some(database: Database, links: Table, name: ColumnElement[bytes], repository: int) -> bool:
    """Drop some of a repository's links, in a short transaction since others wait for it; whether there were any."""
    with database.write() as connection:
        mine = links.c.repository == repository
        some: Sequence[bytes] = connection.execute(select(name).where(mine).limit(_LINKS_AT_ONCE)).scalars().all()
        connection.execute(delete(links).where(mine, name.in_(some)))
    return bool(some)


def _bury_account(database: Database, account: int) -> bool:
    """Delete an account for good; False where it came back meanwhile. Its name stays taken; its tokens, roles and memberships end."""
    with database.write() as connection:
        here = (accounts.c.id == account) & accounts.c.deleted.is_not(None)
        found = connection.execute(select(accounts.c.name, accounts.c.tenant).where(here)).one_or_none()
        if found is None:
            return False
        name, tenant = found
        live = (tokens.c.account == account) & tokens.c.revoked.is_(None)
        connection.execute(update(tokens).where(live).values(revoked=clock(connection)))
        own = select(teams.c.id).where(teams.c.organisation == account)
        for table in (team_grants, team_members):
            connection.execute(delete(table).where(table.c.team.in_(own)))
        connection.execute(delete(teams).where(teams.c.organisation == account))
        connection.execute(delete(members).where(members.c.organisation == account))
        for table in (grants, members, team_members, locks):
            connection.execute(delete(table).where(table.c.account == account))
        connection.execute(delete(redirects).where(redirects.c.owner_folded == name.lower()))
        former_names.hold(connection, account, name)
        connection.execute(update(accounts).where(accounts.c.id == account).values(kind=_GONE, folded=f".gone-{account}"))
        audit_log.note(connection, operator(tenant), "account.gone", subject=name)
    return True
