"""What the person who runs a server does to its data folder from the command line, whether it is being served or not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, delete, insert, update

from git_lepton.errors import WrongUse
from lepton_server import repositories
from lepton_server.accounts import DEFAULT_TENANT, Caller, account_id, create_token, ensure_account, known_account
from lepton_server.database import clock
from lepton_server.permissions import GRANTABLE
from lepton_server.serving import open_database
from lepton_server.tables import grants, tokens


def add_user(data: Path, name: str, *, admin: bool = False) -> None:
    """Raises WrongUse where the name is taken or malformed."""
    with _changes(data) as connection:
        if account_id(connection, name) is not None:
            raise WrongUse(f"there is an account {name!r} already", "Choose another name.")
        ensure_account(connection, name, admin=admin)


def new_token(data: Path, name: str, label: str = "", days: float | None = None) -> str:
    with _changes(data) as connection:
        return create_token(connection, known_account(connection, name), label, days)


def revoke_tokens(data: Path, name: str, label: str | None = None) -> int:
    """End all tokens of an account, or those with this label; how many. They are refused from the next request on."""
    with _changes(data) as connection:
        live = (tokens.c.account == known_account(connection, name)) & tokens.c.revoked.is_(None)
        if label is not None:
            live &= tokens.c.label == label
        return connection.execute(update(tokens).where(live).values(revoked=clock(connection))).rowcount


def grant(data: Path, name: str, role: str, repository: str) -> None:
    """From now on this is the account's role there, whatever it was before."""
    if role not in GRANTABLE:
        raise WrongUse(f"there is no role {role!r}", f"The roles are {', '.join(GRANTABLE)}.")
    with _changes(data) as connection:
        account = known_account(connection, name)
        found = repositories.find(connection, *_split(repository))
        if found is None:
            raise WrongUse(f"there is no repository {repository!r}", f"Make it with `lepton-server repo create {repository}`.")
        connection.execute(delete(grants).where(grants.c.repository == found.id, grants.c.account == account))
        connection.execute(insert(grants).values(repository=found.id, account=account, role=role))


def create_repository(data: Path, repository: str, kind: str) -> None:
    owner, name = _split(repository)
    if not repositories.well_formed(owner, name):
        raise WrongUse(f"{repository!r} cannot be the name of a repository", "Use OWNER/REPO of letters, digits, . _ and -.")
    with _changes(data) as connection:
        repositories.create(connection, Caller(0, "", DEFAULT_TENANT, admin=True), owner, name, kind)


def _split(repository: str) -> tuple[str, str]:
    owner, _, name = repository.partition("/")
    return owner, name


@contextmanager
def _changes(data: Path) -> Iterator[Connection]:
    database = open_database(data)
    try:
        with database.write() as connection:
            yield connection
    finally:
        database.close()
