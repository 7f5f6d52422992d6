"""What the person who runs a server does to its data folder from the command line, whether it is being served or not."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from git_lepton.errors import NetworkTrouble, WrongUse
from git_lepton.format.coding.encoded import RELEASED
from lepton_server import accounts, grants, last_runs, moving, repositories, tenants, tokens
from lepton_server.database import Database, is_disk_trouble
from lepton_server.disk_store import DiskStore
from lepton_server.exclusive import exclusive
from lepton_server.new_names import announced, parted, tenant_of
from lepton_server.object_store import StoreFull
from lepton_server.places import open_database, open_store
from lepton_server.repositories import Repository
from lepton_server.settings import ServerSettings

if TYPE_CHECKING:
    from lepton_server.care.dead_chunks import Scope
    from lepton_server.care.repacking import Repacked


class DatabaseBusy(NetworkTrouble):
    """Another process holds the database for too long."""


def add_user(settings: ServerSettings, name: str, *, admin: bool = False, kind: str = "user", tenant: str = "default") -> None:
    """Raises WrongUse where the name is taken or malformed, or there is no such tenant."""
    with changes(settings) as connection:
        if accounts.account_id(connection, name) is not None:
            raise WrongUse(f"there is an account {name!r} already", "Choose another name.")
        accounts.ensure_account(connection, name, kind=kind, admin=admin, tenant=tenants.known(connection, tenant))


def new_token(settings: ServerSettings, name: str, label: str = "", days: float | None = None) -> str:
    """A token with all the rights of its account."""
    with changes(settings) as connection:
        return tokens.create_token(connection, accounts.known_account(connection, name), label, days)


def grant(settings: ServerSettings, name: str, role: str, repository: str) -> None:
    """From now on this is the account's role there, whatever it was before. Raises WrongUse."""
    with changes(settings) as connection:
        account, found = accounts.known(connection, name), known_repository(connection, repository)
        grants.grant(connection, accounts.operator(found.tenant), found, account, role)


def create_repository(settings: ServerSettings, repository: str, kind: str, visibility: str = "private") -> list[str]:
    """Made for its owner, who is made too (an organisation of the default tenant) where there is none; what came with that, in
    sentences. Raises WrongUse."""
    owner, name = parted(repository)
    with changes(settings) as connection:
        tenant = tenant_of(connection, owner)
        said = announced(connection, tenant, owner, name)
        repositories.create(connection, accounts.operator(tenant), owner, name, kind, visibility)
    return said


def move(settings: ServerSettings, repository: str, owner: str = "", name: str = "") -> list[str]:
    """Rename a repository, or give it to another owner of its tenant; its old name leads to it. What came with that, in sentences.
    Raises WrongUse."""
    with changes(settings) as connection:
        found = known_repository(connection, repository)
        if owner:
            accounts.known(connection, owner)
        if "/" in name:
            hint = f"Another owner is given by `lepton-server repo transfer {found.full_name} {parted(name)[0]}`."
            raise WrongUse(f"a new name has no owner in it, and {name!r} has", hint)
        owner, name = owner or found.owner, name or found.name
        said = announced(connection, found.tenant, owner, name, found)
        moving.move(connection, accounts.operator(found.tenant), found, owner, name)
    return said


def fork(settings: ServerSettings, repository: str, to: str) -> list[str]:
    """Another repository, OWNER/NAME, that holds the same; what came with that, in sentences. Raises WrongUse, Refusal."""
    from lepton_server import forking

    owner, name = parted(to)
    with opened(settings) as database:
        with database.read() as connection:
            source = known_repository(connection, repository)
            said = announced(connection, source.tenant, owner, name)
        forking.fork(database, settings, accounts.operator(source.tenant), source, owner, name)
    return said


def codecs(settings: ServerSettings, repository: str, allow: Collection[int] | None = None) -> list[int]:
    """The codec ids that a repository allows, once those of `allow` are added. Raises WrongUse for an id that nobody knows, and
    where one would be taken away: weights that are coded so are there."""
    with changes(settings) as connection:
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

    with opened(settings) as database, exclusive(database, settings, "repacks"):
        scopes = _scopes(database, repository, int(grace_s * 1000))
        store = open_store(settings, database, "repacking")
        if isinstance(store, DiskStore):
            store.clear_incoming()
        done = run(database, store, scopes, settings.decoders, dry_run=dry_run)
        if not dry_run:
            with database.write() as connection:
                last_runs.note(connection, "repack")
        return done


def _scopes(database: Database, repository: str | None, grace_ms: int) -> list[Scope]:
    from lepton_server.care.dead_chunks import Scope

    with database.read() as connection:
        if repository is not None:
            found = known_repository(connection, repository)
            return [Scope(found.tenant, found.id, grace_ms)]
        return [Scope(tenant, None, grace_ms) for tenant in tenants.listed(connection).values()]


def known_repository(connection: Connection, repository: str) -> Repository:
    """The repository of this name. Raises WrongUse."""
    found = repositories.find(connection, *parted(repository))
    if found is None:
        raise WrongUse(f"there is no repository {repository!r}", f"Make it with `lepton-server repo create {repository}`.")
    return found


@contextmanager
def changes(settings: ServerSettings) -> Iterator[Connection]:
    """A transaction of a command that changes what the database holds. Raises DatabaseBusy, StoreFull."""
    with opened(settings) as database, database.write() as connection:
        yield connection


@contextmanager
def opened(settings: ServerSettings) -> Iterator[Database]:
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
