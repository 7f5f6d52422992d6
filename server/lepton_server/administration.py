"""What the person who runs a server does to its data folder from the command line, whether it is being served or not."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import OperationalError

from git_lepton.errors import NetworkTrouble, WrongUse
from git_lepton.format.coding.codec import RELEASED
from lepton_server import repositories
from lepton_server.accounts import DEFAULT_TENANT, Caller, account_id, create_token, ensure_account, known_account
from lepton_server.database import Database, clock, is_disk_trouble
from lepton_server.disk_store import DiskStore
from lepton_server.folder_lock import only_one
from lepton_server.object_store import StoreFull
from lepton_server.permissions import GRANTABLE
from lepton_server.places import open_database, open_store
from lepton_server.repositories import Repository
from lepton_server.settings import ServerSettings
from lepton_server.tables import grants, tenants, tokens

if TYPE_CHECKING:
    from lepton_server.care.dead_chunks import Scope
    from lepton_server.care.repacking import Repacked


class DatabaseBusy(NetworkTrouble):
    """Another process holds the database for too long."""


def add_user(settings: ServerSettings, name: str, *, admin: bool = False) -> None:
    """Raises WrongUse where the name is taken or malformed."""
    with _changes(settings) as connection:
        if account_id(connection, name) is not None:
            raise WrongUse(f"there is an account {name!r} already", "Choose another name.")
        ensure_account(connection, name, admin=admin)


def new_token(settings: ServerSettings, name: str, label: str = "", days: float | None = None) -> str:
    with _changes(settings) as connection:
        return create_token(connection, known_account(connection, name), label, days)


def revoke_tokens(settings: ServerSettings, name: str, label: str | None = None) -> int:
    """End all tokens of an account, or those with this label; how many. They are refused from the next request on."""
    with _changes(settings) as connection:
        live = (tokens.c.account == known_account(connection, name)) & tokens.c.revoked.is_(None)
        if label is not None:
            live &= tokens.c.label == label
        return connection.execute(update(tokens).where(live).values(revoked=clock(connection))).rowcount


def grant(settings: ServerSettings, name: str, role: str, repository: str) -> None:
    """From now on this is the account's role there, whatever it was before."""
    if role not in GRANTABLE:
        raise WrongUse(f"there is no role {role!r}", f"The roles are {', '.join(GRANTABLE)}.")
    with _changes(settings) as connection:
        account = known_account(connection, name)
        found = known_repository(connection, repository)
        connection.execute(delete(grants).where(grants.c.repository == found.id, grants.c.account == account))
        connection.execute(insert(grants).values(repository=found.id, account=account, role=role))


def create_repository(settings: ServerSettings, repository: str, kind: str) -> None:
    owner, name = _split(repository)
    if not repositories.well_formed(owner, name):
        raise WrongUse(f"{repository!r} cannot be the name of a repository", "Use OWNER/REPO of letters, digits, . _ and -.")
    with _changes(settings) as connection:
        repositories.create(connection, Caller(0, "", DEFAULT_TENANT, admin=True), owner, name, kind)


def codecs(settings: ServerSettings, repository: str, allow: Collection[int] | None = None) -> list[int]:
    """The codec ids that a repository allows, once those of `allow` are added. Raises WrongUse for an id that nobody knows, and
    where one would be taken away: weights that are coded so are there."""
    with _changes(settings) as connection:
        found = known_repository(connection, repository)
        if allow is None:
            return sorted(found.codecs)
        if unknown := set(allow) - RELEASED:
            known = ",".join(map(str, sorted(RELEASED)))
            raise WrongUse(f"there is no codec {min(unknown)}", f"This lepton-server knows {known}; a newer one may know more.")
        if lacking := found.codecs - set(allow):
            message = f"codec {min(lacking)} cannot be taken from {found.full_name}: weights there may be coded so"
            raise WrongUse(message, f"Name all: --allow {','.join(map(str, sorted(found.codecs | set(allow))))}")
        repositories.allow_codecs(connection, found, allow)
        return sorted(allow)


def repack(settings: ServerSettings, repository: str | None, grace_s: float, *, dry_run: bool = False) -> Repacked:
    """Make the packs of a data folder, or one repository's, fewer and smaller. Raises FolderBusy while another does."""
    from lepton_server.care.repacking import repack as run

    with _opened(settings) as database, only_one(settings.repack_lock_file, "repacks"):
        scopes = _scopes(database, repository, int(grace_s * 1000))
        store = open_store(settings, database, "repacking")
        if isinstance(store, DiskStore):
            store.clear_incoming()
        return run(database, store, scopes, settings.decoders, dry_run=dry_run)


def _scopes(database: Database, repository: str | None, grace_ms: int) -> list[Scope]:
    from lepton_server.care.dead_chunks import Scope

    with database.read() as connection:
        if repository is not None:
            found = known_repository(connection, repository)
            return [Scope(found.tenant, found.id, grace_ms)]
        return [Scope(tenant, None, grace_ms) for tenant in connection.execute(select(tenants.c.id)).scalars()]


def known_repository(connection: Connection, repository: str) -> Repository:
    """The repository of this name. Raises WrongUse."""
    found = repositories.find(connection, *_split(repository))
    if found is None:
        raise WrongUse(f"there is no repository {repository!r}", f"Make it with `lepton-server repo create {repository}`.")
    return found


def _split(repository: str) -> tuple[str, str]:
    owner, _, name = repository.partition("/")
    return owner, name


@contextmanager
def _changes(settings: ServerSettings) -> Iterator[Connection]:
    with _opened(settings) as database, database.write() as connection:
        yield connection


@contextmanager
def _opened(settings: ServerSettings) -> Iterator[Database]:
    """Raises DatabaseBusy where nobody else lets go of the database for half a minute, StoreFull where the disk has no room for it."""
    database: Database | None = None
    try:
        database = open_database(settings)
        yield database
    except OperationalError as error:
        if "locked" in str(error.orig):
            raise DatabaseBusy("the database of this folder is busy", "Try again when less is going on.") from error
        if is_disk_trouble(error):
            raise StoreFull(
                "the database could not be written: the disk is full or fails",
                "Make room there, then run this again; nothing is lost.",
            ) from error
        raise
    finally:
        if database:
            database.close()
