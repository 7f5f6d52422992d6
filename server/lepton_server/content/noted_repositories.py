"""Repositories as notes beside the packs name them, so that an older copy of the database cannot take another one for one of them.

A name does not say it: it may have moved on since the copy was made. Nor does a number: an older database gives the same one again. So both
the number and the moment of its making must match, the owner must be the same, and it must be open to no more people than it was.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, select

from git_lepton.errors import LeptonError
from lepton_server.database.tables import accounts
from lepton_server.database.tables import repositories as rows
from lepton_server.repositories import registry
from lepton_server.repositories.registry import KINDS, VISIBILITIES, Repository

_FROM_A_CLONE = "who has a clone pushes it again (git lepton push --all)"


@dataclass(frozen=True)
class NotedRepository:
    """A repository as it was when the note was made; times in milliseconds since 1970."""

    tenant: int
    name: str
    number: int
    created: int
    owner: int
    owner_created: int
    visibility: str

    @classmethod
    def of(cls, connection: Connection, number: int) -> NotedRepository:
        """The repository as it is now."""
        repository, created, owner_created = _with_times(connection, number)
        whose = repository.owner_account, owner_created
        return cls(repository.tenant, repository.full_name, number, created, *whose, repository.visibility)

    @classmethod
    def read(cls, noted: dict[str, Any]) -> NotedRepository:
        """Raises KeyError, ValueError, TypeError."""
        number, created, owner, owner_created = (int(noted[name]) for name in ("number", "created", "owner", "owner_created"))
        if noted["visibility"] not in VISIBILITIES:
            raise ValueError("there is no such visibility")
        tenant, name, visibility = int(noted["tenant"]), str(noted["name"]), str(noted["visibility"])
        return cls(tenant, name, number, created, owner, owner_created, visibility)

    def written(self) -> dict[str, Any]:
        return asdict(self)


class NotTheNoted(LeptonError):
    """What the database has is not the repository of the note, or more people may read it than could then."""


def meant(connection: Connection, noted: NotedRepository) -> Repository:
    """The repository of the note, where its weights may be shown to whoever may read it. Raises NotTheNoted."""
    here = select(rows.c.id).where(rows.c.id == noted.number, rows.c.tenant == noted.tenant, rows.c.created == noted.created)
    if connection.execute(here).one_or_none() is None:
        raise NotTheNoted(f"the database does not know the repository that was called so then; {_FROM_A_CLONE}")
    repository, _, owner_created = _with_times(connection, noted.number)
    called = repository.full_name
    if repository.kind not in KINDS:
        raise NotTheNoted("the repository was deleted, and is gone")
    if repository.deleted is not None:
        raise NotTheNoted(f"it is deleted; bring it back (lepton-server repo undelete {called}), and run this again")
    if (repository.owner_account, owner_created) != (noted.owner, noted.owner_created):
        raise NotTheNoted(f"it belongs to another, as {called}, than it did when that was pushed; {_FROM_A_CLONE}")
    if VISIBILITIES.index(repository.visibility) > VISIBILITIES.index(noted.visibility):
        way = f"lepton-server repo visibility {called} {noted.visibility}"
        raise NotTheNoted(
            f"it is {repository.visibility}, and was {noted.visibility} when that was pushed; narrow it ({way}), and run this again"
        )
    return repository


def with_its_name(connection: Connection, noted: NotedRepository) -> Repository | None:
    """What is called so now: another one, perhaps. Only to see what people have pushed there again."""
    found = registry.find_exactly(connection, *noted.name.split("/", 1)) if "/" in noted.name else None
    return found if found and found.tenant == noted.tenant else None


def _with_times(connection: Connection, number: int) -> tuple[Repository, int, int]:
    """The repository, and when it and its owner's account were made (milliseconds since 1970)."""
    times = select(rows.c.created, accounts.c.created).join(accounts, accounts.c.id == rows.c.owner)
    created, owner_created = connection.execute(times.where(rows.c.id == number)).one()
    return registry.by_id(connection, number), created, owner_created
