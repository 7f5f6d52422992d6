"""Names of repositories: whether one can be called OWNER/NAME, and what else changes by that. For commands, whose users may know all that
is on the server."""

from __future__ import annotations

from sqlalchemy import Connection

from git_lepton.errors import WrongUse
from lepton_server.identity import accounts, audit_log
from lepton_server.identity.caller import DEFAULT_TENANT
from lepton_server.repositories import registry
from lepton_server.repositories.registry import Repository


class NoSuchName(WrongUse):
    """No repository can be called so."""


def parted(repository: str) -> tuple[str, str]:
    """OWNER and NAME of what is written OWNER/NAME; a name may be empty."""
    owner, _, name = repository.partition("/")
    return owner, name


def tenant_of(connection: Connection, owner: str) -> int:
    """Where the repositories of this owner are: in the default tenant where there is no such account yet."""
    holder = accounts.find(connection, owner)
    return holder.tenant if holder else DEFAULT_TENANT


def announced(connection: Connection, tenant: int, owner: str, name: str, moving: Repository | None = None) -> list[str]:
    """What comes with it that a repository of the tenant (`moving`, or a new one) is called OWNER/NAME from now on, in sentences: to be
    asked before that, and said after. Raises NoSuchName where it cannot be called so."""
    if not registry.well_formed(owner, name) or owner.lower() == audit_log.SERVER:
        raise NoSuchName(f"'{owner}/{name}' cannot be the name of a repository", "Use OWNER/REPO of letters, digits, . _ and -.")
    holder = accounts.find(connection, owner)
    if holder and holder.tenant != tenant:
        raise NoSuchName(f"{holder.name} belongs to another tenant", "Repositories stay in theirs; choose an owner there.")
    said = [] if holder else [f"made the organisation {owner}"]
    led_to = registry.find(connection, owner, name)
    is_taken = registry.find_exactly(connection, owner, name) is not None
    if led_to and not is_taken and (moving is None or led_to.id != moving.id):
        said.append(f"{owner}/{name} led to {led_to.full_name} until now, and does no longer")
    return said


def known_repository(connection: Connection, repository: str) -> Repository:
    """The repository of this name. Raises WrongUse."""
    found = registry.find(connection, *parted(repository))
    if found is None:
        raise WrongUse(f"there is no repository {repository!r}", f"Make it with `lepton-server repo create {repository}`.")
    return found
