"""What it means that a repository comes to be called OWNER/NAME: whether it can be, and what else changes by it. For commands, whose
users may know all that is on the server."""

from __future__ import annotations

from sqlalchemy import Connection

from git_lepton.errors import WrongUse
from lepton_server import accounts, audit, repositories
from lepton_server.accounts import DEFAULT_TENANT
from lepton_server.repositories import Repository


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
    if not repositories.well_formed(owner, name) or owner.lower() == audit.SERVER:
        raise NoSuchName(f"'{owner}/{name}' cannot be the name of a repository", "Use OWNER/REPO of letters, digits, . _ and -.")
    holder = accounts.find(connection, owner)
    if holder and holder.tenant != tenant:
        raise NoSuchName(f"{holder.name} belongs to another tenant", "Repositories stay in theirs; choose an owner there.")
    said = [] if holder else [f"made the organisation {owner}"]
    led_to = repositories.find(connection, owner, name)
    is_taken = repositories.find_exactly(connection, owner, name) is not None
    if led_to and not is_taken and (moving is None or led_to.id != moving.id):
        said.append(f"{owner}/{name} led to {led_to.full_name} until now, and does no longer")
    return said
