"""Usage of storage, for an operator at the command line: the bill, and quotas."""

from __future__ import annotations

from dataclasses import dataclass

from lepton_server.backends import changes, opened
from lepton_server.git.history import open_history, settled_refs
from lepton_server.identity import accounts, audit_log, tenants
from lepton_server.repositories import quotas
from lepton_server.repositories.naming import known_repository
from lepton_server.repositories.quotas import Quota
from lepton_server.settings import ServerSettings
from lepton_server.usage import bills
from lepton_server.usage.bills import RepositoryBill, TenantBill
from lepton_server.usage.branch_bills import BranchBill, of_branches


@dataclass(frozen=True)
class Usage:
    tenants: list[TenantBill]
    repositories: list[RepositoryBill]


def usage(settings: ServerSettings, tenant: str | None = None, owner: str | None = None, repository: str | None = None) -> Usage:
    """The bill of a tenant, an owner or a repository (None: of all). Raises WrongUse for a name that nothing has."""
    with opened(settings) as database, database.read() as connection:
        number = tenants.known(connection, tenant) if tenant else None
        if owner:
            accounts.known_account(connection, owner)
        one = known_repository(connection, repository).id if repository else None
        found = bills.of_repositories(connection, number, owner, one)
        return Usage([] if owner or repository else bills.of_tenants(connection, number), found)


def branches(settings: ServerSettings, repository: str) -> list[BranchBill]:
    """By branch of a hosted repository. Raises HistoryAbsent, RefsDiffer, GitFailed."""
    with opened(settings) as database:
        with database.read() as connection:
            found = known_repository(connection, repository)
        git = open_history(settings, found)
        refs = settled_refs(database, found, git)
        with database.read() as connection:
            return of_branches(connection, found, git, refs)


def recount(settings: ServerSettings) -> None:
    """Count anew what quotas count."""
    with opened(settings) as database:
        with database.read() as connection:
            found = bills.counted(connection)
        for repository in found:
            with database.write() as connection:
                quotas.recount(connection, repository)


def set_quota(settings: ServerSettings, limit: int | None, repository: str | None = None, tenant: str | None = None) -> None:
    """From now on a repository, or all of a tenant together, may store so many bytes (None: as much as there is room for)."""
    with changes(settings) as connection:
        if repository is not None:
            found = known_repository(connection, repository)
            quotas.set_for_repository(connection, found, limit)
            audit_log.note(connection, accounts.operator(found.tenant), "quota.set", repository=found.full_name, bytes=limit)
        elif tenant is not None:
            number = tenants.known(connection, tenant)
            quotas.set_for_tenant(connection, number, limit)
            audit_log.note(connection, accounts.operator(number), "quota.set", subject=tenant, bytes=limit)


def quota(settings: ServerSettings, repository: str | None = None, tenant: str | None = None) -> Quota:
    """What a repository or a tenant may store, and what it does."""
    with changes(settings) as connection:
        if repository is not None:
            found = known_repository(connection, repository)
            quotas.recount(connection, found.id)
            return quotas.of_repository(connection, found)
        return quotas.of_tenant(connection, tenants.known(connection, tenant or "default"))
